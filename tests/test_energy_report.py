"""Energies against sums worked by hand, as exact fractions, and every form that the report is written in."""

from __future__ import annotations

import csv
import dataclasses
import json
from fractions import Fraction
from pathlib import Path

import pytest
from energy_networks import lenet5, resnet, small_integer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from energy.counts import Version, count_float, count_integer
from energy.page import energy_document
from energy.precision import Precision
from energy.report import Bill, EnergyReport, build_report, write_csv
from energy.technology import horowitz_2014
from energy.terminal import terminal_report
from quant.errors import BadInputError
from quant.float_network import Conv2d, Kind, Linear

ADDER_TAPS, DOT_TAPS = 40_370_176, 443_008


def report_of(depth: int, precision: Precision = Precision.FP32) -> EnergyReport:
    return build_report(count_float(resnet(depth)), horowitz_2014(), precision)


@pytest.mark.parametrize(
    ("precision", "adder_tap", "dot_tap", "cnn_uj", "adder_uj"),
    [
        (Precision.FP32, "1.8", "4.6", "187.74", "74.70"),
        (Precision.FP16, "0.8", "1.5", "61.22", "32.96"),
        (Precision.INT8, "0.13", "0.3", "12.24", "5.38"),
        (Precision.INT8_SUMS8, "0.06", "0.23", "9.39", "2.52"),
    ],
)
def test_resnet20_energy(precision: Precision, adder_tap: str, dot_tap: str, cnn_uj: str, adder_uj: str) -> None:
    report = report_of(20, precision)
    adder, cnn = report.total(Version.ADDER), report.total(Version.CNN)
    assert adder == Bill(
        DOT_TAPS, 2 * ADDER_TAPS + DOT_TAPS, ADDER_TAPS * Fraction(adder_tap) + DOT_TAPS * Fraction(dot_tap)
    )
    assert cnn == Bill(ADDER_TAPS + DOT_TAPS, ADDER_TAPS + DOT_TAPS, (ADDER_TAPS + DOT_TAPS) * Fraction(dot_tap))
    assert (f"{float(cnn.energy_pj) / 1e6:.2f}", f"{float(adder.energy_pj) / 1e6:.2f}") == (cnn_uj, adder_uj)


def test_resnet20_ratio() -> None:
    ratio = report_of(20).ratio
    assert ratio is not None
    assert f"{float(ratio):.3f}" == "2.513"


@given(st.permutations(range(7)))
def test_totals_do_not_depend_on_the_order(order: list[int]) -> None:
    # Two thirds in binary floating point would differ in the last digits.
    bills = [Bill(i, 2 * i, Fraction(i, 10) + Fraction(1, 3)) for i in range(7)]
    assert sum((bills[i] for i in order), Bill()) == sum(bills, Bill())


def test_a_cnn_is_not_called_an_adder_network() -> None:
    network = lenet5()
    nodes = tuple(
        dataclasses.replace(node, kind=Kind.DOT) if isinstance(node, Conv2d | Linear) else node for node in network
    )
    report = build_report(count_float(dataclasses.replace(network, nodes=nodes)), horowitz_2014())
    console = Console(width=200)
    with console.capture() as capture:
        console.print(terminal_report(report))
    for text in (capture.get(), energy_document(report).html()):
        assert "as it is" in text
        assert "adder network" not in text


def test_integer_network_by_hand() -> None:
    report = build_report(count_integer(small_integer()), horowitz_2014(), Precision.NETWORK)
    # 4-bit differences at 8 bits, 10-bit sums at 16; 6x4-bit products at 8 bits, sums of at most 13 bits at 16.
    adder_pj = 576 * (Fraction("0.03") + Fraction("0.05")) + 6 * (Fraction("0.2") + Fraction("0.05"))
    assert report.total(Version.ADDER) == Bill(6, 2 * 576 + 6, adder_pj)
    assert report.total(Version.CNN) == Bill(582, 582, 582 * (Fraction("0.2") + Fraction("0.05")))
    # 100 additions and 64 comparisons of 14 bits, 30 operations of at most 8, 2 of 20; the others have no price.
    uncharged_pj = 164 * Fraction("0.05") + 30 * Fraction("0.03") + 2 * Fraction("0.1")
    assert report.whole_energy_pj(Version.ADDER) == adder_pj + uncharged_pj
    unpriced = {
        (str(item.count.operation), item.count.count)
        for item in report.items(Version.ADDER, charged=False)
        if item.price is None
    }
    assert unpriced == {("absolute", 576), ("shift", 100), ("shift", 35)}
    sums = [item for item in report.items(Version.CNN, charged=True) if item.count.purpose.startswith("accumulation")]
    assert [(item.count.count, item.count.width_bits) for item in sums] == [(582, None)]  # 13 and 10 bits, one row


def test_integer_network_at_a_chosen_precision() -> None:
    report = build_report(count_integer(small_integer()), horowitz_2014(), Precision.INT8)
    assert report.total(Version.ADDER).energy_pj == 576 * Fraction("0.13") + 6 * Fraction("0.3")


def test_the_whole_is_charged_in_both_versions() -> None:
    report = report_of(20)
    # Input 3 * 32 * 32; batch norms 200,714 outputs; ReLUs 188,416; shortcuts 9 blocks; pooling 64 * 63 and 64.
    multiply, add = Fraction("3.7"), Fraction("0.9")
    extra = (3072 + 200_714 + 64) * multiply + (3072 + 200_714 + 188_416 + 86_016 + 4032) * add
    for version in Version:
        assert report.whole_energy_pj(version) - report.total(version).energy_pj == extra


def test_json() -> None:
    report = report_of(20)
    result = json.loads(json.dumps(report.to_json()))
    assert set(result) == {
        "model",
        "table",
        "precision",
        "convention",
        "layers",
        "totals",
        "uncharged",
        "tap_ratios",
        "tables",
        "memory_bounds",
        "accelerator",
        "published",
        "sources",
    }
    assert (result["model"], result["table"], result["precision"]) == ("resnet20", "horowitz-isscc-2014", "fp32")
    totals = result["totals"]
    assert totals["adder"] == {"multiplications": 443_008, "additions": 81_183_360, "energy_pj": 74_704_153.6}
    assert totals["cnn"] == {"multiplications": 40_813_184, "additions": 40_813_184, "energy_pj": 187_740_646.4}
    assert (totals["adder_taps"], totals["dot_taps"], totals["parameters"]) == (40_370_176, 443_008, 272_484)
    assert totals["ratio"] == float(Fraction("187740646.4") / Fraction("74704153.6"))
    assert sum(layer["adder"]["additions"] for layer in result["layers"]) == 81_183_360
    assert result["convention"].startswith("Papers' convention: an adder tap costs two additions")
    assert "No fetch of a weight or an activation is in the totals" in result["convention"]
    assert any("Horowitz" in source["citation"] for source in result["sources"])


def test_csv_holds_every_operation(tmp_path: Path) -> None:
    path = tmp_path / "energy.csv"
    write_csv(report_of(20), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    energy = {version: Fraction(0) for version in Version}
    for row in rows:
        if row["charged"] == "yes":
            energy[Version(row["version"])] += int(row["count"]) * Fraction(row["price_pj"])
    assert energy == {Version.ADDER: Fraction("74704153.6"), Version.CNN: Fraction("187740646.4")}
    assert rows[4] == {
        "layer": "conv1",
        "node": "Conv2d",
        "output_shape": "16x32x32",
        "version": "adder",
        "charged": "yes",
        "purpose": "product of a dot-product tap",
        "operation": "multiply",
        "width_bits": "",
        "count": "442368",
        "priced_as": "float multiply, 32 bits",
        "price_pj": "3.7",
        "energy_pj": "1636761.6",
        "energy_high_pj": "1636761.6",
    }


def test_csv_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInputError, match=r"^output .* must be writable, not refused by the system"):
        write_csv(report_of(20), tmp_path / "file" / "energy.csv")


def test_a_network_without_taps_has_no_ratio() -> None:
    workload = count_float(lenet5())
    bare = dataclasses.replace(workload, model="bare", layers=workload.layers[:1])
    report = build_report(bare, horowitz_2014())
    assert (report.ratio, report.to_json()["layers"] != []) == (None, True)


def test_terminal() -> None:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(terminal_report(report_of(20, Precision.INT8)))
    text = capture.get()
    for expected in ("5.38 µJ", "12.24 µJ", "2.275×", "2.31× = (0.2 + 0.1) / (0.03 + 0.1)", "41.17M", "40,813,184"):
        assert expected in text
    assert "No fetch of a weight or an activation is in the totals" in text
    assert "Horowitz" in text
