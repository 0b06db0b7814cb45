"""Printed designs: the same bytes every time, what they promise, any network's name, and no half of one ever."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from integer_networks import Chain
from networks import quantized, small_lenet

from quant import network_file
from quant.errors import BadInputError
from quant.float_network import Kind
from quant.integer_network import Flatten, IntegerNetwork
from rtl.architecture import Architecture, LaneForm, MemoryStyle
from rtl.generator import print_design, top_name
from rtl.library import LIBRARY_MODULES, module_source
from rtl.lint import lint
from rtl.program import compile_network
from rtl.synthesis import Target, synthesise

ARCHITECTURE = Architecture(in_lanes=3, out_lanes=2)


def small_network(name: str = "small", layer: str = "conv") -> IntegerNetwork:
    chain = Chain(1, 4, (2, 3, 3))
    chain.conv(layer, Kind.ADDER, 2, (2, 2))
    chain.conv("end", Kind.DOT, 2, (2, 2), bits=None)
    return IntegerNetwork(name, tuple(chain.nodes))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_network_prints_the_same_bytes(tmp_path: Path) -> None:
    network = quantized(small_lenet())
    print_design(network, ARCHITECTURE, tmp_path / "one", vectors=1)
    network_file.save(network, tmp_path / "network.hwn")
    print_design(network_file.load(tmp_path / "network.hwn"), ARCHITECTURE, tmp_path / "two", vectors=1)
    first, second = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert first == second
    assert first.keys() == {
        "hwadder_small_lenet.v",
        *(f"library/{module}.v" for module in LIBRARY_MODULES),
        *(f"memory/{name}.mem" for name in ("affine", "descriptors", "weights")),
        *(f"vectors/{name}" for name in ("expected.mem", "stimulus.mem", "testbench.v")),
        "design.json",
        "hwadder_small_lenet.core",
        "hwadder_small_lenet.f",
        "hwadder_small_lenet.h",
        "driver.py",
        *(f"packets/{name}" for name in ("affine.bin", "descriptors.bin", "weights.bin", "signature.txt")),
        "network.hwn",
    }
    assert all(first[f"library/{module}.v"] == module_source(module).read_bytes() for module in LIBRARY_MODULES)


def test_the_top_names_its_parameters_and_memories(tmp_path: Path) -> None:
    design = print_design(small_network(), ARCHITECTURE, tmp_path / "rtl")
    text = (tmp_path / "rtl" / "hwadder_small.v").read_text()
    settings = dict(re.findall(r"^        \.([A-Z_]+) +\((.*?)\)", text, re.MULTILINE))
    signature = settings.pop("SIGNATURE")
    assert signature == f"32'h{compile_network(small_network(), ARCHITECTURE).signature:08x}"
    files = {key: value for key, value in settings.items() if value.startswith('"')}
    assert {key: int(value) for key, value in settings.items() if key not in files} == design.parameters
    assert (design.parameters["IN_LANES"], design.parameters["OUT_LANES"], design.parameters["MIN_FORM"]) == (3, 2, 1)
    depths = {"DESCRIPTOR_FILE": "DESCRIPTOR_DEPTH", "WEIGHT_FILE": "WEIGHT_DEPTH", "AFFINE_FILE": "AFFINE_DEPTH"}
    assert files.keys() == depths.keys()
    for key, depth in depths.items():
        assert len((tmp_path / "rtl" / files[key].strip('"')).read_text().splitlines()) == design.parameters[depth]
    assert "//     1  conv: channels 0 to 1, 2 x 2\n//     2  end: channels 0 to 1, 1 x 1\n" in text


@pytest.mark.parametrize(("form", "flag"), [(LaneForm.MIN, 1), (LaneForm.COMPLEMENT, 0)])
def test_the_lane_form_is_a_parameter(tmp_path: Path, form: LaneForm, flag: int) -> None:
    design = print_design(small_network(), Architecture(in_lanes=2, out_lanes=2, lane_form=form), tmp_path / "rtl")
    assert design.parameters["MIN_FORM"] == flag


@pytest.mark.parametrize("form", LaneForm)
def test_tree_stages_are_a_parameter(tmp_path: Path, form: LaneForm) -> None:
    for stages in range(3):
        architecture = Architecture(in_lanes=5, out_lanes=2, lane_form=form, tree_stages=stages)
        design = print_design(small_network(), architecture, tmp_path / "rtl")
        assert design.parameters["TREE_STAGES"] == stages
        assert lint(design.source_files, design.top) == []


@pytest.mark.parametrize("stages", [-1, 3])
def test_tree_stages_out_of_range(stages: int) -> None:
    with pytest.raises(BadInputError, match=rf"^tree stages must be 0 to 2, not {stages}$"):
        Architecture(tree_stages=stages)


@pytest.mark.long
@pytest.mark.parametrize(
    ("style", "number"), [(MemoryStyle.AUTO, 0), (MemoryStyle.BLOCK, 1), (MemoryStyle.DISTRIBUTED, 2)]
)
def test_the_memory_style_is_a_parameter_of_every_memory(tmp_path: Path, style: MemoryStyle, number: int) -> None:
    """All is block RAM or nothing is; the front ends stay silent."""
    architecture = Architecture(in_lanes=2, out_lanes=2, memory_style=style)
    design = print_design(small_network(), architecture, tmp_path / "rtl")
    assert design.parameters["MEMORY_STYLE"] == number
    assert lint(design.source_files, design.top) == []
    if style is MemoryStyle.AUTO:
        return
    (filled,) = synthesise(design.source_files, design.top, [Target.ECP5], folder=design.folder).fpga
    memories = 4 * 2 + 3  # two banks for each of four buffers; weights, affine records, descriptors
    if style is MemoryStyle.BLOCK:
        assert (filled.block_rams >= memories, filled.lut_rams) == (True, 0)
    else:
        assert (filled.block_rams, filled.lut_rams > 0) == (0, True)


@pytest.mark.parametrize(
    ("name", "top"),
    [
        ("resnet-20", "hwadder_resnet_20"),
        ("Größe 4\n`include", "hwadder_Gr__e_4__include"),
        ("end\nmodule\\", "hwadder_end_module_"),
        ("", "hwadder_"),
    ],
)
def test_any_name_of_a_network_or_a_layer_prints_verilog(tmp_path: Path, name: str, top: str) -> None:
    network = small_network(name, layer="first\nendmodule `x ü\\")
    assert top_name(network) == top
    design = print_design(network, ARCHITECTURE, tmp_path / "rtl", vectors=1)
    assert design.top == top
    assert (tmp_path / "rtl" / f"{top}.v").read_bytes().isascii()
    assert lint(design.source_files, top) == []
    testbench = [*map(str, design.source_files), str(tmp_path / "rtl" / "vectors" / "testbench.v")]
    subprocess.run(["iverilog", "-g2005", "-Wall", "-o", "/dev/null", "-s", "testbench", *testbench], check=True)


def test_a_design_replaces_an_earlier_one_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "rtl"
    print_design(small_network(), ARCHITECTURE, folder, vectors=1)
    print_design(small_network("other"), ARCHITECTURE, folder)
    assert (folder / "hwadder_other.v").is_file()
    assert not (folder / "hwadder_small.v").exists()
    assert not (folder / "vectors").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["rtl"]


def test_a_network_that_cannot_be_lowered_leaves_the_earlier_design(tmp_path: Path) -> None:
    folder = tmp_path / "rtl"
    print_design(small_network(), ARCHITECTURE, folder)
    before = contents(folder)
    chain = Chain(1, 4, (2, 3, 3))
    chain.append(Flatten("flatten", "image"))
    with pytest.raises(BadInputError) as error:
        print_design(chain.network, ARCHITECTURE, folder)
    assert str(error.value) == (
        "output of network chain must be a map or a vector of one pixel, not a flattened map of shape (2, 3, 3)"
    )
    assert contents(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["rtl"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rtl"
    path.write_text("mine")
    with pytest.raises(BadInputError) as error:
        print_design(small_network(), ARCHITECTURE, path)
    assert str(error.value) == f"output folder must be a folder, not an existing file: {path}"
    assert path.read_text() == "mine"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    path = tmp_path / "file" / "rtl"
    with pytest.raises(BadInputError) as error:
        print_design(small_network(), ARCHITECTURE, path)
    # A file as a parent is refused to every user, root included.
    assert str(error.value) in {
        f"output {path} must be writable, not refused by the system ({reason})"
        for reason in ("Not a directory", "File exists")
    }
