"""At which number formats a network's operations are priced."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from fractions import Fraction

from energy.counts import Operation, OperationCount, Role
from energy.technology import NumberFormat, Price, PricedOperation, TechnologyTable
from quant.errors import BadInputError


class Precision(enum.StrEnum):
    """The formats that the Horowitz table prices; there is no int16, since it has no 16-bit integer multiplication."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
    """8-bit operands, 32-bit sums: how integer engines are built."""
    INT8_SUMS8 = "int8-sums8"
    """8-bit operands and 8-bit sums: overflows in any real layer, shown because the ratio 3.83 is quoted."""
    NETWORK = "network"
    """An integer network's own proven widths, each at the narrowest row that holds it."""


@dataclass(frozen=True, slots=True)
class Formats:
    """Format and widths in bits that a precision gives to operands and sums."""

    format: NumberFormat
    operand_bits: int
    sum_bits: int
    meaning: str


FORMATS = {
    Precision.FP32: Formats(NumberFormat.FLOAT, 32, 32, "fp32 operands and sums"),
    Precision.FP16: Formats(NumberFormat.FLOAT, 16, 16, "fp16 operands and sums"),
    Precision.INT8: Formats(NumberFormat.INT, 8, 32, "int8 operands, int32 sums"),
    Precision.INT8_SUMS8: Formats(NumberFormat.INT, 8, 8, "int8 operands, int8 sums (too narrow for a real layer)"),
}

PRICED_AS = {
    Operation.ADD: PricedOperation.ADD,
    Operation.SUBTRACT: PricedOperation.ADD,
    Operation.COMPARE: PricedOperation.ADD,
    Operation.MULTIPLY: PricedOperation.MULTIPLY,
    Operation.SHIFT: PricedOperation.SHIFT,
}
"""A subtraction and a comparison (the sign of a difference) are priced as an addition.

An absolute value is missing: no table here prices it. It clears the sign bit of a float; of an integer it is an
exclusive or whose carry the adder tree takes in, far from a whole addition.
"""


def meaning(precision: Precision) -> str:
    """What a precision stands for, in words."""
    if precision is Precision.NETWORK:
        return "the integer network's own widths"
    return FORMATS[precision].meaning


def price_of(count: OperationCount, precision: Precision, table: TechnologyTable) -> Price | None:
    """The row that prices one such operation, or None where no row of the table can.

    A requantiser is priced as integers of its own width whatever the precision. Raises BadInputError when the precision
    needs a width that is not known, or (for taps) a row that the table does not have.
    """
    operation = PRICED_AS.get(count.operation)
    if operation is None:
        return None
    if count.role is Role.REQUANTISER:
        assert count.width_bits is not None
        widest = max(
            (row.width_bits for row in table.prices if (row.operation, row.format) == (operation, NumberFormat.INT)),
            default=0,
        )
        if count.width_bits > widest:
            return None
        return table.price_at_or_above(operation, count.width_bits, NumberFormat.INT)
    if precision is Precision.NETWORK:
        if count.width_bits is None:
            raise BadInputError(
                f"precision of a float network must be one of {', '.join(FORMATS)}, "
                f"not {precision} (it has no integer widths)"
            )
        return table.price_at_or_above(operation, count.width_bits, NumberFormat.INT)
    formats = FORMATS[precision]
    width = formats.operand_bits if count.role is Role.OPERAND else formats.sum_bits
    return table.price(operation, width, formats.format)


@dataclass(frozen=True, slots=True)
class TapRatio:
    """How much cheaper an adder is than a multiplier at one precision, from two prices of a table.

    Attributes:
        swap: one multiplication over one addition of the operands' width; what remains when accumulation is forgotten.
        tap: a convolution's tap (multiply, accumulate) over an adder's (subtract, accumulate).
        swap_pj, tap_pj: the two energies of either ratio.
    """

    precision: Precision
    swap_pj: tuple[Fraction, Fraction]
    swap_arithmetic: str
    tap_pj: tuple[Fraction, Fraction]
    tap_arithmetic: str

    @property
    def swap(self) -> Fraction:
        """Multiplication over addition."""
        return self.swap_pj[0] / self.swap_pj[1]

    @property
    def tap(self) -> Fraction:
        """Convolution's tap over adder's."""
        return self.tap_pj[0] / self.tap_pj[1]


def tap_ratios(table: TechnologyTable) -> tuple[TapRatio, ...]:
    """The ratios at all precisions of fixed widths that the table prices."""
    priced = {(row.operation, row.width_bits, row.format) for row in table.prices}

    def is_priced(formats: Formats) -> bool:
        add, multiply = PricedOperation.ADD, PricedOperation.MULTIPLY
        needed = {(add, formats.operand_bits), (add, formats.sum_bits), (multiply, formats.operand_bits)}
        return {(operation, bits, formats.format) for operation, bits in needed} <= priced

    return tuple(tap_ratio(precision, table) for precision, formats in FORMATS.items() if is_priced(formats))


def tap_ratio(precision: Precision, table: TechnologyTable) -> TapRatio:
    """The ratios at a precision of fixed widths; raises BadInputError where the table lacks a row."""
    formats = FORMATS[precision]
    multiply = table.price(PricedOperation.MULTIPLY, formats.operand_bits, formats.format).energy_pj
    subtract = table.price(PricedOperation.ADD, formats.operand_bits, formats.format).energy_pj
    accumulate = table.price(PricedOperation.ADD, formats.sum_bits, formats.format).energy_pj
    m, s, a = (f"{float(price):g}" for price in (multiply, subtract, accumulate))
    return TapRatio(
        precision=precision,
        swap_pj=(multiply, subtract),
        swap_arithmetic=f"{m} / {s}",
        tap_pj=(multiply + accumulate, subtract + accumulate),
        tap_arithmetic=f"({m} + {a}) / ({s} + {a})",
    )
