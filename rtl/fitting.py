"""A network for a design that is printed already: the program that its memories can be loaded with at run time."""

from __future__ import annotations

from collections.abc import Mapping

from quant.errors import BadInputError
from quant.integer_network import IntegerNetwork
from rtl.architecture import RESERVABLE, Architecture, Counters, LaneForm, MemoryStyle
from rtl.program import Program, compile_network


def architecture_of(parameters: Mapping[str, int]) -> Architecture:
    """The architecture of a printed design, everything it has reserved."""
    return Architecture(
        in_lanes=parameters["IN_LANES"],
        out_lanes=parameters["OUT_LANES"],
        drain_lanes=parameters["DRAIN_LANES"],
        tree_stages=parameters["TREE_STAGES"],
        lane_form=LaneForm.MIN if parameters["MIN_FORM"] else LaneForm.COMPLEMENT,
        weight_register=bool(parameters["WEIGHT_REGISTER"]),
        memory_style=list(MemoryStyle)[parameters["MEMORY_STYLE"]],
        counters=list(Counters)[parameters["COUNTERS"]],
        run_at_reset=bool(parameters["RUN_AT_RESET"]),
        split_dots=parameters["DOT_SPLIT"] > 0,
        reserve={name: parameters[name] for name in RESERVABLE if parameters[name] > 0},
    )


def program_for(network: IntegerNetwork, parameters: Mapping[str, int]) -> Program:
    """Compile a network for a printed design.

    Args:
        network: any integer network.
        parameters: the design's.

    Raises:
        BadInputError: when the network does not fit, with everything that is too small, by how much, and what to raise.
    """
    program = compile_network(network, architecture_of(parameters))
    short = [name for name in RESERVABLE if program.parameters[name] > parameters[name]]
    if short:
        missing = ", ".join(
            f"{program.parameters[name] - parameters[name]} more of {name} (it has {parameters[name]})"
            for name in short
        )
        options = " ".join(f"--reserve {name}={program.parameters[name]}" for name in short)
        raise BadInputError(
            f"network {network.name} must fit the design, not need {missing}; print the design with {options}"
        )
    assert program.parameters == dict(parameters)
    return program
