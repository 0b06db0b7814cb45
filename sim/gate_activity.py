"""Values and changes of a mapped netlist's nets on streams of inputs, all clocks at once.

A net's values over all clocks are one Python integer, clock t at bit t, so that a cell is evaluated for all clocks at
once. Registers that feed back are given by the caller and checked: what the logic computes for them must be what was
given. Within a clock all inputs and registers change together, at time 0; what follows depends on the gates' delays.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.errors import MismatchError
from rtl.gate_netlist import Gate, GateNetlist, Net

_ROUNDS = 16
"""More than the registers between an input and an output."""


def bit_streams(codes: NDArray[np.int64], width: int) -> list[int]:
    """The bits of codes (clocks,) or (clocks, lanes) as a port has them, each over the clocks; two's complement."""
    lanes = codes.reshape(len(codes), -1).T
    rows = ((lanes[:, None, :] >> np.arange(width)[None, :, None]) & 1).astype(np.uint8).reshape(-1, len(codes))
    return [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in rows]


@dataclass(frozen=True, slots=True)
class Step:
    """Nets that change at one time after the clock's edge.

    Attributes:
        changes: of each net the clocks in which it changes now.
        values: of every net, after the change.
    """

    changes: Mapping[Net, int]
    values: Mapping[Net, int]


class GateActivity:
    """A netlist on streams: `values` of each net at the end of each clock.

    Args:
        netlist: the design.
        given: bits of each input port, and of each output port whose registers feed back, as `bit_streams` gives them.
        counted: the clocks whose changes count, as bits; in them the given registers are checked.
        clocks: how many there are.

    Raises:
        MismatchError: when a register holds, in a counted clock, not what its logic computed in the clock before.
    """

    def __init__(self, netlist: GateNetlist, given: Mapping[str, Sequence[int]], counted: int, clocks: int) -> None:
        self.netlist = netlist
        self.counted = counted
        self.everything = (1 << clocks) - 1
        self.values: dict[Net, int] = {"0": 0, "1": self.everything, "x": 0}
        for port, streams in given.items():
            for net, stream in zip(netlist.ports[port], streams, strict=True):
                self.values.setdefault(net, stream)
        self._settle()

    def _settle(self) -> None:
        given = set(self.values)
        for register in self.netlist.registers:
            self.values.setdefault(register.output, 0)
        # A register that may keep its value reads itself; if it always takes the new one, the second round is right.
        for _ in range(_ROUNDS):
            for gate in self.netlist.gates:
                self.values[gate.output] = self._output(gate, self.values)
            wrong = False
            for register in self.netlist.registers:
                taken = register.next_state.evaluate([self.values[net] for net in register.inputs], self.everything)
                held = (taken << 1) & self.everything
                wanted = self.everything ^ held if register.inverted else held
                if register.output in given:
                    wrong |= bool((self.values[register.output] ^ wanted) & self.counted)
                else:
                    wrong |= self.values[register.output] != wanted
                    self.values[register.output] = wanted
            if not wrong:
                return
        raise MismatchError("registers of a netlist must hold what their logic computes, not what was given")

    def _output(self, gate: Gate, values: Mapping[Net, int]) -> int:
        return gate.function.evaluate([values[net] for net in gate.inputs], self.everything)

    def before(self, net: Net) -> int:
        """A net's values at the end of the clock before each; before the first clock it has that of the first."""
        value = self.values[net]
        return (value << 1) & self.everything | value & 1

    def settled(self) -> Step:
        """Every net changes at most once a clock: no glitches."""
        changes = {net: value ^ self.before(net) for net, value in self.values.items()}
        return Step({net: change for net, change in changes.items() if change}, self.values)

    def steps(self, delays: Mapping[int, int]) -> Iterator[Step]:
        """All changes in the order of time, glitches included.

        A gate shows a change of its function `delays[output]` steps of time later; a pulse shorter than that is
        not shown (inertial delay).

        Args:
            delays: of each gate's output, at least 1.
        """
        readers: dict[Net, list[Gate]] = {}
        for gate in self.netlist.gates:
            for net in dict.fromkeys(gate.inputs):
                readers.setdefault(net, []).append(gate)
        driven = {gate.output for gate in self.netlist.gates}
        now = {net: self.before(net) for net in self.values}
        now["1"] = self.everything
        # Of each time the nets that change then; of each gate the value it is on its way to, and the times it has left.
        agenda: dict[int, dict[Net, int]] = {
            0: {net: value ^ now[net] for net, value in self.values.items() if net not in driven}
        }
        targets = {net: now[net] for net in driven}
        coming: dict[Net, list[int]] = {net: [] for net in driven}
        times = [0]
        while times:
            time = heapq.heappop(times)
            arriving = agenda.pop(time)
            for net in arriving:
                if net in coming:
                    coming[net].remove(time)
            changes = {net: change for net, change in arriving.items() if change}
            woken: dict[int, Gate] = {}
            for net, change in changes.items():
                now[net] ^= change
                woken.update({gate.output: gate for gate in readers.get(net, [])})
            if changes:
                yield Step(changes, now)
            for net, gate in woken.items():
                different = self._output(gate, now) ^ targets[net]
                if not different:
                    continue
                # What is on its way and no longer wanted is taken back.
                back = different & (targets[net] ^ now[net])
                targets[net] ^= different
                different ^= back
                for due in coming[net] if back else ():
                    taken = back & agenda[due][net]
                    agenda[due][net] ^= taken
                    back ^= taken
                if different:
                    due = time + delays[net]
                    coming[net].append(due)
                    if due not in agenda:
                        agenda[due] = {}
                        heapq.heappush(times, due)
                    agenda[due][net] = different
