"""Energy by level against an accelerator small enough to price on paper."""

from __future__ import annotations

import csv
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from energy_networks import small_integer
from energy_schema import validator
from rich.console import Console

from energy.accelerator import (
    AcceleratorCounts,
    AcceleratorLayer,
    AcceleratorReport,
    Lanes,
    LevelEnergy,
    Memory,
    Traffic,
    Work,
    tap_operations,
)
from energy.counts import Operation, OperationCount, Role, count_integer
from energy.memory import Basis, EnergyRange, Level
from energy.page import energy_document
from energy.precision import Precision
from energy.report import EnergyReport, build_report, write_csv
from energy.scaling import parse_operating_point
from energy.technology import TechnologyTable, find_table, horowitz_2014
from energy.terminal import terminal_report
from quant.float_network import Kind

# 4096 words of 128 bits are 64 KB as one array, 32 KB as two arrays of 64 bits.
WEIGHTS = Memory("weights", Level.SRAM, 4096, 128)
BUFFER = Memory("tensor buffer", Level.SRAM, 512, 8, 4)
ACCUMULATORS = Memory("accumulators", Level.REGISTERS, 1, 20, 2)
DRAM = Memory("DRAM", Level.DRAM, 0, 64)
CLAMP = OperationCount(Operation.COMPARE, Role.REQUANTISER, 10, "clamp", 16)


def work(lanes: Lanes, kind: Kind, taps: int, words: int) -> Work:
    traffic = (
        Traffic(WEIGHTS, "weight reads", words, 128),
        Traffic(BUFFER, "activation writes", 10, 8),
        Traffic(ACCUMULATORS, "accumulators", words, 40),
    )
    return Work(tap_operations(lanes, kind, taps, 8, 20), (CLAMP,), traffic)


def counts(images: int = 2, *, takes_minima: bool = True) -> AcceleratorCounts:
    adder = AcceleratorLayer(
        "conv",
        Kind.ADDER,
        {lanes: work(lanes, Kind.ADDER, 1000, 100) for lanes in Lanes},
        busy_taps=1000,
        effective_taps=Fraction(250) if images else None,
        active_taps=Fraction(400) if images else None,
    )
    dot = AcceleratorLayer(
        "fc",
        Kind.DOT,
        {
            Lanes.ADDER: work(Lanes.ADDER, Kind.DOT, 800, 80),
            Lanes.MULTIPLIER: work(Lanes.MULTIPLIER, Kind.DOT, 100, 80),
            Lanes.ONE_PASS: work(Lanes.ONE_PASS, Kind.DOT, 100, 10),
        },
        busy_taps=800,
        effective_taps=Fraction(300) if images else None,
    )
    image = AcceleratorLayer("image", None, {lanes: Work(traffic=(Traffic(DRAM, "image", 64, 8),)) for lanes in Lanes})
    loading = (Traffic(DRAM, "weights", 4096, 128),)
    return AcceleratorCounts("2 x 4 lanes", images, (WEIGHTS, BUFFER, DRAM), (image, adder, dot), loading, takes_minima)


def report(table: TechnologyTable | None = None, images: int = 2) -> AcceleratorReport:
    return AcceleratorReport(counts(images), table or horowitz_2014())


def exactly(text: str) -> EnergyRange:
    return EnergyRange(Fraction(text), Fraction(text))


def test_by_level_by_hand() -> None:
    # Table at 45 nm: 8-bit addition 0.03, 32-bit addition 0.1, 8-bit product 0.2, 16-bit comparison 0.05.
    clamps = 2 * 10 * Fraction("0.05")
    expected = {
        (Lanes.ADDER, False): 1000 * Fraction("0.13") + 800 * Fraction("0.1") + clamps,
        (Lanes.ADDER, True): 250 * Fraction("0.13") + 800 * Fraction("0.1") + clamps,
        (Lanes.MULTIPLIER, False): 1100 * Fraction("0.3") + clamps,
        (Lanes.MULTIPLIER, True): 500 * Fraction("0.3") + clamps,
        (Lanes.ONE_PASS, False): 1100 * Fraction("0.3") + clamps,
    }
    for (lanes, gated), operations_pj in expected.items():
        energy = report().energy(lanes, gated=gated)
        assert energy.operations == EnergyRange(operations_pj, operations_pj)
        # 64 codes of 8 bits are 8 words of DRAM.
        assert energy.dram == EnergyRange(Fraction(8 * 1300), Fraction(8 * 2600))
        assert energy.registers == EnergyRange()
        # Both arrays of 32 KB 20 pJ an access; 20 codes of 8 bits at the price of 8 KB.
        accesses = 110 if lanes is Lanes.ONE_PASS else 180
        assert energy.sram.low_pj == accesses * 2 * 20 + 20 * Fraction("1.25")
        # 64 KB lie a fifth of the way from 32 KB to 1 MB, where the energy grows fivefold.
        assert energy.sram.high_pj == pytest.approx(accesses * 2 * 20 * 5 ** (1 / 5) + 25)
        assert energy.total == energy.operations + energy.sram + energy.dram
        assert energy.memory == energy.sram + energy.dram


def test_levels_add_up() -> None:
    whole = report()
    for lanes in Lanes:
        for gated in (False, True):
            layers = (whole.layer_energy(layer, lanes, gated=gated) for layer in whole.counts.layers)
            assert sum(layers, LevelEnergy()) == whole.energy(lanes, gated=gated)


def test_ratios() -> None:
    low, high = report().ratio(Lanes.MULTIPLIER)
    adder, multiplier = (report().energy(lanes).total for lanes in (Lanes.ADDER, Lanes.MULTIPLIER))
    assert (low, high) == (multiplier.low_pj / adder.low_pj, multiplier.high_pj / adder.high_pj)
    assert 1 < high < low
    assert report().ratio(Lanes.ADDER) == (Fraction(1), Fraction(1))


def test_prices_of_the_memories() -> None:
    assert [report().basis(memory) for memory in (WEIGHTS, BUFFER)] == [Basis.INTERPOLATED, Basis.HELD]
    assert report().unpriced == (Level.REGISTERS,)
    aladdin = report(find_table("aladdin-40nm"))
    assert aladdin.unpriced == (Level.SRAM, Level.DRAM)
    assert aladdin.energy(Lanes.ADDER).registers == exactly("64.8")  # 180 words x 40 bits x 0.009 pJ
    assert aladdin.basis(WEIGHTS) is None


def test_what_a_tap_is() -> None:
    def of(lanes: Lanes, kind: Kind) -> list[tuple[str, int | None]]:
        return [(str(each.operation), each.width_bits) for each in tap_operations(lanes, kind, 5, 8, 20)]

    assert of(Lanes.ADDER, Kind.ADDER) == [("subtract", 8), ("add", 20)]
    assert of(Lanes.ADDER, Kind.DOT) == [("add", 20)]
    for lanes in (Lanes.MULTIPLIER, Lanes.ONE_PASS):
        for kind in Kind:
            assert of(lanes, kind) == [("multiply", 8), ("add", 20)]


def energy_report(images: int = 2, *tables: TechnologyTable, takes_minima: bool = True) -> EnergyReport:
    first, *others = tables or (horowitz_2014(),)
    workload = count_integer(small_integer())
    return build_report(
        workload, first, Precision.NETWORK, others=others, accelerator=counts(images, takes_minima=takes_minima)
    )


def shown(energy: EnergyReport) -> str:
    console = Console(width=200, markup=False)
    with console.capture() as capture:
        console.print(terminal_report(energy))
    return re.sub(r"\s+", " ", capture.get())


def test_what_people_read() -> None:
    text = shown(energy_report())
    # Operations 211 pJ for adders, 331 for multipliers; memory 17,625 to 30,759 of 17,836 to 30,970.
    for expected in (
        "An array of 2 x 4 lanes. Multipliers in the lanes take 1.57× the energy of the adders in operations, and with "
        "all levels 1.00× to 1.01× where every access stays, 0.85× to 0.88× where they also compute the dot-product "
        "layers in one pass. Memory takes 99 % of the adder array's energy.",
        "Memory dominates: what is saved there counts for more than which lanes compute.",
        "On 2 images 40.0 % of the adder layers' taps have an activation other than 0, 25.0 % a weight other than 0 as "
        "well. Ideal gates for the other taps bring the adders' operations from 211.00 pJ to 113.50 pJ, all levels "
        "together to 99 to 100 % of what they were. A multiplier is gated where the activation is 0: the zeros among "
        "the weights are the adder network's, not those of a CNN.",
        "no figure contains the one loading of the program from it, which takes 10.65–21.30 µJ. Counted, but without a "
        "price in this table: registers.",
        "4096 words of 128 bits, 64 KB │ interpolated, width in proportion",
        "4 of 512 words of 8 bits, 512 B │ held at the smallest, width in proportion",
        "adders, zeros gated",
    ):
        assert expected in text
    aladdin = shown(energy_report(2, find_table("aladdin-40nm")))
    assert "This table has no price for SRAM, so what follows leaves out what may well be the larger part." in aladdin
    assert "Counted, but without a price in this table: SRAM, DRAM." in aladdin
    assert "Memory takes" not in aladdin
    ungated = shown(energy_report(images=0))
    assert "zeros gated" not in ungated
    assert "other than 0" not in ungated
    differences = shown(energy_report(takes_minima=False))
    assert "zeros gated" not in differences
    assert (
        "25.0 % a weight other than 0 as well. No zero is gated: these lanes take differences, and a difference with 0 "
        "is the other operand."
    ) in differences
    assert "On the accelerator" not in shown(build_report(count_integer(small_integer()), horowitz_2014()))


def test_page() -> None:
    page = energy_document(energy_report(2, horowitz_2014(), find_table("aladdin-40nm"))).html()
    for expected in (
        "The same counts by several tables",
        "each tensor once",
        "Layers on the accelerator",
        'id="levels-',
        'id="layer-levels-',
        "<title>ungated, adders, SRAM: ",
        "<title>image, DRAM: ",
        "sram access, 64 bits, 8 KB",
        "1300 to 2600 pJ",
    ):
        assert expected in page


def test_scaled_memory_is_marked() -> None:
    point = parse_operating_point("7", "0.7")
    energy = build_report(
        count_integer(small_integer()), horowitz_2014(), Precision.NETWORK, target=point, accelerator=counts()
    )
    text = shown(energy)
    assert "interpolated, width in proportion, scaled as logic" in text
    assert "SRAM of 8 KB, scaled as logic" in text
    assert "DRAM, scaled" not in text
    assert "scaled as logic" not in shown(energy_report())
    content = json.loads(json.dumps(energy.to_json()))
    validator("energy-report").validate(content)
    assert [each["sram_scaled"] for each in content["memory_bounds"]] == [True, True]
    assert [each["scaled"] for each in content["accelerator"]["memories"]] == [True, True, False]
    plain = json.loads(json.dumps(energy_report().to_json()))
    assert not any(each["sram_scaled"] for each in plain["memory_bounds"])
    assert not any(each["scaled"] for each in plain["accelerator"]["memories"])
    assert "Scaled to HP7, 0.7 V by the energy fits of Stillmaker and Baas 2017" in text
    assert "doi:10.1016/j.vlsi.2017.02.002" in text
    assert "as printed, scaled by 0.0684" in energy_document(energy).html()


@pytest.mark.parametrize("images", [0, 2])
def test_json_keeps_to_its_schema(images: int) -> None:
    tables = (horowitz_2014(), find_table("aladdin-40nm"))
    for given in (tables[:1], tables, tables[1:]):
        content = json.loads(json.dumps(energy_report(images, *given).to_json()))
        validator("energy-report").validate(content)
        assert not validator("energy-report").is_valid({**content, "accelerator": {}})


def test_json() -> None:
    result = json.loads(json.dumps(energy_report(2, horowitz_2014(), find_table("aladdin-40nm")).to_json()))
    assert [each["table"] for each in result["tables"]] == ["horowitz-isscc-2014", "aladdin-40nm"]
    assert [each["reuse"] for each in result["memory_bounds"]] == ["each tensor once", "no reuse"]
    accelerator = result["accelerator"]
    assert (accelerator["images"], accelerator["unpriced"]) == (2, ["registers"])
    totals = accelerator["totals"]["adders"]
    assert totals["ungated"]["operations"] == [211.0, 211.0]
    assert totals["gated"]["operations"] == [113.5, 113.5]
    assert totals["ungated"]["DRAM"] == [10_400.0, 20_800.0]
    assert accelerator["loading_pj"] == [10_649_600.0, 21_299_200.0]
    layer = accelerator["layers"][1]
    assert (layer["name"], layer["busy_taps"], layer["effective_taps"]) == ("conv", 1000, 250.0)
    assert layer["adders"]["traffic"][0] == {
        "memory": "weights",
        "purpose": "weight reads",
        "count": 100,
        "bits": 128,
        "energy_pj": [4000.0, pytest.approx(4000 * 5**0.2)],
    }
    assert layer["adders"]["traffic"][2]["energy_pj"] is None


def test_csv(tmp_path: Path) -> None:
    write_csv(energy_report(), tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["version"] in set(Lanes)]
    assert len(rows) == 3 * (1 + 3 + 3)
    row = rows[0]
    assert (row["layer"], row["purpose"], row["operation"]) == ("image", "image", "DRAM access")
    assert (row["count"], row["width_bits"], row["energy_pj"], row["energy_high_pj"]) == (
        "64",
        "8",
        "10400.0",
        "20800.0",
    )
    registers = [row for row in rows if row["operation"] == "registers access"]
    assert {(row["energy_pj"], row["energy_high_pj"]) for row in registers} == {("", "")}
