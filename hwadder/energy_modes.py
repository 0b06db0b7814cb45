"""What `hwadder energy` can be asked for, and which of its options each of these takes."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from hwadder.cli_options import ARCHITECTURE_NAMES, PRICING_NAMES
from quant.errors import BadInputError


class EnergyMode(enum.Enum):
    """The option that asks for it; earlier ones are looked for first."""

    GATES = "--gates"
    PUBLISHED = "--published"
    LIST_UNKNOWN = "--list-unknown"
    ACCELERATOR = "--accelerator"
    ARITHMETIC = ""
    """What is done without any of them."""


GATE_NAMES = ("liberty", "layers", "windows", "window_words", "clock_mhz", "array")
_MODEL = ("input_shape", "classes")
_REPORT = ("precision", *PRICING_NAMES, "html", "markdown", "csv")
_IMAGES = ("data", "images")

TAKEN = {
    EnergyMode.GATES: ("gates", *GATE_NAMES, *_IMAGES, *ARCHITECTURE_NAMES),
    EnergyMode.PUBLISHED: ("published",),
    EnergyMode.LIST_UNKNOWN: ("list_unknown", *_MODEL),
    EnergyMode.ACCELERATOR: ("accelerator", *_REPORT, *_IMAGES, *ARCHITECTURE_NAMES),
    EnergyMode.ARITHMETIC: (*_REPORT, *_MODEL),
}
"""Options by the names of their parameters; `--json` goes with all."""


def chosen_mode(given: Mapping[str, str]) -> EnergyMode:
    """The mode that the options on the command line ask for, which must take each of them.

    `given` has their spelling by the name of their parameter. Raises BadInputError.
    """
    spelled = given.values()
    mode = next((mode for mode in EnergyMode if mode.value in spelled), EnergyMode.ARITHMETIC)
    for name, option in given.items():
        if name in (*TAKEN[mode], "as_json"):
            continue
        if mode is EnergyMode.ARITHMETIC:
            takers = " or ".join(each.value for each, taken in TAKEN.items() if name in taken)
            raise BadInputError(f"option {option} must be given with {takers}, not alone")
        raise BadInputError(f"option {option} must be left out with {mode.value}, not given")
    if mode is EnergyMode.ACCELERATOR and "images" in given and "data" not in given:
        raise BadInputError("option --images must be given with --data, not alone")
    return mode
