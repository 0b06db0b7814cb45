"""The ratios worked out by hand from the printed prices, and which row prices what."""

from __future__ import annotations

from fractions import Fraction

import pytest

from energy.counts import Operation, OperationCount, Role
from energy.precision import FORMATS, Precision, price_of, tap_ratio
from energy.technology import horowitz_2014
from quant.errors import BadInputError


@pytest.mark.parametrize(
    ("precision", "swap", "tap"),
    [
        (Precision.FP32, Fraction(37, 9), Fraction(46, 18)),
        (Precision.FP16, Fraction(11, 4), Fraction(15, 8)),
        (Precision.INT8, Fraction(20, 3), Fraction(30, 13)),
        (Precision.INT8_SUMS8, Fraction(20, 3), Fraction(23, 6)),
    ],
)
def test_tap_ratios(precision: Precision, swap: Fraction, tap: Fraction) -> None:
    ratio = tap_ratio(precision, horowitz_2014())
    assert (ratio.swap, ratio.tap) == (swap, tap)


def test_quoted_ratios() -> None:
    ratios = {precision: tap_ratio(precision, horowitz_2014()) for precision in FORMATS}
    assert f"{float(ratios[Precision.FP32].swap):.1f}" == "4.1"
    assert [f"{float(ratios[p].tap):.2f}" for p in (Precision.FP32, Precision.INT8, Precision.INT8_SUMS8)] == [
        "2.56",
        "2.31",
        "3.83",
    ]
    assert ratios[Precision.INT8].tap_arithmetic == "(0.2 + 0.1) / (0.03 + 0.1)"


@pytest.mark.parametrize(
    ("operation", "role", "precision", "width_bits", "label"),
    [
        (Operation.SUBTRACT, Role.OPERAND, Precision.FP32, None, "float add, 32 bits"),
        (Operation.MULTIPLY, Role.SUM, Precision.FP16, None, "float multiply, 16 bits"),
        (Operation.SUBTRACT, Role.OPERAND, Precision.INT8, None, "int add, 8 bits"),
        (Operation.ADD, Role.SUM, Precision.INT8, 19, "int add, 32 bits"),
        (Operation.ADD, Role.SUM, Precision.INT8_SUMS8, None, "int add, 8 bits"),
        (Operation.COMPARE, Role.OPERAND, Precision.INT8, None, "int add, 8 bits"),
        (Operation.SUBTRACT, Role.OPERAND, Precision.NETWORK, 4, "int add, 8 bits"),
        (Operation.ADD, Role.SUM, Precision.NETWORK, 14, "int add, 16 bits"),
        (Operation.ADD, Role.SUM, Precision.NETWORK, 19, "int add, 32 bits"),
        (Operation.MULTIPLY, Role.OPERAND, Precision.NETWORK, 9, "int multiply, 32 bits"),
        (Operation.ADD, Role.REQUANTISER, Precision.FP32, 30, "int add, 32 bits"),
        (Operation.ADD, Role.REQUANTISER, Precision.FP32, 36, None),
        (Operation.SHIFT, Role.REQUANTISER, Precision.NETWORK, 30, None),
        (Operation.ABSOLUTE, Role.OPERAND, Precision.FP32, None, None),
    ],
)
def test_rows(
    operation: Operation, role: Role, precision: Precision, width_bits: int | None, label: str | None
) -> None:
    price = price_of(OperationCount(operation, role, 1, "test", width_bits), precision, horowitz_2014())
    assert (None if price is None else price.label) == label


def test_a_float_network_has_no_widths_of_its_own() -> None:
    with pytest.raises(BadInputError) as error:
        price_of(OperationCount(Operation.ADD, Role.SUM, 1, "test"), Precision.NETWORK, horowitz_2014())
    assert str(error.value) == (
        "precision of a float network must be one of fp32, fp16, int8, int8-sums8, "
        "not network (it has no integer widths)"
    )
