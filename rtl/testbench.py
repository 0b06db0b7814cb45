"""A plain Verilog testbench with its stimulus and expected values, for simulators that know no cocotb."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from quant.golden import trace
from quant.integer_network import IntegerNetwork
from rtl.design import Design
from rtl.driver import Register
from rtl.expected import stream_order, traced_values
from rtl.memory_image import image, word_lines

VECTOR_FOLDER = "vectors"
_SEED = 2021
_IDLE_LIMIT = 2**24
"""Above the taps of any sweep."""

_TESTBENCH = """\
`timescale 1ns/1ps
`default_nettype none
// testbench: plays {images} images to {top} and compares every value of every layer with the golden model's.
// Printed by hwadder. Run it in the design's folder, for example:
//   iverilog -g2005 -o vectors/testbench.vvp -s testbench vectors/testbench.v {top}.v library/*.v
//   vvp -n vectors/testbench.vvp
module testbench #(
    parameter IDLE_LIMIT = {idle_limit}  // clocks without a beat or a value after which the design counts as stuck
);
    localparam IMAGES = {images};
    localparam INPUTS = {inputs};
    localparam TRACED = {traced};
    localparam OUT_BITS = {out_bits};
    localparam DRAIN_LANES = {drain_lanes};

    reg clk = 1'b0;
    reg rst = 1'b1;
    reg [{input_bits}-1:0] stimulus [0:IMAGES*INPUTS-1];
    reg [{index_bits}+OUT_BITS-1:0] expected [0:IMAGES*TRACED-1];
    integer sent = 0;
    integer position = 0;
    integer checked = 0;
    integer mismatches = 0;
    integer cycles = 0;
    integer idle = 0;
    integer images_done = 0;
    integer done_at = 0;
    integer period = 0;

    wire s_axis_tready;
    wire trace_valid;
    wire [{index_bits}-1:0] trace_layer;
    wire [{count_bits}-1:0] trace_count;
    wire [DRAIN_LANES*OUT_BITS-1:0] trace_values;
    reg [DRAIN_LANES*OUT_BITS-1:0] values;
    reg signed [OUT_BITS-1:0] value;
    integer number;
    wire image_done;
    reg s_axis_tvalid = 1'b0;
    reg [{input_bits}-1:0] s_axis_tdata;
    reg s_axis_tlast;

    // CONTROL.run is written all the time, so that a design that waits for its host after reset begins.
    {top} dut (
        .clk            (clk),
        .rst            (rst),
        .s_axil_awaddr  (20'h{control:05x}),
        .s_axil_awvalid (1'b1),
        .s_axil_awready (),
        .s_axil_wdata   (32'd1),
        .s_axil_wstrb   (4'd15),
        .s_axil_wvalid  (1'b1),
        .s_axil_wready  (),
        .s_axil_bresp   (),
        .s_axil_bvalid  (),
        .s_axil_bready  (1'b1),
        .s_axil_araddr  (20'd0),
        .s_axil_arvalid (1'b0),
        .s_axil_arready (),
        .s_axil_rdata   (),
        .s_axil_rresp   (),
        .s_axil_rvalid  (),
        .s_axil_rready  (1'b0),
        .irq            (),
        .s_axis_tdata   (s_axis_tdata),
        .s_axis_tvalid  (s_axis_tvalid),
        .s_axis_tready  (s_axis_tready),
        .s_axis_tlast   (s_axis_tlast),
        .m_axis_tdata   (),
        .m_axis_tvalid  (),
        .m_axis_tready  (1'b1),
        .m_axis_tlast   (),
        .m_axis_tuser   (),
        .busy           (),
        .image_done     (image_done),
        .tlast_error    (),
        .trace_valid    (trace_valid),
        .trace_layer    (trace_layer),
        .trace_count    (trace_count),
        .trace_values   (trace_values)
    );

    initial begin
        $readmemh("vectors/stimulus.mem", stimulus);
        $readmemh("vectors/expected.mem", expected);
    end

    always #5 clk = ~clk;

    // Stimulus changes between clock edges, so that no simulator can order it differently.
    always @(negedge clk) begin
        if (cycles == 4) begin
            rst = 1'b0;
        end
        if (s_axis_tvalid && s_axis_tready_q) begin
            sent = sent + 1;
            position = s_axis_tlast ? 0 : position + 1;
        end
        s_axis_tvalid = !rst && sent < IMAGES * INPUTS;
        s_axis_tdata = stimulus[sent];
        s_axis_tlast = position == INPUTS - 1;
    end

    reg s_axis_tready_q = 1'b0;
    always @(posedge clk) begin
        s_axis_tready_q <= s_axis_tready;
        cycles <= cycles + 1;
        idle <= trace_valid || (s_axis_tvalid && s_axis_tready) ? 0 : idle + 1;
        if (trace_valid) begin
            values = trace_values;
            for (number = 0; number < trace_count; number = number + 1) begin
                value = values[OUT_BITS-1:0];
                values = values >> OUT_BITS;
                if ({{trace_layer, value}} !== expected[checked]) begin
                    mismatches = mismatches + 1;
                    if (mismatches <= 10) begin
                        $display("MISMATCH value %0d of descriptor %0d: expected %0d, actual %0d", checked, trace_layer,
                                 $signed(expected[checked][OUT_BITS-1:0]), value);
                    end
                end
                checked = checked + 1;
            end
        end
        if (image_done) begin
            images_done = images_done + 1;
            period = cycles - done_at;
            done_at = cycles;
        end
        if (images_done == IMAGES || idle == IDLE_LIMIT) begin
            if (mismatches == 0 && checked == IMAGES * TRACED) begin
                $display("PASS %0d images, %0d values, %0d cycles, the last image %0d", IMAGES, checked, cycles,
                         period);
            end else begin
                $display("FAIL %0d of %0d values differ, %0d of %0d compared, %0d cycles", mismatches, checked, checked,
                         IMAGES * TRACED, cycles);
            end
            $finish;
        end
    end
endmodule
`default_nettype wire
"""


def write_vectors(folder: Path, design: Design, network: IntegerNetwork, count: int) -> None:
    """Write `count` images of random codes, what every layer must make of them, and a testbench that compares.

    Random codes reach every code of the input; the golden model supplies the expected values.
    """
    generator = np.random.default_rng(_SEED)
    codes = generator.integers(0, network.input.grid.top + 1, (count, *network.input.shape), dtype=np.int64)
    tensors = trace(network, codes)
    parameters = design.parameters
    mask = 2 ** parameters["OUT_BITS"] - 1
    stimulus = [int(code) for one in codes for code in stream_order(one)]
    expected = [
        layer.index << parameters["OUT_BITS"] | int(value) & mask
        for index in range(count)
        for layer, values in zip(design.layers, traced_values(design.layers, tensors, index), strict=True)
        for value in values
    ]
    vectors = folder / VECTOR_FOLDER
    vectors.mkdir()
    (vectors / "stimulus.mem").write_text(image(word_lines(stimulus, parameters["INPUT_BITS"])))
    (vectors / "expected.mem").write_text(
        image(word_lines(expected, parameters["INDEX_BITS"] + parameters["OUT_BITS"]))
    )
    (vectors / "testbench.v").write_text(
        _TESTBENCH.format(
            top=design.top,
            images=count,
            inputs=len(stimulus) // count,
            traced=len(expected) // count,
            out_bits=parameters["OUT_BITS"],
            drain_lanes=parameters["DRAIN_LANES"],
            count_bits=parameters["DRAIN_LANES"].bit_length(),
            input_bits=parameters["INPUT_BITS"],
            index_bits=parameters["INDEX_BITS"],
            idle_limit=_IDLE_LIMIT,
            control=Register.CONTROL.value,
        )
    )
