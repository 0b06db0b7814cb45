"""What an access to a memory costs, by its capacity and width, and bounds of a network's traffic without a mapping."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from energy.counts import LayerCount, Workload
from energy.precision import FORMATS, Precision
from energy.quantity import capacity_text
from energy.technology import NumberFormat, Price, PricedOperation, TechnologyTable

SOURCE_BITS = 64
"""Width of the accesses that the sources price."""


class Level(enum.StrEnum):
    """Where energy is spent."""

    OPERATIONS = "operations"
    REGISTERS = "registers"
    SRAM = "SRAM"
    DRAM = "DRAM"


class Basis(enum.StrEnum):
    """How the price of an SRAM follows from the table's capacities."""

    PRINTED = "as printed"
    INTERPOLATED = "interpolated"
    """Between two capacities, on a straight line of the logarithms."""
    HELD = "held at the smallest"
    """Below the smallest capacity, at whose price it stays: more than such a memory takes."""
    EXTRAPOLATED = "extrapolated"
    """Above the largest capacity, on the line of the two largest."""


@dataclass(frozen=True, slots=True)
class EnergyRange:
    """Picojoules from a low to a high estimate; ranges add up end by end."""

    low_pj: Fraction = Fraction(0)
    high_pj: Fraction = Fraction(0)

    def __add__(self, other: EnergyRange) -> EnergyRange:
        return EnergyRange(self.low_pj + other.low_pj, self.high_pj + other.high_pj)

    def times(self, count: Fraction | int) -> EnergyRange:
        """`count` times this."""
        return EnergyRange(count * self.low_pj, count * self.high_pj)


NOTHING = EnergyRange()


def total(ranges: Iterable[EnergyRange]) -> EnergyRange:
    """The sum of ranges."""
    return sum(ranges, NOTHING)


@dataclass(frozen=True, slots=True)
class AccessPrice:
    """Energy of one access of `width_bits` to an SRAM of `capacity_bytes`.

    Widths other than `SOURCE_BITS` are in proportion.
    """

    capacity_bytes: Fraction
    width_bits: int
    energy_pj: Fraction
    basis: Basis


def _memory_rows(table: TechnologyTable, operation: PricedOperation) -> tuple[Price, ...]:
    rows = [row for row in table.rows(operation, NumberFormat.WORD) if row.width_bits == SOURCE_BITS]
    return tuple(sorted(rows, key=lambda row: row.capacity_bytes or 0))


def sram_price(table: TechnologyTable, capacity_bytes: Fraction | int, width_bits: int) -> AccessPrice | None:
    """The price of an access to an SRAM, or None where the table has no SRAM of 64 bits and some capacity."""
    rows = [row for row in _memory_rows(table, PricedOperation.SRAM_ACCESS) if row.capacity_bytes is not None]
    if not rows:
        return None
    energy_pj, basis = _of_capacity(
        [(row.capacity_bytes or 0, row.energy_pj) for row in rows], Fraction(capacity_bytes)
    )
    return AccessPrice(Fraction(capacity_bytes), width_bits, energy_pj * Fraction(width_bits, SOURCE_BITS), basis)


def sram_is_scaled(table: TechnologyTable) -> bool:
    """Whether its prices are another node's, by a fit of logic (`energy.scaling`)."""
    return any(row.scaling != 1 for row in table.rows(PricedOperation.SRAM_ACCESS, NumberFormat.WORD))


def _of_capacity(points: list[tuple[int, Fraction]], capacity: Fraction) -> tuple[Fraction, Basis]:
    printed = dict(points).get(int(capacity)) if capacity.denominator == 1 else None
    if printed is not None:
        return printed, Basis.PRINTED
    if capacity < points[0][0] or len(points) == 1:
        return points[0][1], Basis.HELD
    above = next((index for index, (size, _) in enumerate(points) if size > capacity), len(points) - 1)
    (small, low), (large, high) = points[above - 1], points[above]
    slope = math.log(high / low) / math.log(large / small)
    basis = Basis.INTERPOLATED if capacity < large else Basis.EXTRAPOLATED
    return low * Fraction(float(capacity / small) ** slope), basis


def dram_price(table: TechnologyTable, width_bits: int) -> EnergyRange | None:
    """The range of an access of `width_bits` to DRAM, in proportion to 64 bits; None where the table has none."""
    rows = _memory_rows(table, PricedOperation.DRAM_ACCESS)
    if not rows:
        return None
    row = rows[0]
    high_pj = row.energy_pj if row.energy_high_pj is None else row.energy_high_pj
    return EnergyRange(row.energy_pj, high_pj).times(Fraction(width_bits, SOURCE_BITS))


def register_price(table: TechnologyTable, width_bits: int) -> Fraction | None:
    """The price of writing `width_bits` of registers, in proportion to the table's row; None where it has none."""
    rows = table.rows(PricedOperation.REGISTER_ACCESS, NumberFormat.WORD)
    return rows[0].energy_pj * Fraction(width_bits, rows[0].width_bits) if rows else None


class Reuse(enum.StrEnum):
    """The two ends of a mapping that runs layers one after the other, keeps sums beside the taps that make them, and
    stores results at the operands' width; fused layers move less, sums that leave the array more."""

    ONCE = "each tensor once"
    """Each activation, weight and result of each layer is moved once."""
    NONE = "no reuse"
    """Each tap fetches its activation and its weight; each result is moved once."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Elements that the layers with taps move for one image, and their bits at the operands' width."""

    reuse: Reuse
    reads: int
    writes: int
    bits: int

    def energies(self, table: TechnologyTable) -> dict[str, EnergyRange]:
        """Energy of all of it from each memory of the table, by the memory's name."""
        srams = {
            f"SRAM of {capacity_text(row.capacity_bytes)}": EnergyRange(row.energy_pj, row.energy_pj)
            for row in _memory_rows(table, PricedOperation.SRAM_ACCESS)
            if row.capacity_bytes is not None
        }
        dram = dram_price(table, SOURCE_BITS)
        memories = srams if dram is None else {**srams, "DRAM": dram}
        return {name: price.times(Fraction(self.bits, SOURCE_BITS)) for name, price in memories.items()}


def traffic_bounds(workload: Workload, precision: Precision) -> tuple[Bound, ...]:
    """Both bounds, or none where a layer's inputs are not known."""
    layers = [layer for layer in workload.layers if layer.kind is not None]
    if not layers or any(layer.inputs is None for layer in layers):
        return ()
    return (
        _bound(Reuse.ONCE, [(layer, (layer.inputs or 0) + layer.parameters) for layer in layers], precision),
        _bound(Reuse.NONE, [(layer, 2 * (layer.adder_taps + layer.dot_taps)) for layer in layers], precision),
    )


def _bound(reuse: Reuse, reads: list[tuple[LayerCount, int]], precision: Precision) -> Bound:
    return Bound(
        reuse,
        sum(read for _, read in reads),
        sum(layer.outputs for layer, _ in reads),
        sum((read + layer.outputs) * _operand_bits(layer, precision) for layer, read in reads),
    )


def _operand_bits(layer: LayerCount, precision: Precision) -> int:
    if precision is not Precision.NETWORK:
        return FORMATS[precision].operand_bits
    assert layer.widths is not None
    return layer.widths.operand
