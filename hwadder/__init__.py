"""hwadder: from a trained AdderNet to integers, to Verilog proven bit for bit in simulation, to an energy report.

The command line's verbs are functions here: `doctor train evaluate quantize rtl simulate energy flow`; the torch layers
are `Adder2d` and `AdderLinear`. They load on first use, since torch takes seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FACE = {
    "Adder2d": "hwadder.layers",
    "AdderLinear": "hwadder.layers",
    "doctor": "hwadder.verbs",
    "energy": "hwadder.verbs",
    "evaluate": "hwadder.verbs",
    "quantize": "hwadder.verbs",
    "rtl": "hwadder.verbs",
    "simulate": "hwadder.verbs",
    "train": "hwadder.verbs",
    "flow": "hwadder.chain",
}
__all__ = list(_FACE)


def __getattr__(name: str) -> Any:
    if name not in _FACE:
        raise AttributeError(f"module hwadder has no attribute {name!r}")
    value = getattr(import_module(_FACE[name]), name)
    globals()[name] = value
    return value
