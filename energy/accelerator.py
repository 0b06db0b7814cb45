"""Energy of an accelerator by level, from counts that whoever knows the accelerator hands over as plain data.

The adder array stands beside the same array with multipliers in its lanes, and each beside itself with ideal gates in
its adder layers. Of lanes that take minima they let a tap cost nothing where one of its operands is 0. Of multipliers
they let it where the activation is: which weights are 0 in a CNN of the same shape is not known. A difference with 0
is the other operand, so lanes that take differences have no gates. No gate saves an access.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from energy.counts import Operation, OperationCount, Role
from energy.memory import (
    NOTHING,
    SOURCE_BITS,
    Basis,
    EnergyRange,
    Level,
    dram_price,
    register_price,
    sram_is_scaled,
    sram_price,
    total,
)
from energy.precision import Precision, price_of
from energy.technology import TechnologyTable
from quant.float_network import Kind


class Lanes(enum.StrEnum):
    """What the array computes with."""

    ADDER = "adders"
    MULTIPLIER = "multipliers, same accesses"
    ONE_PASS = "multipliers, dot products in one pass"
    """An adder array takes a pass for each bit of a dot-product layer's weights, which multipliers need not."""


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory, or registers, of an accelerator.

    Attributes:
        depth: words of each array; 0 for DRAM, whose capacity does not matter.
        width_bits: of a word of each array.
        arrays: how many, each with its own address.
    """

    name: str
    level: Level
    depth: int
    width_bits: int
    arrays: int = 1

    @property
    def capacity_bytes(self) -> Fraction:
        """Of one array."""
        return Fraction(self.depth * self.width_bits, 8)


@dataclass(frozen=True, slots=True)
class Traffic:
    """`count` accesses to a memory in one image, each of `bits`, over all the arrays that take part."""

    memory: Memory
    purpose: str
    count: int
    bits: int


@dataclass(frozen=True, slots=True)
class Work:
    """What one image takes in one layer.

    Attributes:
        taps: operations of the lanes, as many as a tap of the layer has.
        others: operations beside them, which no gate saves.
        traffic: accesses to memories and registers.
    """

    taps: tuple[OperationCount, ...] = ()
    others: tuple[OperationCount, ...] = ()
    traffic: tuple[Traffic, ...] = ()


@dataclass(frozen=True, slots=True)
class AcceleratorLayer:
    """One layer on both arrays.

    Attributes:
        busy_taps: taps in the lanes of the adder array.
        effective_taps: of these, those with both operands other than 0, a mean over images; None where not counted.
        active_taps: those of an adder layer with an activation other than 0, likewise; None of other layers.
    """

    name: str
    kind: Kind | None
    work: dict[Lanes, Work]
    busy_taps: int = 0
    effective_taps: Fraction | None = None
    active_taps: Fraction | None = None

    def open_share(self, lanes: Lanes) -> Fraction:
        """The part of the taps that ideal gates let through; gates are in adder layers alone."""
        taps = self.effective_taps if lanes is Lanes.ADDER else self.active_taps
        return Fraction(1) if self.kind is not Kind.ADDER or taps is None else taps / self.busy_taps


@dataclass(frozen=True, slots=True)
class AcceleratorCounts:
    """What one image takes on an accelerator.

    Attributes:
        design: what the accelerator is, in words.
        images: over how many images the effective taps are a mean; 0 where they are not counted.
        takes_minima: whether an adder's lane takes a minimum, which is 0 where an operand is; else a difference.
        loading: what loading the program's memories from DRAM takes, once and not in any layer.
    """

    design: str
    images: int
    memories: tuple[Memory, ...]
    layers: tuple[AcceleratorLayer, ...]
    loading: tuple[Traffic, ...] = ()
    takes_minima: bool = True


@dataclass(frozen=True, slots=True)
class LevelEnergy:
    """Energy by level, in the order of `Level`; what the table does not price is left out of both."""

    operations: EnergyRange = NOTHING
    registers: EnergyRange = NOTHING
    sram: EnergyRange = NOTHING
    dram: EnergyRange = NOTHING

    def __add__(self, other: LevelEnergy) -> LevelEnergy:
        return LevelEnergy(*(a + b for a, b in zip(self.ranges, other.ranges, strict=True)))

    @property
    def ranges(self) -> tuple[EnergyRange, ...]:
        """One for each `Level`."""
        return (self.operations, self.registers, self.sram, self.dram)

    @property
    def by_level(self) -> dict[Level, EnergyRange]:
        """The ranges by their level."""
        return dict(zip(Level, self.ranges, strict=True))

    @property
    def memory(self) -> EnergyRange:
        """SRAM and DRAM."""
        return self.sram + self.dram

    @property
    def total(self) -> EnergyRange:
        """All levels."""
        return total(self.ranges)


@dataclass(frozen=True, slots=True)
class AcceleratorReport:
    """Counts and the table that prices them; integers of the accelerator's own widths.

    Raises BadInputError where the table lacks a row that the lanes' operations need.
    """

    counts: AcceleratorCounts
    table: TechnologyTable

    def __post_init__(self) -> None:
        # A table without a row for the lanes is refused here, before anything is written.
        for layer in self.counts.layers:
            for work in layer.work.values():
                self._operations_pj(work.taps)

    @property
    def has_gates(self) -> bool:
        """Whether gates can be there, and the effective taps were counted."""
        return self.counts.takes_minima and self.counts.images > 0

    def layer_energy(self, layer: AcceleratorLayer, lanes: Lanes, *, gated: bool = False) -> LevelEnergy:
        """Energy of one layer by level."""
        work = layer.work[lanes]
        share = layer.open_share(lanes) if gated else Fraction(1)
        operations_pj = share * self._operations_pj(work.taps) + self._operations_pj(work.others)
        return LevelEnergy(
            EnergyRange(operations_pj, operations_pj),
            *(
                total(self.traffic_energy(each) or NOTHING for each in work.traffic if each.memory.level is level)
                for level in (Level.REGISTERS, Level.SRAM, Level.DRAM)
            ),
        )

    def energy(self, lanes: Lanes, *, gated: bool = False) -> LevelEnergy:
        """Energy of an image by level."""
        return sum((self.layer_energy(layer, lanes, gated=gated) for layer in self.counts.layers), LevelEnergy())

    def ratio(self, lanes: Lanes, *, gated: bool = False) -> tuple[Fraction, Fraction]:
        """An array's total over the adder array's, first with both at their low ends, then at their high ends."""
        adder, other = (self.energy(each, gated=gated).total for each in (Lanes.ADDER, lanes))
        return other.low_pj / adder.low_pj, other.high_pj / adder.high_pj

    def traffic_energy(self, traffic: Traffic) -> EnergyRange | None:
        """Energy of accesses, or None where the table does not price them."""
        memory = traffic.memory
        if memory.level is Level.DRAM:
            price = dram_price(self.table, traffic.bits)
        elif memory.level is Level.REGISTERS:
            price_pj = register_price(self.table, traffic.bits)
            price = None if price_pj is None else EnergyRange(price_pj, price_pj)
        else:
            price = self._sram_range(memory, traffic.bits)
        return None if price is None else price.times(traffic.count)

    def _sram_range(self, memory: Memory, bits: int) -> EnergyRange | None:
        high = sram_price(self.table, memory.capacity_bytes, bits)
        macro_bytes = Fraction(memory.depth * min(memory.width_bits, SOURCE_BITS), 8)
        low = sram_price(self.table, macro_bytes, bits)
        return None if high is None or low is None else EnergyRange(low.energy_pj, high.energy_pj)

    def basis(self, memory: Memory) -> Basis | None:
        """How the price of an SRAM follows from the table."""
        price = sram_price(self.table, memory.capacity_bytes, memory.width_bits)
        return None if price is None else price.basis

    @property
    def unpriced(self) -> tuple[Level, ...]:
        """Levels that are counted and have no price in the table."""
        traffic = [each for layer in self.counts.layers for work in layer.work.values() for each in work.traffic]
        levels = {each.memory.level for each in traffic if self.traffic_energy(each) is None}
        return tuple(level for level in Level if level in levels)

    def _operations_pj(self, counts: Iterable[OperationCount]) -> Fraction:
        prices = ((count.count, price_of(count, Precision.NETWORK, self.table)) for count in counts)
        return sum((count * price.energy_pj for count, price in prices if price is not None), Fraction(0))

    def to_json(self) -> dict[str, object]:
        """One JSON-ready object; energies in picojoules, ranges as [low, high]."""
        return {
            "design": self.counts.design,
            "table": self.table.name,
            "images": self.counts.images,
            "unpriced": [str(level) for level in self.unpriced],
            "memories": [self._memory_json(memory) for memory in self.counts.memories],
            "totals": {
                str(lanes): {state: _levels_json(self.energy(lanes, gated=gated)) for state, gated in self.states}
                for lanes in Lanes
            },
            "ratios": {
                str(lanes): {state: [float(r) for r in self.ratio(lanes, gated=gated)] for state, gated in self.states}
                for lanes in (Lanes.MULTIPLIER, Lanes.ONE_PASS)
            },
            "loading_pj": _range_json(total(self.traffic_energy(each) or NOTHING for each in self.counts.loading)),
            "layers": [self._layer_json(layer) for layer in self.counts.layers],
        }

    @property
    def states(self) -> tuple[tuple[str, bool], ...]:
        """Without gates, and with them where there are any."""
        return (("ungated", False), ("gated", True)) if self.has_gates else (("ungated", False),)

    def _memory_json(self, memory: Memory) -> dict[str, object]:
        basis = self.basis(memory) if memory.level is Level.SRAM else None
        return {
            "name": memory.name,
            "level": str(memory.level),
            "arrays": memory.arrays,
            "depth": memory.depth,
            "width_bits": memory.width_bits,
            "capacity_bytes": float(memory.capacity_bytes),
            "basis": None if basis is None else str(basis),
            "scaled": basis is not None and sram_is_scaled(self.table),
        }

    def _layer_json(self, layer: AcceleratorLayer) -> dict[str, object]:
        return {
            "name": layer.name,
            "kind": None if layer.kind is None else str(layer.kind),
            "busy_taps": layer.busy_taps,
            "effective_taps": None if layer.effective_taps is None else float(layer.effective_taps),
            "active_taps": None if layer.active_taps is None else float(layer.active_taps),
            **{str(lanes): self._work_json(layer, lanes) for lanes in Lanes},
        }

    def _work_json(self, layer: AcceleratorLayer, lanes: Lanes) -> dict[str, object]:
        energies = ((each, self.traffic_energy(each)) for each in layer.work[lanes].traffic)
        return {
            "traffic": [
                {
                    "memory": each.memory.name,
                    "purpose": each.purpose,
                    "count": each.count,
                    "bits": each.bits,
                    "energy_pj": None if energy is None else _range_json(energy),
                }
                for each, energy in energies
            ],
            **{state: _levels_json(self.layer_energy(layer, lanes, gated=gated)) for state, gated in self.states},
        }


def _range_json(energy: EnergyRange) -> list[float]:
    return [float(energy.low_pj), float(energy.high_pj)]


def _levels_json(energy: LevelEnergy) -> dict[str, list[float]]:
    return {
        **{str(level): _range_json(each) for level, each in energy.by_level.items()},
        "total": _range_json(energy.total),
    }


def tap_operations(lanes: Lanes, kind: Kind, taps: int, operand_bits: int, sum_bits: int) -> tuple[OperationCount, ...]:
    """What `taps` in the lanes are.

    A tap of an adder layer is a difference (or a minimum, at the same price) and an accumulation, a multiplier's a
    product and an accumulation. An adder array computes a dot product bit by bit: a tap of one pass is an addition.
    """
    accumulation = OperationCount(Operation.ADD, Role.SUM, taps, "accumulation of a tap", sum_bits)
    if lanes is not Lanes.ADDER:
        return (OperationCount(Operation.MULTIPLY, Role.OPERAND, taps, "product of a tap", operand_bits), accumulation)
    if kind is Kind.DOT:
        return (accumulation,)
    return (OperationCount(Operation.SUBTRACT, Role.OPERAND, taps, "difference of a tap", operand_bits), accumulation)
