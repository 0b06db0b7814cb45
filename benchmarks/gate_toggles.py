"""Toggles of a mapped netlist on streams of inputs, each weighted by the capacitance of the pins that the net drives.

A net's values over all clocks are one Python integer, clock t at bit t, so that a cell is evaluated for all clocks at
once. Registers that feed back are given by the caller and checked: what the logic computes for them must be what was
given. Load is that of the driven pins, without wires; a register's clock pin is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import MismatchError
from rtl.synthesis import elaboration
from rtl.yosys import quoted, run_yosys, statistics_line

ROUNDS = 10
"""More than the registers between an input and an output."""

Bit = int | str
"""A net of Yosys' JSON: its number, or "0" or "1"."""


@dataclass(frozen=True, slots=True)
class LibraryCell:
    """A cell of the library.

    Attributes:
        capacitance_ff: of each input pin.
        outputs: output pin to its function as a Python expression of the input pins, or of IQ and IQN.
        is_register: a flip-flop.
    """

    capacitance_ff: Mapping[str, float]
    outputs: Mapping[str, str]
    is_register: bool


@dataclass(frozen=True, slots=True)
class Gate:
    """A cell of the netlist without its registers: one output net of its inputs."""

    inputs: tuple[Bit, ...]
    output: int
    function: Callable[..., int]


@dataclass(frozen=True, slots=True)
class Netlist:
    """A mapped design.

    Attributes:
        ports: each port's nets, lowest first.
        gates: in an order in which each stands behind those that it reads.
        registers: (D, Q, inverted) of each flip-flop's output.
        load_ff: capacitance of the pins that a net drives.
        area_um2: of the cells.
        flip_flops: how many of the cells are.
        clock_ff: capacitance of a flip-flop's clock pin.
    """

    ports: Mapping[str, tuple[Bit, ...]]
    gates: tuple[Gate, ...]
    registers: tuple[tuple[Bit, int, bool], ...]
    load_ff: Mapping[Bit, float]
    area_um2: float
    flip_flops: int
    clock_ff: float


@dataclass(frozen=True, slots=True)
class Toggles:
    """What nets switched over all counted clocks, in femtofarads: at zero delay, and with one unit of delay a cell."""

    zero_delay_ff: float
    unit_delay_ff: float
    count: int

    def __add__(self, other: Toggles) -> Toggles:
        return Toggles(
            self.zero_delay_ff + other.zero_delay_ff, self.unit_delay_ff + other.unit_delay_ff, self.count + other.count
        )


def read_library(path: Path) -> dict[str, LibraryCell]:
    """The cells of a Liberty file that have a function; capacitances are those that it names, not rise or fall."""
    cells = {}
    for block in re.split(r"^  cell \(", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name = block[: block.index(")")]
        capacitance, outputs = {}, {}
        for pin in re.split(r"^    pin \(", block, flags=re.MULTILINE)[1:]:
            pin_name = pin[: pin.index(")")]
            function = re.search(r'^      function : "(.*)";', pin, flags=re.MULTILINE)
            found = re.search(r"^      capacitance : ([\d.]+);", pin, flags=re.MULTILINE)
            if function:
                outputs[pin_name] = function[1].replace("!", "~").replace("*", "&").replace("+", "|")
            elif found:
                capacitance[pin_name] = 1000 * float(found[1])
        cells[name] = LibraryCell(capacitance, outputs, re.search(r"^    ff \(", block, flags=re.MULTILINE) is not None)
    return cells


def map_design(
    sources: Sequence[Path], top: str, parameters: Mapping[str, int], library: Path, script: str, time_limit_s: float
) -> Netlist:
    """The design on a library's cells; `script` is the mapper's, "" for its own."""
    run = run_yosys(
        [
            *elaboration(sources, top, parameters),
            *("synth -run coarse:check", f"dfflibmap -liberty {quoted(library)}", "opt_clean"),
            *(f"abc -liberty {quoted(library)} {script}".rstrip(), "opt_clean -purge"),
            statistics_line("area", f"-liberty {quoted(library)}"),
            "write_json netlist.statistics.json",
        ],
        time_limit_s=time_limit_s,
    )
    (module,) = (each for name, each in run.statistics["netlist"]["modules"].items() if name.lstrip("\\") == top)
    return _netlist(module, read_library(library), float(run.statistics["area"]["design"]["area"]))


def _netlist(module: Mapping[str, Any], cells: Mapping[str, LibraryCell], area_um2: float) -> Netlist:
    load: dict[Bit, float] = {}
    registers: list[tuple[Bit, int, bool]] = []
    waiting: list[Gate] = []
    flip_flops = 0
    clock_ff = 0.0
    for instance in module["cells"].values():
        if instance["type"] == "$scopeinfo":
            continue
        cell = cells[instance["type"]]
        nets: dict[str, Bit] = {pin: bits[0] for pin, bits in instance["connections"].items()}
        for pin, capacitance in cell.capacitance_ff.items():
            if not (cell.is_register and pin == "CLK"):
                load[nets[pin]] = load.get(nets[pin], 0.0) + capacitance
        if cell.is_register:
            flip_flops += 1
            clock_ff = max(clock_ff, cell.capacitance_ff["CLK"])
            if nets["RESET_B"] != "1":
                raise MismatchError(f"reset of a flip-flop must be tied to 1, not to net {nets['RESET_B']}")
        for pin, function in cell.outputs.items():
            if pin not in nets:
                continue
            output = nets[pin]
            assert isinstance(output, int)
            if cell.is_register:
                registers.append((nets["D"], output, function == "IQN"))
            else:
                names = tuple(cell.capacitance_ff)
                body = eval(f"lambda {', '.join(names)}: {function}")
                waiting.append(Gate(tuple(nets[name] for name in names), output, body))
    gates: list[Gate] = []
    driven = {gate.output for gate in waiting}
    while waiting:
        ready = [gate for gate in waiting if driven.isdisjoint(gate.inputs)]
        if not ready:
            raise MismatchError("gates must be without a loop, not wait for each other")
        gates += ready
        driven -= {gate.output for gate in ready}
        waiting = [gate for gate in waiting if gate.output in driven]
    ports = {name: tuple(port["bits"]) for name, port in module["ports"].items()}
    return Netlist(ports, tuple(gates), tuple(registers), load, area_um2, flip_flops, clock_ff)


def bits_of(stream: NDArray[np.int64], width: int) -> list[int]:
    """The bits of a number a clock, lowest first, as integers over the clocks; negative numbers in two's complement."""
    rows = ((stream[None, :] >> np.arange(width)[:, None]) & 1).astype(np.uint8)
    return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]


class Simulation:
    """A netlist on streams: `values` of each net in each clock.

    Args:
        given: bits of each input port and of each output port whose registers feed back.
        counted: the clocks whose toggles against the clock before count, as bits.
        clocks: how many there are.
    """

    def __init__(self, netlist: Netlist, given: Mapping[str, Sequence[int]], counted: int, clocks: int) -> None:
        self.netlist = netlist
        self.counted = counted
        self.everything = (1 << clocks) - 1
        self.values: dict[Bit, int] = {"0": 0, "1": self.everything, "x": 0}
        for port, streams in given.items():
            for net, stream in zip(netlist.ports[port], streams, strict=True):
                self.values.setdefault(net, stream)
        self._settle()

    def _settle(self) -> None:
        given = set(self.values)
        for _, output, _ in self.netlist.registers:
            self.values.setdefault(output, 0)
        # A register that may keep its value reads itself; if it always takes the new one, the second round is right.
        for _ in range(ROUNDS):
            for gate in self.netlist.gates:
                self.values[gate.output] = self._output(gate, self.values)
            wrong = False
            for data, output, inverted in self.netlist.registers:
                held = (self.values[data] << 1) & self.everything
                wanted = self.everything ^ held if inverted else held
                if output in given:
                    wrong |= bool((self.values[output] ^ wanted) & self.counted)
                else:
                    wrong |= self.values[output] != wanted
                    self.values[output] = wanted
            if not wrong:
                return
        raise MismatchError("registers must hold what their logic computes, not what was given")

    def _output(self, gate: Gate, values: Mapping[Bit, int]) -> int:
        return gate.function(*(values[net] for net in gate.inputs)) & self.everything

    def _before(self, value: int) -> int:
        return (value << 1) & self.everything | value & 1

    def _changes(self) -> Iterator[tuple[Bit, int]]:
        """Nets and the clocks in which they change, step of unit delay after step."""
        readers: dict[Bit, list[Gate]] = {}
        for gate in self.netlist.gates:
            for net in dict.fromkeys(gate.inputs):
                readers.setdefault(net, []).append(gate)
        driven = {gate.output for gate in self.netlist.gates}
        now = {net: self._before(value) for net, value in self.values.items()}
        now["1"] = self.everything
        changed = {net: value for net, value in self.values.items() if net not in driven}
        while changed:
            woken: dict[int, Gate] = {}
            for net, value in changed.items():
                if value != now[net]:
                    yield net, value ^ now[net]
                    now[net] = value
                    woken.update({gate.output: gate for gate in readers.get(net, [])})
            changed = {net: self._output(gate, now) for net, gate in woken.items()}

    def toggles(self) -> dict[Bit, Toggles]:
        """What each net switched."""
        unit: dict[Bit, int] = {}
        for net, change in self._changes():
            unit[net] = unit.get(net, 0) + (change & self.counted).bit_count()
        result = {}
        for net, value in self.values.items():
            count = ((value ^ self._before(value)) & self.counted).bit_count()
            load = self.netlist.load_ff.get(net, 0.0)
            result[net] = Toggles(load * count, load * unit.get(net, 0), count)
        return result
