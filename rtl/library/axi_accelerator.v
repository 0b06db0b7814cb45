`default_nettype none
// axi_accelerator: the accelerator with its registers: what a system connects.
//
// How it works. accelerator runs the network between its two streams, register_map answers on AXI4-Lite and commands it. A write of
// CONTROL.reset resets all but the registers. The parameters can be read back in the order of PARAMETER_VALUES below, which is that of
// rtl/driver.py.
//
// Latency: see accelerator and register_map.
module axi_accelerator #(
    // lanes
    parameter IN_LANES = 4,     // codes of a window in a word, >= 1
    parameter OUT_LANES = 2,    // output channels a word feeds, >= 1
    parameter DRAIN_LANES = 2,  // results a clock, 1 to the smaller of the two
    parameter CROSSINGS = 1,    // further lines of a window that may begin inside a word, >= 0
    parameter CODE_BITS = 8,    // bits of a code, 2 to 8
    parameter MIN_FORM = 1,     // 1: minimum lanes, 0: one's complement lanes
    parameter DOT_SPLIT = 0,    // weight bits of the lower half of the lanes in split dot products, 0 for none
    parameter TREE_STAGES = 0,  // register levels among those of the lanes' trees, 0 to 2
    // widths, derived from the network by rtl/parameters.py
    parameter ACC_BITS = 24,     // bits of a sum
    parameter DIGITS = 3,        // signed digits of a multiplier, 1 to 9
    parameter CONST_BITS = 32,   // bits of an affine constant
    parameter AFFINE_BITS = 36,  // bits of the affine step's sum
    parameter OUT_BITS = 24,     // bits of a requantised value, > INPUT_BITS
    parameter INPUT_BITS = 8,    // bits of the input stream, a multiple of 8
    parameter OUTPUT_BITS = 32,  // bits of the output stream, a multiple of 8
    // memories
    parameter IMAGE_DEPTH = 64,        // rows of each half of the image memory
    parameter BUFFER_A_DEPTH = 1024,   // rows
    parameter BUFFER_B_DEPTH = 1024,
    parameter ACTIVATION_ADDRESS_BITS = 10,
    parameter WEIGHT_DEPTH = 1024,
    parameter WEIGHT_ADDRESS_BITS = 10,
    parameter WEIGHT_FILE = "",
    parameter AFFINE_DEPTH = 64,
    parameter AFFINE_ADDRESS_BITS = 6,
    parameter AFFINE_FILE = "",
    parameter DESCRIPTOR_DEPTH = 128,
    parameter DESCRIPTOR_ADDRESS_BITS = 7,
    parameter DESCRIPTOR_FILE = "",
    parameter WEIGHT_REGISTER = 0,     // 1: a register behind the weight memory
    parameter MEMORY_STYLE = 0,        // of every memory on an FPGA: 0 as synthesis decides, 1 block RAM, 2 distributed
    // counts
    parameter COUNT_BITS = 16,  // bits of every size and count in a descriptor
    parameter INDEX_BITS = 8,   // bits of a descriptor's index
    parameter COUNTERS = 2,     // 0: none, 1: all but effective taps, 2: all
    parameter [31:0] SIGNATURE = 32'd0,  // of the parameters that descriptors are made for, see descriptor_check
    parameter RUN_AT_RESET = 1  // 1: images are taken up from reset on, 0: once CONTROL.run is set
) (
    input wire clk,
    input wire rst,
    // AXI4-Lite: registers, see register_map
    input wire [19:0] s_axil_awaddr,
    input wire s_axil_awvalid,
    output wire s_axil_awready,
    input wire [31:0] s_axil_wdata,
    input wire [3:0] s_axil_wstrb,
    input wire s_axil_wvalid,
    output wire s_axil_wready,
    output wire [1:0] s_axil_bresp,
    output wire s_axil_bvalid,
    input wire s_axil_bready,
    input wire [19:0] s_axil_araddr,
    input wire s_axil_arvalid,
    output wire s_axil_arready,
    output wire [31:0] s_axil_rdata,
    output wire [1:0] s_axil_rresp,
    output wire s_axil_rvalid,
    input wire s_axil_rready,
    output wire irq,
    // AXI4-Stream in: one code a beat, row by row, pixel by pixel, channel by channel; or a packet for a memory, see memory_loader
    input wire [INPUT_BITS-1:0] s_axis_tdata,
    input wire s_axis_tvalid,
    output wire s_axis_tready,
    input wire s_axis_tlast,
    // AXI4-Stream out: one value a beat, sign-extended, in the same order; TUSER is the index of the largest value so far
    output wire [OUTPUT_BITS-1:0] m_axis_tdata,
    output wire m_axis_tvalid,
    input wire m_axis_tready,
    output wire m_axis_tlast,
    output wire [COUNT_BITS-1:0] m_axis_tuser,
    // status
    output wire busy,
    output wire image_done,
    output wire tlast_error,
    // trace, see accelerator
    output wire trace_valid,
    output wire [INDEX_BITS-1:0] trace_layer,
    output wire [$clog2(DRAIN_LANES+1)-1:0] trace_count,
    output wire [DRAIN_LANES*OUT_BITS-1:0] trace_values
);
    localparam PARAMETERS = 31;
    localparam [PARAMETERS*32-1:0] PARAMETER_VALUES = {
        32'd0 + RUN_AT_RESET,
        32'd0 + COUNTERS,
        32'd0 + INDEX_BITS,
        32'd0 + COUNT_BITS,
        32'd0 + MEMORY_STYLE,
        32'd0 + WEIGHT_REGISTER,
        32'd0 + DESCRIPTOR_ADDRESS_BITS,
        32'd0 + DESCRIPTOR_DEPTH,
        32'd0 + AFFINE_ADDRESS_BITS,
        32'd0 + AFFINE_DEPTH,
        32'd0 + WEIGHT_ADDRESS_BITS,
        32'd0 + WEIGHT_DEPTH,
        32'd0 + ACTIVATION_ADDRESS_BITS,
        32'd0 + BUFFER_B_DEPTH,
        32'd0 + BUFFER_A_DEPTH,
        32'd0 + IMAGE_DEPTH,
        32'd0 + OUTPUT_BITS,
        32'd0 + INPUT_BITS,
        32'd0 + OUT_BITS,
        32'd0 + AFFINE_BITS,
        32'd0 + CONST_BITS,
        32'd0 + DIGITS,
        32'd0 + ACC_BITS,
        32'd0 + TREE_STAGES,
        32'd0 + DOT_SPLIT,
        32'd0 + MIN_FORM,
        32'd0 + CODE_BITS,
        32'd0 + CROSSINGS,
        32'd0 + DRAIN_LANES,
        32'd0 + OUT_LANES,
        32'd0 + IN_LANES
    };

    wire run;
    wire reset;
    wire load_start;
    wire [1:0] load_memory;
    wire [31:0] load_address;
    wire loading;
    wire [31:0] loaded_words;
    wire load_error;
    wire image_waiting;
    wire halted;
    wire counter_read;
    wire [INDEX_BITS-1:0] counter_row;
    wire [8*48-1:0] counter_data;

    register_map #(
        .ADDRESS_BITS     (20),
        .INDEX_BITS       (INDEX_BITS),
        .COUNTER_BITS     (48),
        .RUN_AT_RESET     (RUN_AT_RESET),
        .SIGNATURE        (SIGNATURE),
        .PARAMETERS       (PARAMETERS),
        .PARAMETER_VALUES (PARAMETER_VALUES)
    ) u_registers (
        .clk            (clk),
        .rst            (rst),
        .s_axil_awaddr  (s_axil_awaddr),
        .s_axil_awvalid (s_axil_awvalid),
        .s_axil_awready (s_axil_awready),
        .s_axil_wdata   (s_axil_wdata),
        .s_axil_wstrb   (s_axil_wstrb),
        .s_axil_wvalid  (s_axil_wvalid),
        .s_axil_wready  (s_axil_wready),
        .s_axil_bresp   (s_axil_bresp),
        .s_axil_bvalid  (s_axil_bvalid),
        .s_axil_bready  (s_axil_bready),
        .s_axil_araddr  (s_axil_araddr),
        .s_axil_arvalid (s_axil_arvalid),
        .s_axil_arready (s_axil_arready),
        .s_axil_rdata   (s_axil_rdata),
        .s_axil_rresp   (s_axil_rresp),
        .s_axil_rvalid  (s_axil_rvalid),
        .s_axil_rready  (s_axil_rready),
        .irq            (irq),
        .run            (run),
        .reset          (reset),
        .load_start     (load_start),
        .load_memory    (load_memory),
        .load_address   (load_address),
        .busy           (busy),
        .image_waiting  (image_waiting),
        .image_done     (image_done),
        .loading        (loading),
        .loaded_words   (loaded_words),
        .load_error     (load_error),
        .tlast_error    (tlast_error),
        .halted         (halted),
        .layer          (trace_layer),
        .counter_read   (counter_read),
        .counter_row    (counter_row),
        .counter_data   (counter_data)
    );

    accelerator #(
        .IN_LANES                (IN_LANES),
        .OUT_LANES               (OUT_LANES),
        .DRAIN_LANES             (DRAIN_LANES),
        .CROSSINGS               (CROSSINGS),
        .CODE_BITS               (CODE_BITS),
        .MIN_FORM                (MIN_FORM),
        .DOT_SPLIT               (DOT_SPLIT),
        .TREE_STAGES             (TREE_STAGES),
        .ACC_BITS                (ACC_BITS),
        .DIGITS                  (DIGITS),
        .CONST_BITS              (CONST_BITS),
        .AFFINE_BITS             (AFFINE_BITS),
        .OUT_BITS                (OUT_BITS),
        .INPUT_BITS              (INPUT_BITS),
        .OUTPUT_BITS             (OUTPUT_BITS),
        .IMAGE_DEPTH             (IMAGE_DEPTH),
        .BUFFER_A_DEPTH          (BUFFER_A_DEPTH),
        .BUFFER_B_DEPTH          (BUFFER_B_DEPTH),
        .ACTIVATION_ADDRESS_BITS (ACTIVATION_ADDRESS_BITS),
        .WEIGHT_DEPTH            (WEIGHT_DEPTH),
        .WEIGHT_ADDRESS_BITS     (WEIGHT_ADDRESS_BITS),
        .WEIGHT_FILE             (WEIGHT_FILE),
        .AFFINE_DEPTH            (AFFINE_DEPTH),
        .AFFINE_ADDRESS_BITS     (AFFINE_ADDRESS_BITS),
        .AFFINE_FILE             (AFFINE_FILE),
        .DESCRIPTOR_DEPTH        (DESCRIPTOR_DEPTH),
        .DESCRIPTOR_ADDRESS_BITS (DESCRIPTOR_ADDRESS_BITS),
        .DESCRIPTOR_FILE         (DESCRIPTOR_FILE),
        .WEIGHT_REGISTER         (WEIGHT_REGISTER),
        .MEMORY_STYLE            (MEMORY_STYLE),
        .COUNT_BITS              (COUNT_BITS),
        .INDEX_BITS              (INDEX_BITS),
        .COUNTERS                (COUNTERS),
        .SIGNATURE               (SIGNATURE)
    ) u_accelerator (
        .clk           (clk),
        .rst           (rst || reset),
        .s_axis_tdata  (s_axis_tdata),
        .s_axis_tvalid (s_axis_tvalid),
        .s_axis_tready (s_axis_tready),
        .s_axis_tlast  (s_axis_tlast),
        .m_axis_tdata  (m_axis_tdata),
        .m_axis_tvalid (m_axis_tvalid),
        .m_axis_tready (m_axis_tready),
        .m_axis_tlast  (m_axis_tlast),
        .m_axis_tuser  (m_axis_tuser),
        .run           (run),
        .load_start    (load_start),
        .load_memory   (load_memory),
        .load_address  (load_address),
        .loading       (loading),
        .loaded_words  (loaded_words),
        .load_error    (load_error),
        .busy          (busy),
        .image_waiting (image_waiting),
        .image_done    (image_done),
        .tlast_error   (tlast_error),
        .halted        (halted),
        .counter_read  (counter_read),
        .counter_row   (counter_row),
        .counter_data  (counter_data),
        .trace_valid   (trace_valid),
        .trace_layer   (trace_layer),
        .trace_count   (trace_count),
        .trace_values  (trace_values)
    );
endmodule
`default_nettype wire
