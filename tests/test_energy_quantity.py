"""How quantities are written."""

from __future__ import annotations

from fractions import Fraction

import pytest

from energy.quantity import count_text, energy_text, in_unit, ratio_text, table_unit


@pytest.mark.parametrize(
    ("energy_pj", "text"),
    [
        ("0", "0.00 pJ"),
        ("0.9", "0.90 pJ"),
        ("999.99", "999.99 pJ"),
        ("1000", "1.00 nJ"),
        ("187740646.4", "187.74 µJ"),
        ("2500000000000", "2,500.00 mJ"),
    ],
)
def test_energy(energy_pj: str, text: str) -> None:
    assert energy_text(Fraction(energy_pj)) == text


@pytest.mark.parametrize(
    ("total_pj", "unit"), [("0", "pJ"), ("5000", "pJ"), ("187740646.4", "nJ"), ("5000000000", "µJ")]
)
def test_column(total_pj: str, unit: str) -> None:
    assert table_unit(Fraction(total_pj))[1] == unit


def test_in_unit() -> None:
    assert in_unit(Fraction("187740646.4"), Fraction(1000)) == "187,740.65"


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0"), (999, "999"), (416_520, "416.52K"), (40_813_184, "40.81M"), (17_560_000_000, "17.56G")],
)
def test_count(count: int, text: str) -> None:
    assert count_text(count) == text


def test_ratio() -> None:
    assert (ratio_text(Fraction(46, 18)), ratio_text(Fraction(46, 18), 3), ratio_text(None)) == ("2.56×", "2.556×", "–")
