"""Energy of a mapped netlist's changes: the charge of the pins that a net drives, and what cells take inside.

Femtojoules of a change of a net:

    pins       1/2 C V^2, C of the input pins that it drives, V the library's voltage
    internal   the library's `internal_power` of the output pin that drives it, rise or fall, at a nominal input slew
               and the load C: the mean of the pin's arcs (of a flip-flop, of those from the clock); and that of an
               input pin that it drives, in the state that the library names

Of a clock, for each flip-flop:

    clock      C V^2 of its clock pin, which rises and falls, and the pin's `internal_power` for both edges, in the
               state before the edge and in the one that logic settled in: it settles while the clock is high

Wires have no capacitance, the clock has no tree, and a glitch counts as a whole swing.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from quant.errors import BadInputError
from rtl.boolean_expression import BooleanExpression
from rtl.gate_netlist import GateNetlist, Instance, Net
from rtl.liberty import Arc, CellLibrary, Pin
from sim.gate_activity import GateActivity, Step

SLEW_NS = 0.05
"""Nominal input slew of every cell."""
TIME_STEP_NS = 0.01
"""To which delays of the library are rounded."""


class Delay(enum.StrEnum):
    """What a gate waits before its output changes."""

    ZERO = "zero"
    LIBRARY = "library"
    UNIT = "unit"


@dataclass(frozen=True, slots=True)
class SwitchedEnergy:
    """Femtojoules over some clocks: at pins, inside cells, at clock pins and what flip-flops take for the clock.

    `changes` counts those of nets that a gate, a flip-flop or a port drives.
    """

    pins_fj: float
    internal_fj: float
    clock_fj: float
    changes: int

    @property
    def total_fj(self) -> float:
        """All of it."""
        return self.pins_fj + self.internal_fj + self.clock_fj


@dataclass(frozen=True, slots=True)
class _PinArc:
    """A change of an input pin that costs energy inside its cell, in a state of nets; None for any."""

    net: Net
    states: tuple[tuple[tuple[Net, ...], BooleanExpression], ...]
    excluded: bool
    rise_fj: float
    fall_fj: float


def switched_energy(
    activity: GateActivity, library: CellLibrary, delay: Delay, *, slew_ns: float = SLEW_NS
) -> SwitchedEnergy:
    """Energy of the counted clocks.

    Raises BadInputError when delays of the library are asked for and it has none.
    """
    netlist = activity.netlist
    if delay is Delay.ZERO:
        steps: Iterable[Step] = (activity.settled(),)
    else:
        steps = activity.steps(gate_delays(netlist, library, delay, slew_ns))
    rise_fj, fall_fj = _output_energies(netlist, slew_ns)
    arcs: dict[Net, list[_PinArc]] = {}
    for arc in _input_arcs(netlist, slew_ns):
        arcs.setdefault(arc.net, []).append(arc)
    half_square = library.voltage_v**2 / 2
    pins = internal = 0.0
    changes = 0
    for step in steps:
        for net, change in step.changes.items():
            counted = change & activity.counted
            value = step.values[net]
            count, rises = counted.bit_count(), (counted & value).bit_count()
            changes += count
            pins += count * netlist.load_ff.get(net, 0.0) * half_square
            internal += rises * rise_fj.get(net, 0.0) + (count - rises) * fall_fj.get(net, 0.0)
            for arc in arcs.get(net, []):
                here = counted & _holds(arc, step.values, activity.everything)
                internal += (here & value).bit_count() * arc.rise_fj + (here & ~value).bit_count() * arc.fall_fj
    return SwitchedEnergy(pins, internal, _clock_energy(activity, library, slew_ns), changes)


def gate_delays(netlist: GateNetlist, library: CellLibrary, delay: Delay, slew_ns: float = SLEW_NS) -> dict[int, int]:
    """Delay of each gate by its output, in steps: 1, or the mean of the pin's arcs in `TIME_STEP_NS`, at least 1."""
    if delay is Delay.LIBRARY and not library.has_delays:
        raise BadInputError(f"cell library must hold delays, not leave them out: {library.path}")
    result = {}
    for instance in netlist.instances:
        if instance.cell.flip_flop is None:
            for name, pin in instance.cell.outputs.items():
                net = instance.nets[name]
                assert isinstance(net, int)
                result[net] = 1
                if delay is Delay.LIBRARY and pin.delays:
                    rise_ns, fall_ns = _mean(pin.delays, slew_ns, netlist.load_ff.get(net, 0.0))
                    result[net] = max(1, round((rise_ns + fall_ns) / 2 / TIME_STEP_NS))
    return result


def leakage_fj(netlist: GateNetlist, clock_mhz: float) -> float:
    """Femtojoules that leak in a clock: nanowatts by megahertz."""
    return netlist.leakage_nw / clock_mhz


def _mean(arcs: Sequence[Arc], slew_ns: float, load_ff: float) -> tuple[float, float]:
    """Mean of rise and of fall over the arcs; one without a state counts where its pin has no other."""
    named = {arc.related_pin for arc in arcs if arc.when is not None}
    kept = [arc for arc in arcs if arc.when is not None or arc.related_pin not in named]
    return (
        statistics.fmean(arc.rise.at(slew_ns, load_ff) for arc in kept),
        statistics.fmean(arc.fall.at(slew_ns, load_ff) for arc in kept),
    )


def _output_energies(netlist: GateNetlist, slew_ns: float) -> tuple[dict[Net, float], dict[Net, float]]:
    rise_fj: dict[Net, float] = {}
    fall_fj: dict[Net, float] = {}
    for instance in netlist.instances:
        flip_flop = instance.cell.flip_flop
        for name, pin in instance.cell.outputs.items():
            arcs = [arc for arc in pin.energies if flip_flop is None or arc.related_pin == flip_flop.clock]
            if arcs:
                net = instance.nets[name]
                rise_fj[net], fall_fj[net] = _mean(arcs, slew_ns, netlist.load_ff.get(net, 0.0))
    return rise_fj, fall_fj


def _pin_arcs(instance: Instance, pin: Pin, nets: Mapping[str, Net], slew_ns: float) -> Iterator[_PinArc]:
    """Arcs of an input pin; one without a state stands for the states that the others do not name."""

    def state(expression: BooleanExpression) -> tuple[tuple[Net, ...], BooleanExpression]:
        return tuple(nets[each] for each in expression.pins), expression

    named = tuple(state(arc.when) for arc in pin.energies if arc.when is not None)
    for arc in pin.energies:
        states = named if arc.when is None else (state(arc.when),)
        yield _PinArc(
            instance.nets[pin.name], states, arc.when is None, arc.rise.at(slew_ns, 0.0), arc.fall.at(slew_ns, 0.0)
        )


def _input_arcs(netlist: GateNetlist, slew_ns: float) -> Iterator[_PinArc]:
    """Arcs of all input pins but clocks, which are 1 when logic changes."""
    for instance in netlist.instances:
        clock = None if instance.cell.flip_flop is None else instance.cell.flip_flop.clock
        nets = instance.nets if clock is None else {**instance.nets, clock: "1"}
        for name, pin in instance.cell.inputs.items():
            if name != clock:
                yield from _pin_arcs(instance, pin, nets, slew_ns)


def _holds(arc: _PinArc, values: Mapping[Net, int], everything: int) -> int:
    """The clocks in which an arc's state holds."""
    found = 0
    for nets, expression in arc.states:
        found |= expression.evaluate([values[net] for net in nets], everything)
    return everything ^ found if arc.excluded else found


def _clock_energy(activity: GateActivity, library: CellLibrary, slew_ns: float) -> float:
    """The edges of all flip-flops' clock pins in the counted clocks."""
    before = {net: activity.before(net) for net in activity.values}
    before["1"] = activity.everything
    clocks = activity.counted.bit_count()
    total = 0.0
    for instance in activity.netlist.instances:
        flip_flop = instance.cell.flip_flop
        if flip_flop is not None and flip_flop.clock is not None:
            pin = instance.cell.inputs[flip_flop.clock]
            total += clocks * pin.capacitance_ff * library.voltage_v**2
            # A state may name the clock itself: its level behind the edge.
            for arc in _pin_arcs(instance, pin, {**instance.nets, pin.name: "1"}, slew_ns):
                total += (_holds(arc, before, activity.everything) & activity.counted).bit_count() * arc.rise_fj
            for arc in _pin_arcs(instance, pin, {**instance.nets, pin.name: "0"}, slew_ns):
                total += (
                    _holds(arc, activity.values, activity.everything) & activity.counted
                ).bit_count() * arc.fall_fj
    return total
