"""The report page's own parts: what has run is told, what has not is left out."""

from __future__ import annotations

import re
from typing import Any

from networks import quantized, small_lenet

from hwadder.page import introduction, sections
from hwadder.results import synthesis_json
from rtl.architecture import Architecture
from rtl.nextpnr import ClockRate, Outcome
from rtl.program import compile_network
from rtl.synthesis import CellArea, Gates, Memory, Resources, Synthesis, Target

NETWORK = quantized(small_lenet())
EVALUATION: dict[str, Any] = {"kind": "float", "accuracy": 0.986, "correct": 986, "images": 1000}
ROW = {"layer": "conv1", "type": "adder Conv2d", "bits": 8, "clip": 3.6, "weights_clipped": 0.5, "sqnr_db": 46.7}
QUANTIZATION: dict[str, Any] = {
    "model": "lenet5",
    "data": "mnist",
    "bits": 8,
    "sha256": "ab" * 32,
    "layers": [
        {**ROW, "accumulator_bits": 14, "affine_bits": 25, "shift": 14},
        {**ROW, "layer": "pool", "sqnr_db": None, "accumulator_bits": None, "affine_bits": None, "shift": None},
    ],
    "evaluation": {**EVALUATION, "correct": 985, "accuracy": 0.985},
}
DESIGN: dict[str, Any] = {
    "top": "hwadder_small_lenet",
    "parameters": compile_network(NETWORK, Architecture(in_lanes=3, out_lanes=5)).parameters,
    "clocks_per_image": 400,
    "layers": [
        {"node": "conv1", "channels": 3, "clocks": 300},
        {"node": "fc2", "channels": 4, "clocks": 100},
    ],
}
SIMULATION: dict[str, Any] = {
    "simulator": "Icarus Verilog 11.0",
    "images": 2,
    "layers": 7,
    "values_compared": 13_140,
    "mismatches": 0,
    "cycles_per_image": 3287.5,
    "mismatch": None,
    "waveform": "out/waves.fst",
}


def test_all_steps() -> None:
    figures, parts = sections(NETWORK, EVALUATION, QUANTIZATION, DESIGN, SIMULATION)
    assert [(figure.value, figure.label) for figure in figures] == [
        ("98.60%", "float accuracy"),
        ("98.50%", "integer accuracy"),
        ("3,288", "cycles per image"),
        ("0", "mismatches"),
    ]
    quantization, simulation, hardware = parts
    assert quantization.tables[0].rows[1][5] == "exact"
    assert quantization.pictures[0].svg.count("conv1") > 0
    assert "13,140 values, all equal." in simulation.paragraphs[0]
    assert "3 x 5 = 15 minimum lanes" in hardware.paragraphs[0]
    assert hardware.tables[2].rows == (("conv1", "3", "300", "75.0%"), ("fc2", "4", "100", "25.0%"))
    assert introduction(QUANTIZATION, DESIGN, SIMULATION) == (
        "lenet5 trained on mnist, quantized to 8 bits. Printed as Verilog with 3 x 5 lanes. "
        "Simulated against the golden integer model, every layer in every value."
    )


def test_steps_that_have_not_run_are_left_out() -> None:
    figures, parts = sections(NETWORK, None, QUANTIZATION, None, None)
    assert [figure.label for figure in figures] == ["integer accuracy"]
    assert [part.title for part in parts] == ["Quantization, layer by layer"]
    assert introduction(QUANTIZATION, None, None) == "lenet5 trained on mnist, quantized to 8 bits."


def test_a_mismatch_is_told_in_its_sentence() -> None:
    mismatch = {"image": 1, "layer": "conv1", "channel": 2, "row": 3, "column": 4}
    mismatch = {**mismatch, "expected": 5, "actual": 6, "waveform": "waves.fst"}
    _, parts = sections(NETWORK, None, QUANTIZATION, None, {**SIMULATION, "mismatches": 1, "mismatch": mismatch})
    assert "but layer conv1 must equal the golden model, not differ in image 1 at channel 2" in parts[1].paragraphs[0]


def test_memory_sizes_are_words_times_width() -> None:
    _, parts = sections(NETWORK, None, QUANTIZATION, DESIGN, None)
    for row in parts[1].tables[0].cells:
        _, words, bits, size_kib = (re.sub(",", "", cell.text) for cell in row)
        assert size_kib == f"{int(words) * int(bits) / 8 / 1024:.1f}"


SYNTHESIS = synthesis_json(
    Synthesis(
        "hwadder_small_lenet",
        0,
        (Memory("weights", 100, 64), Memory("codes", 10, 8)),
        Gates({"$_NAND_": 1000}, 4000, 20),
        CellArea("cells.lib", {"NAND2": 1000}, 7000.25, 500.0, 7.0),
        (
            Resources(Target.XC7, 2000, 300, 2.5, 4, 50, 0, {}),
            Resources(Target.ECP5, 3000, 300, 4, 4, 50, 0, {}, ClockRate("A", Outcome.ROUTED, 34.28, None)),
            Resources(
                Target.ICE40, 9000, 300, 40, 0, 50, 0, {}, ClockRate("B", Outcome.DOES_NOT_FIT, reason="40 RAM of 32")
            ),
        ),
    )
)


def test_a_synthesis_is_the_last_section() -> None:
    _, parts = sections(NETWORK, None, QUANTIZATION, DESIGN, None, SYNTHESIS)
    assert [part.title for part in parts] == ["Quantization, layer by layer", "Hardware", "Synthesis"]
    chip, fpga = parts[-1].tables
    assert chip.rows == (
        ("logic, gate equivalents", "1,000"),
        ("flip-flops among them", "20"),
        ("logic area in cells.lib, in the library's unit", "7,000.2"),
        ("flip-flops' part of it", "500.0"),
        ("logic area in NAND2", "1,000"),
        ("memory bits, not in the logic", "6,480"),
    )
    assert chip.caption.startswith("As a chip. 1 gate equivalent = 1 NAND2 = 4 transistors")
    assert fpga.rows == (
        ("Xilinx 7-series", "2,000", "300", "2.5", "4", "50", "0", "not asked for"),
        ("Lattice ECP5", "3,000", "300", "4", "4", "50", "0", "34.3 MHz (A)"),
        ("Lattice iCE40", "9,000", "300", "40", "0", "50", "0", "does not fit: 40 RAM of 32 (B)"),
    )


def test_targets_that_were_not_asked_for_are_left_out() -> None:
    _, parts = sections(NETWORK, None, QUANTIZATION, None, None, {**SYNTHESIS, "fpga": [], "area": None})
    assert [[row[0] for row in table.rows] for table in parts[-1].tables] == [
        ["logic, gate equivalents", "flip-flops among them", "memory bits, not in the logic"]
    ]
    _, parts = sections(NETWORK, None, QUANTIZATION, None, None, {**SYNTHESIS, "gates": None, "area": None})
    assert [table.headings[0] for table in parts[-1].tables] == ["family"]
