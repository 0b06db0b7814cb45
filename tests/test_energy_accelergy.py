"""The files for Accelergy, by the rules of its parser: names resolve, energies times counts are the report's."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from energy_networks import lenet5, resnet, small_integer

from energy.accelergy import write_accelergy
from energy.counts import Version, count_float, count_integer
from energy.precision import Precision
from energy.report import EnergyReport, build_report
from energy.technology import horowitz_2014
from quant.errors import BadInputError
from quant.float_network import FloatNetwork, Relu

REPORTS = {
    "lenet5": build_report(count_float(lenet5()), horowitz_2014()),
    "resnet20": build_report(count_float(resnet(20)), horowitz_2014(), Precision.INT8),
    "small": build_report(count_integer(small_integer()), horowitz_2014(), Precision.NETWORK),
}


def written(report: EnergyReport, folder: Path) -> dict[str, Any]:
    write_accelergy(report, folder)
    files = {path.name: yaml.safe_load(path.read_text()) for path in folder.iterdir()}
    assert sorted(files) == ["ERT.yaml", "action_counts.yaml", "architecture.yaml", "hwadder.lib.yaml"]
    return files


@pytest.mark.parametrize("name", REPORTS)
def test_files_fit_each_other_and_the_report(name: str, tmp_path: Path) -> None:
    report = REPORTS[name]
    files = written(report, tmp_path)
    classes = {each["name"]: each for each in files["hwadder.lib.yaml"]["classes"]}
    architecture, counts = files["architecture.yaml"]["architecture"], files["action_counts.yaml"]["action_counts"]
    ert = files["ERT.yaml"]["ERT"]
    assert {part["version"] for part in (files["hwadder.lib.yaml"], architecture, counts, ert)} == {0.3}
    (design,), (counted,) = architecture["subtree"], counts["subtree"]
    assert design["name"] == counted["name"] == name
    tables = {table["name"]: {each["name"]: each for each in table["actions"]} for table in ert["tables"]}
    assert list(tables) == [f"{name}.{component['name']}" for component in design["local"]]
    total = Fraction(0)
    for component, counter in zip(design["local"], counted["local"], strict=True):
        # A dot would be a level of the hierarchy, a bracket a list.
        assert re.fullmatch(r"\w+", component["name"])
        assert component["name"] == counter["name"]
        known = classes[component["class"]]
        assert component["attributes"].keys() <= known["attributes"].keys()
        table = tables[f"{name}.{component['name']}"]
        assert list(table) == [action["name"] for action in known["actions"]]
        for action in counter["action_counts"]:
            total += action["counts"] * Fraction(str(table[action["name"]]["energy"]))
    assert total == report.total(Version.ADDER).energy_pj


def test_adder_taps_are_no_multiplications(tmp_path: Path) -> None:
    files = written(REPORTS["resnet20"], tmp_path)
    local = files["architecture.yaml"]["architecture"]["subtree"][0]["local"]
    assert Counter(component["class"] for component in local) == {"adder_tap": 20, "multiply_tap": 2}
    # int8: 0.03 + 0.1 pJ for an adder tap, either way; 0.2 + 0.1 pJ for a product.
    tables = files["ERT.yaml"]["ERT"]["tables"]
    assert tables[0]["actions"] == [{"name": "multiply_add", "arguments": None, "energy": 0.3}]
    assert [(action["name"], action["energy"]) for action in tables[1]["actions"]] == [("sad", 0.13), ("min_add", 0.13)]


def test_widths_of_an_integer_network_and_the_source_of_each_price(tmp_path: Path) -> None:
    files = written(REPORTS["small"], tmp_path)
    local = files["architecture.yaml"]["architecture"]["subtree"][0]["local"]
    assert local[0]["attributes"] == {"width": 4, "accumulator_width": 10}
    comments = [line for line in (tmp_path / "ERT.yaml").read_text().splitlines() if line.startswith("# int ")]
    assert any(
        line.startswith("# int multiply, 8 bits: 0.2 pJ at 45 nm, voltage 0.9 V, as printed. M. Horowitz")
        for line in comments
    )
    assert all("doi:10.1109/ISSCC.2014.6757323" in line for line in comments)


def test_a_network_without_taps(tmp_path: Path) -> None:
    network = FloatNetwork("empty", (lenet5().nodes[0], Relu("relu", "image")))
    with pytest.raises(BadInputError) as caught:
        write_accelergy(build_report(count_float(network), horowitz_2014()), tmp_path)
    assert str(caught.value) == "network to export must have a layer with taps, not none: empty"
    assert list(tmp_path.iterdir()) == []
