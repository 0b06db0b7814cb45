"""The workload for ZigZag: its loops make the taps that are counted, and ZigZag itself agrees."""

from __future__ import annotations

import importlib.util
import itertools
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from energy_networks import lenet5, resnet, small_integer

from energy.counts import Version, count_float, count_integer
from energy.precision import Precision
from energy.report import EnergyReport, build_report
from energy.technology import horowitz_2014
from energy.zigzag import write_zigzag
from quant.errors import BadInputError
from quant.float_network import FloatNetwork, Relu
from quant.integer_network import IntegerNetwork

NETWORKS: dict[str, tuple[FloatNetwork | IntegerNetwork, Precision]] = {
    "lenet5": (lenet5(), Precision.FP32),
    "resnet20": (resnet(20), Precision.INT8),
    "small": (small_integer(), Precision.NETWORK),
}


def report_of(network: FloatNetwork | IntegerNetwork, precision: Precision) -> EnergyReport:
    workload = count_integer(network) if isinstance(network, IntegerNetwork) else count_float(network)
    return build_report(workload, horowitz_2014(), precision)


def written(name: str, folder: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]], EnergyReport]:
    network, precision = NETWORKS[name]
    report = report_of(network, precision)
    write_zigzag(network, report, folder)
    layers, energies = (yaml.safe_load((folder / file).read_text()) for file in ("workload.yaml", "unit_energy.yaml"))
    return layers, energies, report


@pytest.mark.parametrize("name", NETWORKS)
def test_loops_make_the_taps_that_are_counted(name: str, tmp_path: Path) -> None:
    layers, energies, report = written(name, tmp_path)
    rows = [row for row in report.layers if row.layer.kind is not None]
    assert [layer["name"] for layer in layers] == [row.layer.name for row in rows]
    for layer, energy, row in zip(layers, energies, rows, strict=True):
        taps = math.prod(layer["loop_sizes"])
        assert taps == row.layer.adder_taps + row.layer.dot_taps
        assert Fraction(str(energy["unit_energy"])) * taps == row.bill(Version.ADDER).energy_pj
        assert Fraction(str(energy["unit_energy_as_cnn"])) * taps == row.bill(Version.CNN).energy_pj
        assert energy["taps_are"] == row.layer.kind


@pytest.mark.parametrize("name", NETWORKS)
def test_windows_end_within_the_padded_input(name: str, tmp_path: Path) -> None:
    for layer in written(name, tmp_path)[0]:
        sizes = dict(zip(layer["loop_dims"], layer["loop_sizes"], strict=True))
        for at, relation in enumerate(layer["dimension_relations"]):
            axis, stride = re.fullmatch(r"i([yx])=(\d)\*o\1\+1\*f\1", relation).groups()  # type: ignore[union-attr]
            assert layer["pr_loop_dims"][at] == f"I{axis.upper()}"
            needed = int(stride) * (sizes[f"O{axis.upper()}"] - 1) + sizes[f"F{axis.upper()}"]
            room = layer["pr_loop_sizes"][at] + sum(layer["padding"][at])
            assert room - int(stride) < needed <= room


def test_each_layer_reads_the_one_before_or_the_image(tmp_path: Path) -> None:
    layers = {layer["name"]: layer for layer in written("resnet20", tmp_path)[0]}
    read = {
        name: next(other for other, each in layers.items() if each["id"] == layer["operand_source"]["I"])
        for name, layer in layers.items()
    }
    assert read["conv1"] == "conv1"  # the image
    assert read["layer1.0.conv1"] == "conv1"
    assert read["layer2.0.conv1"] == read["layer2.0.downsample.0"] == "layer1.2.conv2"
    assert read["fc"] == "layer3.2.conv2"
    assert all(layer["operand_source"]["W"] == layer["id"] for layer in layers.values())


def test_widths(tmp_path: Path) -> None:
    # conv: 18 taps of 4-bit codes, all weights 0, so sums are -18 * 15 to 0; fc: what its own weights need.
    conv, fc = written("small", tmp_path)[0]
    assert conv["operand_precision"] == {"W": 4, "I": 4, "O": 10, "O_final": 4}
    assert fc["operand_precision"] == {"W": 4, "I": 6, "O": 10, "O_final": 20}
    assert {str(layer["operand_precision"]) for layer in written("resnet20", tmp_path)[0]} == {
        "{'W': 8, 'I': 8, 'O': 32, 'O_final': 8}"
    }


def test_a_network_without_taps(tmp_path: Path) -> None:
    network = FloatNetwork("empty", (lenet5().nodes[0], Relu("relu", "image")))
    with pytest.raises(BadInputError) as caught:
        write_zigzag(network, report_of(network, Precision.FP32), tmp_path)
    assert str(caught.value) == "network to export must have a layer with taps, not none: empty"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_zigzag_agrees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZigZag reads every layer, and charges one, mapped to an accelerator of its own, what the report charges."""
    if importlib.util.find_spec("zigzag") is None:
        pytest.fail("package zigzag-dse must be installed, not missing: `pip install 'hwadder[export]'`")
    import zigzag
    from zigzag.api import get_hardware_performance_zigzag
    from zigzag.stages.parser.workload_parser import WorkloadParserStage

    monkeypatch.chdir(tmp_path)
    inputs = Path(zigzag.__file__).parent / "inputs"
    mapping = str(inputs / "mapping" / "default.yaml")
    layers, energies, report = written("resnet20", tmp_path)
    parsed = WorkloadParserStage([None], workload="workload.yaml", mapping=mapping).parse_workload()
    assert sum(node.total_mac_count for node in parsed.nodes()) == report.workload.adder_taps + report.workload.dot_taps
    assert len(parsed.edges()) == len(layers) - 1  # all but the first read another

    layer, energy, row = layers[1], energies[1], next(r for r in report.layers if r.layer.name == layers[1]["name"])
    alone = [{**layer, "operand_source": {"W": layer["id"], "I": layer["id"]}}]
    accelerator = yaml.safe_load((inputs / "hardware" / "eyeriss_like.yaml").read_text())
    totals: dict[Version, float] = {}
    for version, key in ((Version.ADDER, "unit_energy"), (Version.CNN, "unit_energy_as_cnn")):
        accelerator["operational_array"]["unit_energy"] = energy[key]
        # Memories are stacked in the order of the file.
        Path("accelerator.yaml").write_text(yaml.safe_dump(accelerator, sort_keys=False))
        totals[version], _, results = get_hardware_performance_zigzag(
            alone, "accelerator.yaml", mapping, opt="energy", lpf_limit=4, loma_show_progress_bar=False
        )
        charged = float(row.bill(version).energy_pj)
        assert results[0][1][0][0].mac_energy == pytest.approx(charged, rel=1e-12)
    # Memories cost the same either way.
    (cnn, adder), bills = (totals[Version.CNN], totals[Version.ADDER]), [row.bill(v).energy_pj for v in Version]
    assert cnn - adder == pytest.approx(float(bills[1] - bills[0]), rel=1e-9)
    assert [a < b for a, b in itertools.pairwise((0, adder, cnn))] == [True, True]
