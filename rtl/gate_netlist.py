"""A design mapped to a cell library, as a netlist that can be evaluated: nets, gates in order, flip-flops, loads."""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import BadInputError
from rtl.boolean_expression import BooleanExpression
from rtl.liberty import CellLibrary, LibraryCell
from rtl.synthesis import elaboration
from rtl.yosys import YosysError, YosysTimeoutError, quoted, run_yosys, statistics_line

Net = int | str
"""A net of Yosys' JSON: its number, or "0", "1" or "x"."""


class Mapper(enum.StrEnum):
    """How Yosys' abc maps logic to cells: its own script, one that minimises area alone, and others.

    Less than their spread is no difference between two designs.
    """

    DEFAULT = "abc"
    AREA = "amap"
    EQUIVALENCES = "scorr, amap"
    CHOICES = "dch, map"
    REWRITING = "dc2, map"

    @property
    def script(self) -> str:
        """The option that chooses it."""
        return _SCRIPTS[self]


_SCRIPTS = {
    Mapper.DEFAULT: "",
    Mapper.AREA: "-script +strash;dch;amap",
    Mapper.EQUIVALENCES: "-script +strash;ifraig;scorr;dc2;strash;dch;amap,-m",
    Mapper.CHOICES: "-script +strash;dch;map,-a",
    Mapper.REWRITING: "-script +strash;dc2;dc2;dch,-f;map,-B,0.9;topo",
}


@dataclass(frozen=True, slots=True)
class Instance:
    """A cell of the netlist; an output that nothing reads has a net of its own."""

    cell: LibraryCell
    nets: Mapping[str, Net]

    def read(self, expression: BooleanExpression) -> tuple[Net, ...]:
        """The nets of an expression's pins."""
        return tuple(self.nets[pin] for pin in expression.pins)


@dataclass(frozen=True, slots=True)
class Gate:
    """A combinational output: a function of nets."""

    inputs: tuple[Net, ...]
    function: BooleanExpression
    output: int


@dataclass(frozen=True, slots=True)
class Register:
    """An output of a flip-flop: the function of nets that it takes each clock, or its inverse."""

    inputs: tuple[Net, ...]
    next_state: BooleanExpression
    output: int
    inverted: bool


@dataclass(frozen=True, slots=True)
class GateNetlist:
    """A mapped design.

    Attributes:
        ports: each port's nets, lowest first.
        instances: the cells.
        gates: in an order in which each stands behind those that it reads.
        registers: outputs of the flip-flops; all take their clock from one port.
        load_ff: capacitance of the pins that a net drives, clock pins apart; wires have none.
        area_um2: of the cells.
        leakage_nw: of the cells.
    """

    ports: Mapping[str, tuple[Net, ...]]
    instances: tuple[Instance, ...]
    gates: tuple[Gate, ...]
    registers: tuple[Register, ...]
    load_ff: Mapping[Net, float]
    area_um2: float
    leakage_nw: float


def map_design(
    sources: Sequence[Path],
    top: str,
    parameters: Mapping[str, int],
    library: CellLibrary,
    *,
    mapper: Mapper = Mapper.DEFAULT,
    booth: bool = False,
    time_limit_s: float,
) -> GateNetlist:
    """Map a design to the cells of a library.

    Args:
        sources: every Verilog file of the design.
        top: name of the top module.
        parameters: of the top module, where they differ from its own.
        library: the cells.
        mapper: how.
        booth: multiplications become Booth multipliers (Yosys' pass `booth`).
        time_limit_s: seconds until it is ended.

    Raises:
        BadInputError: Yosys refuses the design or the library, takes longer than the limit, or maps to a cell that is
            not evaluated (a latch, a flip-flop that falls or that is reset at any time, a loop).
        MissingToolError: without the Python package pyosys.
    """
    liberty = quoted(library.path.resolve())
    script = [
        *elaboration(sources, top, parameters),
        f"synth{' -booth' if booth else ''} -run coarse:check",
        *(f"dfflibmap -liberty {liberty}", "opt_clean"),
        *(f"abc -liberty {liberty} {mapper.script}".rstrip(), "opt_clean -purge"),
        statistics_line("area", f"-liberty {liberty}"),
        "write_json netlist.statistics.json",
    ]
    try:
        run = run_yosys(script, time_limit_s=time_limit_s)
    except YosysError as error:
        raise BadInputError(f"design {top} must map to {library.path.name}, not fail with: {error}") from error
    except YosysTimeoutError as error:
        raise BadInputError(
            f"mapping of {top} to {library.path.name} must end within {time_limit_s:g} s, not run on"
        ) from error
    (module,) = (each for name, each in run.statistics["netlist"]["modules"].items() if name.lstrip("\\") == top)
    return netlist_of(module, library)


def netlist_of(module: Mapping[str, Any], library: CellLibrary) -> GateNetlist:
    """The netlist of a flat module in the form of Yosys' `write_json`.

    Raises BadInputError for a cell that the library does not have or that can not be evaluated.
    """
    fresh = itertools.count(1 + max(_numbers(module), default=0))
    instances = tuple(
        _instance(entry, library, fresh) for entry in module["cells"].values() if entry["type"] != "$scopeinfo"
    )
    load: dict[Net, float] = {}
    gates: list[Gate] = []
    registers: list[Register] = []
    for instance in instances:
        flip_flop = instance.cell.flip_flop
        for name, pin in instance.cell.inputs.items():
            if flip_flop is None or name != flip_flop.clock:
                load[instance.nets[name]] = load.get(instance.nets[name], 0.0) + pin.capacitance_ff
        for name, pin in instance.cell.outputs.items():
            output, function = instance.nets[name], pin.function
            assert isinstance(output, int)
            assert function is not None
            if flip_flop is None:
                gates.append(Gate(instance.read(function), function, output))
            else:
                inputs = instance.read(flip_flop.next_state)
                registers.append(Register(inputs, flip_flop.next_state, output, function.pins == (flip_flop.inverse,)))
    ports = {name: tuple(port["bits"]) for name, port in module["ports"].items()}
    area = sum(instance.cell.area_um2 for instance in instances)
    leakage = sum(instance.cell.leakage_nw for instance in instances)
    return GateNetlist(ports, instances, tuple(_ordered(gates)), tuple(registers), load, area, leakage)


def _numbers(module: Mapping[str, Any]) -> Iterator[int]:
    bits = [port["bits"] for port in module["ports"].values()]
    bits += [pin for entry in module["cells"].values() for pin in entry["connections"].values()]
    return (bit for bus in bits for bit in bus if isinstance(bit, int))


def _instance(entry: Mapping[str, Any], library: CellLibrary, fresh: Iterator[int]) -> Instance:
    cell = library.cells.get(entry["type"])
    if cell is None:
        raise BadInputError(f"cells of a netlist must be those of {library.path.name}, not {entry['type']}")
    nets: dict[str, Net] = {pin: bits[0] for pin, bits in entry["connections"].items() if bits}
    for pin in cell.inputs:
        nets.setdefault(pin, "x")
    for pin in cell.outputs:
        if pin not in nets:
            nets[pin] = next(fresh)
    instance = Instance(cell, nets)
    if cell.flip_flop is None:
        known = all(
            pin.function is not None and set(pin.function.pins) <= cell.inputs.keys() for pin in cell.outputs.values()
        )
        if not known:
            raise BadInputError(f"cells of a netlist must be gates or flip-flops, not {cell.name}")
        return instance
    if cell.flip_flop.clock is None:
        raise BadInputError(f"flip-flops of a netlist must take the rising edge of a pin, not {cell.name}")
    constants = {"0": 0, "1": 1}
    for expression in cell.flip_flop.asynchronous:
        values = [constants.get(str(net)) for net in instance.read(expression)]
        tied = [value for value in values if value is not None]
        if len(tied) < len(values) or expression.evaluate(tied, 1):
            raise BadInputError(f"clear and preset of a flip-flop must be tied inactive, not in use: {cell.name}")
    return instance


def _ordered(gates: Sequence[Gate]) -> Iterator[Gate]:
    waiting = list(gates)
    driven = {gate.output for gate in waiting}
    while waiting:
        ready = [gate for gate in waiting if driven.isdisjoint(gate.inputs)]
        if not ready:
            raise BadInputError("gates of a netlist must be without a loop, not wait for each other")
        yield from ready
        driven -= {gate.output for gate in ready}
        waiting = [gate for gate in waiting if gate.output in driven]
