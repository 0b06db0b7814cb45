"""What has nothing to do does not move: registers and reads of the accelerator beside a run of the plain testbench."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from networks import every_node_network, quantized

from rtl.architecture import Architecture
from rtl.generator import print_design

SIZES = {"IN_LANES": 3, "OUT_LANES": 4, "CODE_BITS": 8}

MONITOR = """\
`timescale 1ns/1ps
`define A testbench.dut.u_axi_accelerator.u_accelerator
module monitor #(parameter IN_LANES = 0, parameter OUT_LANES = 0, parameter CODE_BITS = 0);
    integer idle = 0, pools = 0, adders = 0, shortcuts = 0, tails = 0;
    integer i, o;
    reg reset, valid, pool_valid, lane_valid, shortcut, affine, begins;
    reg [3:0] reads;
    // Wider than any of them.
    reg [1023:0] operands, weights, pool_x, sum, place, bank, record, data_0, data_1, data_2, data_3;

    // Between two edges everything stands: now, as it was a clock ago, and what let it move.
    always @(negedge `A.clk) begin
        if (reset === 1'b0) begin
            if (!valid && `A.operands_qq !== operands) $display("MOVED operands");
            if (!lane_valid && `A.weights !== weights) $display("MOVED weights");
            if (!pool_valid && `A.u_pool.x_q !== pool_x) $display("MOVED pool");
            if (`A.layer_pool && `A.u_lanes.gen_element[0].u_element.sum !== sum) $display("MOVED lanes");
            if (!shortcut && !begins && `A.shortcut_place !== place) $display("MOVED shortcut_place");
            if (!shortcut && `A.shortcut_bank_q !== bank) $display("MOVED shortcut_bank");
            if (!affine && `A.affine_word !== record) $display("MOVED affine");
            if (!reads[0] && `A.buffer_data[0] !== data_0) $display("MOVED buffer 0");
            if (!reads[1] && `A.buffer_data[1] !== data_1) $display("MOVED buffer 1");
            if (!reads[2] && `A.buffer_data[2] !== data_2) $display("MOVED buffer 2");
            if (!reads[3] && `A.buffer_data[3] !== data_3) $display("MOVED buffer 3");
            if (!valid) idle = idle + 1;
            if (pool_valid) pools = pools + 1;
            if (shortcut) shortcuts = shortcuts + 1;
        end
        if (`A.valid_qq && !`A.layer_dot) begin
            adders = adders + 1;
            if (`A.bit_select_qq !== 0) $display("MOVED dot_lanes");
        end
        if (`A.valid_qq && !`A.layer_split)
            for (i = `A.gen_counters.codes_qq; i < IN_LANES; i = i + 1) begin
                tails = tails + 1;
                if (`A.operands_qq[i*CODE_BITS +: CODE_BITS] !== 0) $display("MOVED idle_lane");
                for (o = 0; o < OUT_LANES && !`A.layer_pool; o = o + 1)
                    if (`A.weights[(o*IN_LANES+i)*CODE_BITS +: CODE_BITS] !== 0) $display("MOVED idle_weight");
            end
        if (`A.image_done)
            $display("SEEN %0d %0d %0d %0d %0d", idle, pools, adders, shortcuts, tails);

        reset = `A.rst;
        valid = `A.valid_q;
        lane_valid = `A.valid_q && !`A.layer_pool;
        pool_valid = `A.valid_qq && `A.layer_pool;
        shortcut = `A.issue && `A.advance && `A.layer_shortcut;
        affine = `A.issue && `A.advance;
        begins = `A.begin_layer;
        reads[0] = `A.gen_buffer[0].tap_read || `A.gen_buffer[0].own_shortcut_read;
        reads[1] = `A.gen_buffer[1].tap_read || `A.gen_buffer[1].own_shortcut_read;
        reads[2] = `A.gen_buffer[2].tap_read || `A.gen_buffer[2].own_shortcut_read;
        reads[3] = `A.gen_buffer[3].tap_read || `A.gen_buffer[3].own_shortcut_read;
        operands = `A.operands_qq;
        weights = `A.weights;
        pool_x = `A.u_pool.x_q;
        sum = `A.u_lanes.gen_element[0].u_element.sum;
        place = `A.shortcut_place;
        bank = `A.shortcut_bank_q;
        record = `A.affine_word;
        data_0 = `A.buffer_data[0];
        data_1 = `A.buffer_data[1];
        data_2 = `A.buffer_data[2];
        data_3 = `A.buffer_data[3];
    end
endmodule
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("idle") / "rtl"
    architecture = Architecture(in_lanes=SIZES["IN_LANES"], out_lanes=SIZES["OUT_LANES"])
    print_design(quantized(every_node_network()), architecture, folder, vectors=1)
    (folder / "vectors" / "monitor.v").write_text(MONITOR)
    return folder


def play(folder: Path) -> list[str]:
    """What the testbench and the monitor print."""
    sources = [
        *sorted((folder / "vectors").glob("*.v")),
        *folder.glob("*.v"),
        *sorted((folder / "library").glob("*.v")),
    ]
    sizes = [f"-Pmonitor.{name}={value}" for name, value in SIZES.items()]
    command = ["iverilog", "-g2005", *sizes, "-o", "vectors/testbench.vvp", "-s", "testbench", "-s", "monitor"]
    subprocess.run([*command, *map(str, sources)], cwd=folder, check=True)
    run = subprocess.run(["vvp", "-n", "vectors/testbench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.splitlines()


def moved(lines: list[str]) -> set[str]:
    """What the monitor saw move, in a run that gave the right values."""
    assert lines[-1].startswith("PASS ")
    return {line.removeprefix("MOVED ") for line in lines if line.startswith("MOVED ")}


def test_what_has_nothing_to_do_does_not_move(design: Path) -> None:
    lines = play(design)
    assert moved(lines) == set()
    (seen,) = (line.split()[1:] for line in lines if line.startswith("SEEN "))
    assert all(int(count) > 10 for count in seen), seen


@pytest.mark.parametrize(
    ("what", "held", "loose"),
    [
        ("operands", "operands_qq <= doubled_operands;\n        end", "end\n operands_qq <= doubled_operands;"),
        ("weights", "assign weight_read = valid_q && !layer_pool;", "assign weight_read = 1'b1;"),
        ("dot_lanes", "layer_dot} << bit_q", "1'b1} << bit_q"),
        ("shortcut_place", ".step       (shortcut_read)", ".step       (issue && advance)"),
        ("shortcut_bank", "if (shortcut_read) begin", "if (issue && advance) begin"),
        ("pool", ".in_valid (valid_qq && layer_pool)", ".in_valid (valid_qq)"),
        ("lanes", ".in_valid      (valid_qq && !layer_pool)", ".in_valid      (valid_qq)"),
        ("affine", ".read_enable   (issue && advance)", ".read_enable   (1'b1)"),
    ],
)
def test_what_moves_is_seen(design: Path, tmp_path: Path, what: str, held: str, loose: str) -> None:
    folder = Path(shutil.copytree(design, tmp_path / "copy"))
    path = folder / "library" / "accelerator.v"
    text = path.read_text()
    assert text.count(held) == 1
    path.write_text(text.replace(held, loose))
    assert what in moved(play(folder))
