"""A Liberty file of five cells whose figures are chosen for sums worked by hand."""

from __future__ import annotations

from pathlib import Path

from rtl.liberty import CellLibrary, read_liberty

POWER = 'rise_power (scalar) {{ values ("{rise}"); }} fall_power (scalar) {{ values ("{fall}"); }}'
# The mapper reads no delays without a slope.
DELAY = (
    "timing_sense : non_unate; "
    'cell_rise (scalar) {{ values ("{delay}"); }} cell_fall (scalar) {{ values ("{delay}"); }} '
    'rise_transition (scalar) {{ values ("0.01"); }} fall_transition (scalar) {{ values ("0.01"); }}'
)


def _gate(name: str, pins: str, function: str, capacitance: float, rise: float, fall: float, delay: float) -> str:
    inputs = " ".join(f"pin ({pin}) {{ direction : input; capacitance : {capacitance}; }}" for pin in pins)
    arc = f'internal_power () {{ related_pin : "A"; {POWER.format(rise=rise, fall=fall)} }}'
    arc += f' timing () {{ related_pin : "A"; {DELAY.format(delay=delay)} }}'
    return (
        f"  cell ({name}) {{ area : {len(pins) + 1}; cell_leakage_power : {len(pins)}; {inputs}\n"
        f'    pin (Y) {{ direction : output; function : "{function}"; {arc} }} }}\n'
    )


_CLOCK = (
    f'internal_power () {{ when : "Q"; {POWER.format(rise=0.5, fall=0.25)} }} '
    f"internal_power () {{ {POWER.format(rise=0.125, fall=0.0625)} }}"
)
_DATA = (
    f'internal_power () {{ when : "CK"; {POWER.format(rise=2, fall=3)} }} '
    f'internal_power () {{ when : "!CK"; {POWER.format(rise=70, fall=90)} }}'
)
LIBERTY = (
    "library (five) {\n"
    '  capacitive_load_unit (1, ff); voltage_unit : "1V"; time_unit : "1ns"; leakage_power_unit : "1nW";\n'
    "  nom_voltage : 2;\n"
    + _gate("INVX", "A", "A'", 1, 4, 5, 0.01)
    + _gate("BUFX", "A", "A", 1, 4, 5, 0.02)
    + _gate("NANDX", "AB", "(A B)'", 2, 6, 8, 0.03)
    + _gate("NORX", "AB", "!(A+B)", 3, 10, 12, 0.04)
    + "  cell (DFFX) { area : 16; cell_leakage_power : 8;\n"
    '    ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }\n'
    f"    pin (CK) {{ direction : input; clock : true; capacitance : 0.5; {_CLOCK} }}\n"
    f"    pin (D) {{ direction : input; capacitance : 4; {_DATA} }}\n"
    '    pin (Q) { direction : output; function : "IQ";\n'
    f'      internal_power () {{ related_pin : "CK"; {POWER.format(rise=20, fall=30)} }} }} }}\n'
    "}\n"
)


def write_library(folder: Path, text: str = LIBERTY) -> CellLibrary:
    """The library, read from a file in a folder."""
    path = folder / "five.lib"
    path.write_text(text, encoding="ascii")
    return read_liberty(path)


def cell(kind: str, **nets: int | str) -> dict[str, object]:
    """An instance as Yosys' JSON has it."""
    return {"type": kind, "connections": {pin: [net] for pin, net in nets.items()}}


def module(ports: dict[str, list[int | str]], *cells: dict[str, object]) -> dict[str, object]:
    """A flat module as Yosys' JSON has it."""
    return {
        "ports": {name: {"bits": bits} for name, bits in ports.items()},
        "cells": {f"u{index}": each for index, each in enumerate(cells)},
    }
