"""The plain Verilog testbench passes on what was printed, and fails, with an end, on anything else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from networks import every_node_network, quantized

from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture
from rtl.descriptor import DESCRIPTOR_WORDS, Descriptor
from rtl.design import load_design
from rtl.generator import print_design

IMAGES = 2


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return quantized(every_node_network())


@pytest.fixture(scope="module")
def design(network: IntegerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("testbench") / "rtl"
    print_design(network, Architecture(in_lanes=3, out_lanes=4), folder, vectors=IMAGES)
    return folder


@pytest.fixture
def copied(design: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(design, tmp_path / "copy"))


def play(folder: Path, *options: str) -> str:
    """What the testbench prints last, run as its header says."""
    sources = [*sorted(folder.glob("*.v")), *sorted((folder / "library").glob("*.v"))]
    command = ["iverilog", "-g2005", *options, "-o", "vectors/testbench.vvp", "-s", "testbench", "vectors/testbench.v"]
    built = subprocess.run([*command, *map(str, sources)], cwd=folder, check=True, capture_output=True, text=True)
    assert built.stdout + built.stderr == ""
    run = subprocess.run(["vvp", "-n", "vectors/testbench.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    return run.stdout.splitlines()[-1]


def flip_bit(path: Path, line: int, bit: int) -> None:
    lines = path.read_text().splitlines()
    lines[line] = f"{int(lines[line], 16) ^ 1 << bit:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


def test_what_was_printed_passes(design: Path, network: IntegerNetwork) -> None:
    sizes = {"image": 2 * 9 * 7}
    for node in network:
        shape = network.shapes[node.name]
        sizes[node.name] = 1
        for size in shape:
            sizes[node.name] *= size
    traced = IMAGES * sum(sizes[node.name] for node in network.layers)
    assert play(design).startswith(f"PASS {IMAGES} images, {traced} values, ")
    assert len((design / "vectors" / "stimulus.mem").read_text().split()) == IMAGES * sizes["image"]
    assert len((design / "vectors" / "expected.mem").read_text().split()) == traced


@pytest.mark.parametrize("line", [0, -2])
def test_a_flipped_bit_of_a_weight_fails(copied: Path, line: int) -> None:
    path = copied / "memory" / "weights.mem"
    # The highest bit of input lane 0 of output lane 0. (Not every bit shows: min(x, w) hides those above every x.)
    flip_bit(path, line, 7)
    assert play(copied).startswith("FAIL ")


def test_a_flipped_bit_of_an_affine_constant_fails(copied: Path) -> None:
    constant_bits = load_design(copied)[0].parameters["CONST_BITS"]
    # The logits are not clamped, so a high bit of their constant shows.
    flip_bit(copied / "memory" / "affine.mem", -1, constant_bits - 2)
    assert play(copied).startswith("FAIL ")


def test_a_flipped_bit_of_an_expected_value_fails(copied: Path) -> None:
    flip_bit(copied / "vectors" / "expected.mem", -1, 0)
    assert play(copied).startswith("FAIL 1 of ")


def test_a_damaged_descriptor_ends_the_run(copied: Path) -> None:
    flip_bit(copied / "memory" / "descriptors.mem", DESCRIPTOR_WORDS + 3, 0)
    assert play(copied, "-Ptestbench.IDLE_LIMIT=500").startswith("FAIL 0 of 0 values differ, 0 of ")


def test_a_design_that_stops_ends_the_run(copied: Path) -> None:
    path = copied / "memory" / "descriptors.mem"
    lines = path.read_text().split()
    length = list(Descriptor.__dataclass_fields__).index("load_length")
    # The first descriptor waits for more codes than the image has, of both images and beyond.
    values = int(lines[length], 16)
    lines[length] = f"{4 * values:08x}"
    check = DESCRIPTOR_WORDS - 1
    lines[check] = f"{int(lines[check], 16) - 3 * values & 0xFFFFFFFF:08x}"
    assert len(lines) % DESCRIPTOR_WORDS == 0
    path.write_text("\n".join(lines) + "\n")
    assert play(copied, "-Ptestbench.IDLE_LIMIT=500").startswith("FAIL 0 of 0 values differ, 0 of ")
