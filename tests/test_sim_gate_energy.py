"""Energy of a netlist's changes against sums worked by hand, in fractions of a femtojoule."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cell_library import LIBERTY, cell, module, write_library

from quant.errors import BadInputError
from rtl.gate_netlist import netlist_of
from rtl.liberty import CellLibrary
from sim.gate_activity import GateActivity
from sim.gate_energy import Delay, SwitchedEnergy, gate_delays, leakage_fj, switched_energy


def activity(library: CellLibrary) -> GateActivity:
    """y = ~(a & ~a) into a flip-flop's D, and ~a into another's.

    clock      0 1 2 3 4
    a    net 2 0 1 0 1 1
    ~a   net 3 1 0 1 0 0
    y    net 4 1 1 1 1 1
    q(y) net 5 x 1 1 1 1   (0 before the first clock; clocks 2 to 4 count)
    q(~a)net 6 x 1 0 1 0
    """
    netlist = netlist_of(
        module(
            {"clk": [9], "a": [2]},
            cell("NANDX", A=2, B=3, Y=4),
            cell("INVX", A=2, Y=3),
            cell("DFFX", CK=9, D=4, Q=5),
            cell("DFFX", CK=9, D=3, Q=6),
        ),
        library,
    )
    return GateActivity(netlist, {"a": [0b11010]}, 0b11100, 5)


HALF_SQUARE = Fraction(4, 2)
"""1/2 V^2 of 2 V: femtojoules a femtofarad."""
# In clocks 2, 3, 4: a falls, rises, stays; ~a rises, falls, stays; q(~a) falls, rises, falls; y and q(y) stay.
LOAD_A, LOAD_NOT_A, LOAD_Y = 2 + 1, 2 + 4, 4
PINS = HALF_SQUARE * (2 * LOAD_A + 2 * LOAD_NOT_A)
# The inverter's rise and fall; two falls and a rise of a flip-flop's output; its D, which moves while the clock is 1.
INSIDE = Fraction(4 + 5) + (2 * 30 + 20) + (2 + 3)
# Both clock pins: C V^2. Rising edges see Q before them: q(y) 1 1 1, q(~a) 1 0 1. Falling ones see the new Q.
EDGES = 3 * 2 * Fraction(1, 2) * 4
RISING = 3 * Fraction(1, 2) + 2 * Fraction(1, 2) + Fraction(1, 8)
FALLING = 3 * Fraction(1, 4) + Fraction(1, 4) + 2 * Fraction(1, 16)
CLOCK = EDGES + RISING + FALLING


def test_without_glitches(tmp_path: Path) -> None:
    library = write_library(tmp_path)
    energy = switched_energy(activity(library), library, Delay.ZERO)
    assert energy == SwitchedEnergy(float(PINS), float(INSIDE), float(CLOCK), 2 + 2 + 3)
    assert energy.total_fj == PINS + INSIDE + CLOCK


def test_a_glitch(tmp_path: Path) -> None:
    """When a rises (clock 3), y falls and rises: its load twice, the NAND inside, and D of the flip-flop."""
    library = write_library(tmp_path)
    energy = switched_energy(activity(library), library, Delay.UNIT)
    pins = PINS + HALF_SQUARE * 2 * LOAD_Y
    assert energy == SwitchedEnergy(float(pins), float(INSIDE + 6 + 8 + 2 + 3), float(CLOCK), 2 + 2 + 3 + 2)


def test_a_pulse_shorter_than_its_gate(tmp_path: Path) -> None:
    """The inverter takes 10 ps, the NAND 30 ps."""
    library = write_library(tmp_path)
    played = activity(library)
    assert gate_delays(played.netlist, library, Delay.LIBRARY) == {4: 3, 3: 1}
    assert switched_energy(played, library, Delay.LIBRARY) == switched_energy(played, library, Delay.ZERO)


def test_leakage_of_a_clock(tmp_path: Path) -> None:
    """2 + 1 + 8 + 8 nW for 10 ns are 0.19 fJ."""
    netlist = activity(write_library(tmp_path)).netlist
    assert Fraction(leakage_fj(netlist, 100)).limit_denominator(1000) == Fraction(19, 100)


def test_arcs_of_one_pin_are_averaged(tmp_path: Path) -> None:
    """Rises of the inverter: 4 for A = 1 (its two arcs 3 and 5), the arc of the other states left out, and 10 for B."""
    arcs = "".join(
        f'internal_power () {{ related_pin : "{pin}"; {when} rise_power (scalar) {{ values ("{rise}"); }} '
        'fall_power (scalar) { values ("0"); } } '
        for pin, when, rise in (("A", 'when : "A";', 3), ("A", 'when : "!A";', 5), ("A", "", 100), ("B", "", 10))
    )
    start = LIBERTY.index("internal_power", LIBERTY.index("INVX"))
    library = write_library(tmp_path, LIBERTY[:start] + arcs + LIBERTY[LIBERTY.index("timing", start) :])
    netlist = netlist_of(module({"a": [2]}, cell("INVX", A=2, Y=3)), library)
    played = GateActivity(netlist, {"a": [0b011]}, 0b110, 3)
    assert switched_energy(played, library, Delay.ZERO).internal_fj == Fraction(3 + 5 + 10, 3)


def without(word: str) -> str:
    """The library without groups of a name, which only ever hold tables."""
    text = LIBERTY
    while word in text:
        start = end = text.index(word)
        depth = 0
        while depth or text[end] != "}":
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
            if text[end - 1] == "}" and depth == 0:
                break
        text = text[:start] + text[end:]
    return text


def test_a_library_without_energies_or_delays(tmp_path: Path) -> None:
    library = write_library(tmp_path, without("internal_power"))
    energy = switched_energy(activity(library), library, Delay.ZERO)
    assert (library.has_energies, library.has_delays) == (False, True)
    assert energy == SwitchedEnergy(float(PINS), 0, float(EDGES), 7)
    library = write_library(tmp_path, without("timing ()"))
    assert (library.has_energies, library.has_delays) == (True, False)
    with pytest.raises(BadInputError) as caught:
        switched_energy(activity(library), library, Delay.LIBRARY)
    assert str(caught.value) == f"cell library must hold delays, not leave them out: {tmp_path}/five.lib"
