"""Reports side by side: every figure is that of the report alone, in every form."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from energy_networks import lenet5, resnet, small_integer
from energy_schema import validator

from energy.counts import Version, count_float, count_integer
from energy.precision import Precision
from energy.report import EnergyReport, build_report
from energy.side_by_side import CSV_COLUMNS, SideBySide
from energy.technology import horowitz_2014
from quant.errors import BadInputError


def reports() -> dict[str, EnergyReport]:
    table = horowitz_2014()
    return {
        "lenet5 <fp32>": build_report(count_float(lenet5()), table),
        "resnet20 int8": build_report(count_float(resnet(20)), table, Precision.INT8),
        "small": build_report(count_integer(small_integer()), table, Precision.NETWORK),
    }


def as_json(result: SideBySide | EnergyReport) -> Any:
    return json.loads(json.dumps(result.to_json()))


def test_figures_are_those_of_each_report() -> None:
    alone = reports()
    content = as_json(SideBySide(alone))
    assert [row["label"] for row in content["networks"]] == list(alone)
    for row, report in zip(content["networks"], alone.values(), strict=True):
        assert row["adder_energy_pj"] == float(report.total(Version.ADDER).energy_pj)
        assert row["ratio"] == float(report.total(Version.CNN).energy_pj / report.total(Version.ADDER).energy_pj)
    lenet = content["networks"][0]
    # 416,520 taps: an adder's of 0.9 + 0.9 pJ, a convolution's of 3.7 + 0.9 pJ.
    assert (lenet["adder_energy_pj"], lenet["cnn_energy_pj"]) == (749_736.0, 1_915_992.0)


def test_the_csv_file_says_what_the_json_object_says(tmp_path: Path) -> None:
    result = SideBySide(reports())
    result.write_csv(tmp_path / "side.csv")
    with (tmp_path / "side.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert rows == [{key: str(value) for key, value in row.items()} for row in as_json(result)["networks"]]


def test_the_page_has_bars_and_each_source_once() -> None:
    page = SideBySide(reports()).document().html()
    assert "<title>lenet5 &lt;fp32&gt;, as it is, additions: 749.74 nJ</title>" in page
    assert page.count("doi:10.1109/ISSCC.2014.6757323") == 1
    assert "2.275×" in page
    assert 'class="explorable' in page


@pytest.mark.parametrize("label", list(reports()))
def test_reports_keep_to_their_schema(label: str) -> None:
    validator("energy-report").validate(as_json(reports()[label]))


def test_comparisons_keep_to_their_schema() -> None:
    validator("energy-comparison").validate(as_json(SideBySide(reports())))


@pytest.mark.parametrize("damage", [{"model": 5}, {"precision": "int3"}, {"layers": [{}]}, {"more": 1}])
def test_the_schema_refuses_what_is_no_report(damage: dict[str, Any]) -> None:
    assert not validator("energy-report").is_valid({**as_json(reports()["small"]), **damage})


def test_nothing_to_compare() -> None:
    with pytest.raises(BadInputError) as caught:
        SideBySide({})
    assert str(caught.value) == "networks to compare must be at least one, not none"
