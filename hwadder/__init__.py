"""hwadder: from a trained AdderNet to integers, to Verilog proven bit for bit in simulation, to an energy report.

The command line's verbs are functions here: `doctor train evaluate quantize rtl pack profile simulate synth energy
compare export flow`; the torch layers are `Adder2d` and `AdderLinear`. They load on first use, since torch takes
seconds to import. No module of the package may bear the name of one of them: importing it would put the module in the
function's place.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwadder.chain import FlowOptions, FlowStep, flow
    from hwadder.layers import Adder2d, AdderLinear
    from hwadder.verbs import (
        compare,
        doctor,
        energy,
        evaluate,
        export,
        pack,
        profile,
        quantize,
        rtl,
        simulate,
        synth,
        train,
    )

__all__ = [
    "Adder2d",
    "AdderLinear",
    "FlowOptions",
    "FlowStep",
    "compare",
    "doctor",
    "energy",
    "evaluate",
    "export",
    "flow",
    "pack",
    "profile",
    "quantize",
    "rtl",
    "simulate",
    "synth",
    "train",
]
_CHAIN = {"FlowOptions", "FlowStep", "flow"}
_LAYERS = {"Adder2d", "AdderLinear"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module hwadder has no attribute {name!r}")
    home = "chain" if name in _CHAIN else "layers" if name in _LAYERS else "verbs"
    value = getattr(import_module(f"hwadder.{home}"), name)
    globals()[name] = value
    return value
