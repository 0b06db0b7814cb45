"""Published figures beside the counted ones: what is reproduced is said to be, what is not is explained."""

from __future__ import annotations

import csv
from fractions import Fraction

import pytest
from energy_networks import lenet5, resnet

from energy.counts import count_float
from energy.published import round_like
from energy.report import build_report
from energy.technology import TABLES, horowitz_2014
from quant.float_network import FloatNetwork


@pytest.mark.parametrize(
    ("count", "printed", "expected"),
    [
        (69_124_736, "69.12M", "69.12M"),
        (40_813_184, "41.17M", "40.81M"),
        (443_008, "0.45M", "0.44M"),
        (435_499, "435K", "435K"),
        (435_500, "435K", "436K"),
        (5_000, "0.01M", "0.01M"),
    ],
)
def test_rounding_as_printed(count: int, printed: str, expected: str) -> None:
    assert round_like(count, printed) == expected


# model, network, quantity, printed, counted by hand, equal
COUNTS: list[tuple[str, str, str, str, int | Fraction, bool]] = [
    ("resnet20", "cnn", "multiplications", "41.17M", 40_813_184, False),
    ("resnet20", "cnn", "additions", "41.17M", 40_813_184, False),
    ("resnet20", "adder", "multiplications", "0.45M", 443_008, False),
    ("resnet20", "adder", "additions", "81.89M", 81_183_360, False),
    ("resnet20", "cnn", "energy_pj", "", Fraction(40_813_184 * 46, 10), False),
    ("resnet20", "cnn", "energy_int8_pj", "", Fraction(40_813_184 * 3, 10), False),
    ("resnet20", "adder", "energy_pj", "", Fraction(40_370_176 * 18 + 443_008 * 46, 10), False),
    ("resnet20", "adder", "energy_int8_pj", "", Fraction(40_370_176 * 13 + 443_008 * 30, 100), False),
    ("resnet32", "cnn", "multiplications", "69.12M", 69_124_736, True),
    ("resnet32", "cnn", "additions", "69.12M", 69_124_736, True),
    ("resnet32", "adder", "multiplications", "0.45M", 443_008, False),
    ("resnet32", "adder", "additions", "137.79M", 137_806_464, False),
    ("lenet5", "cnn", "multiplications", "435K", 416_520, False),
    ("lenet5", "cnn", "additions", "435K", 416_520, False),
    ("lenet5", "adder", "additions", "870K", 833_040, False),
]


def test_the_figures_of_convolutional_networks() -> None:
    networks: list[FloatNetwork] = [resnet(20), resnet(32), lenet5()]
    rows = [row for each in networks for row in build_report(count_float(each), horowitz_2014()).published]
    found = sorted((r.model, r.network, r.quantity, r.printed, r.counted, r.equal) for r in rows)
    assert found == sorted((*row[:4], Fraction(row[4]), row[5]) for row in COUNTS)
    assert all(row.equal or row.explanation for row in rows)


def test_the_printed_text_is_the_stored_value() -> None:
    with (TABLES / "published.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["published"]]
    assert all(round_like(int(row["published"]), row["printed"]) == row["printed"] for row in rows)
    assert all(row["source"] and row["place"] and row["date_read"] for row in rows)


def test_why_41_17_is_not_reached() -> None:
    row = build_report(count_float(resnet(20)), horowitz_2014()).published[0]
    assert row.explanation == (
        "41.17M cannot be reached by counting the architecture: 40,370,176 adder taps + 442,368 of the first "
        "convolution + 640 of the classifier = 40,813,184. Without the two 1x1 shortcuts it would be 40,551,040, "
        "further away still."
    )


def test_a_model_that_no_paper_counted() -> None:
    network = resnet(20)
    assert build_report(count_float(FloatNetwork("mine", network.nodes)), horowitz_2014()).published == ()
