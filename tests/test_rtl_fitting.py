"""A network on a design that was printed for another one: it fits, or a sentence says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import quantized, small_lenet, small_resnet

from quant.errors import BadInputError
from rtl.architecture import RESERVABLE, Architecture, Counters, LaneForm, MemoryStyle
from rtl.driver import PARAMETERS
from rtl.fitting import architecture_of, program_for
from rtl.generator import print_design
from rtl.program import compile_network

ODD = Architecture(
    in_lanes=9,
    out_lanes=3,
    lane_form=LaneForm.COMPLEMENT,
    drain_lanes=2,
    tree_stages=1,
    memory_style=MemoryStyle.BLOCK,
    counters=Counters.TRAFFIC,
    run_at_reset=False,
)


@pytest.mark.parametrize("architecture", [Architecture(in_lanes=64, out_lanes=8), ODD], ids=["wide", "odd"])
def test_its_own_network_fits_exactly(architecture: Architecture) -> None:
    network = quantized(small_resnet())
    program = compile_network(network, architecture)
    again = program_for(network, program.parameters)
    assert again.parameters == program.parameters
    assert (again.descriptors, again.affine, again.signature) == (
        program.descriptors,
        program.affine,
        program.signature,
    )
    assert (again.weights == program.weights).all()


def test_parameters_are_those_that_the_registers_show() -> None:
    assert tuple(compile_network(quantized(small_lenet()), ODD).parameters) == PARAMETERS


def test_a_smaller_network_fits_and_leaves_the_rest_free() -> None:
    spare = {"CROSSINGS": 3, "CONST_BITS": 40, "IMAGE_DEPTH": 40}
    architecture = Architecture(in_lanes=16, out_lanes=4, reserve=spare)
    large = compile_network(quantized(small_resnet()), architecture)
    program = program_for(quantized(small_lenet(), 4), large.parameters)
    assert program.parameters == large.parameters
    assert len(program.weights) < large.parameters["WEIGHT_DEPTH"]


def test_what_is_missing_is_named_with_what_to_raise() -> None:
    architecture = Architecture(in_lanes=4, out_lanes=4)
    small = compile_network(quantized(small_lenet(), 8), architecture).parameters
    large = compile_network(quantized(small_resnet(), 8), architecture).parameters
    with pytest.raises(BadInputError) as caught:
        program_for(quantized(small_resnet(), 8), small)
    sentence = str(caught.value)
    words = large["WEIGHT_DEPTH"] - small["WEIGHT_DEPTH"]
    assert sentence.startswith("network small resnet must fit the design, not need ")
    assert f"{words} more of WEIGHT_DEPTH (it has {small['WEIGHT_DEPTH']})" in sentence
    assert f"--reserve WEIGHT_DEPTH={large['WEIGHT_DEPTH']}" in sentence


def test_what_is_reserved_is_what_was_missing(tmp_path: Path) -> None:
    lenet, resnet = quantized(small_lenet(), 8), quantized(small_resnet(), 8)
    plain = Architecture(in_lanes=4, out_lanes=4)
    need = compile_network(resnet, plain).parameters
    roomy = Architecture(in_lanes=4, out_lanes=4, reserve={name: need[name] for name in RESERVABLE if need[name]})
    design = print_design(lenet, roomy, tmp_path / "rtl")
    assert program_for(resnet, design.parameters).parameters == design.parameters
    assert all(design.parameters[name] >= need[name] for name in RESERVABLE)


def test_a_design_without_split_dots_runs_them_in_more_passes() -> None:
    network = quantized(small_resnet())
    wide = Architecture(in_lanes=64, out_lanes=8)
    split = compile_network(network, wide)
    assert split.parameters["DOT_SPLIT"] == 4
    whole = Architecture(in_lanes=64, out_lanes=8, split_dots=False)
    assert compile_network(network, whole).parameters["DOT_SPLIT"] == 0
    assert not architecture_of(compile_network(network, whole).parameters).split_dots


@pytest.mark.parametrize(
    ("reserve", "sentence"),
    [
        ({"IN_LANES": 3}, "reserved parameter must be one of CODE_BITS, "),
        ({"WEIGHT_DEPTH": 0}, "reserved WEIGHT_DEPTH must be 1 to 1073741824, not 0"),
        ({"CODE_BITS": 9}, "reserved CODE_BITS must be 1 to 8, not 9"),
    ],
)
def test_what_cannot_be_reserved(reserve: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"^{sentence}"):
        Architecture(reserve=reserve)
