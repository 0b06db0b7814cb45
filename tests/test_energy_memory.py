"""Prices of memory against the source's own capacities, ratios and bounds worked by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
from energy_networks import resnet, small_integer
from hypothesis import given
from hypothesis import strategies as st

from energy.counts import LayerCount, Workload, count_float, count_integer
from energy.memory import Basis, EnergyRange, Reuse, dram_price, register_price, sram_price, traffic_bounds
from energy.precision import Precision, tap_ratio, tap_ratios
from energy.report import build_report
from energy.technology import NumberFormat, PricedOperation, TechnologyTable, find_table, horowitz_2014
from quant.float_network import Kind

KB = 1024


def sram_pj(capacity_bytes: Fraction | int, width_bits: int = 64) -> Fraction:
    price = sram_price(horowitz_2014(), capacity_bytes, width_bits)
    assert price is not None
    return price.energy_pj


@pytest.mark.parametrize(("kilobytes", "energy_pj"), [(8, 10), (32, 20), (1024, 100)])
def test_sram_at_the_sources_capacities(kilobytes: int, energy_pj: int) -> None:
    price = sram_price(horowitz_2014(), kilobytes * KB, 64)
    assert price is not None
    assert (price.energy_pj, price.basis) == (Fraction(energy_pj), Basis.PRINTED)
    # Per access of 64 bits, not per bit: one bit is a 64th.
    assert sram_pj(kilobytes * KB, 1) == Fraction(energy_pj, 64)


def test_between_two_capacities() -> None:
    price = sram_price(horowitz_2014(), 16 * KB, 64)
    assert price is not None
    # Half way on both logarithms: the geometric means, sqrt(8 x 32) KB and sqrt(10 x 20) pJ.
    assert math.isclose(price.energy_pj, math.sqrt(200))
    assert price.basis is Basis.INTERPOLATED


def test_below_and_above() -> None:
    small, large = (sram_price(horowitz_2014(), size, 64) for size in (100, 32 * 1024 * KB))
    assert small is not None
    assert large is not None
    assert (small.energy_pj, small.basis) == (Fraction(10), Basis.HELD)
    # 32 times the megabyte, as the megabyte is 32 times 32 KB: five times the energy again.
    assert math.isclose(large.energy_pj, 500)
    assert large.basis is Basis.EXTRAPOLATED


@given(st.integers(1, 1 << 24), st.integers(1, 1 << 24), st.integers(1, 4096))
def test_more_memory_never_costs_less(a: int, b: int, width_bits: int) -> None:
    small, large = sorted((a, b))
    assert sram_pj(small, width_bits) <= sram_pj(large, width_bits)
    assert sram_pj(small, 2 * width_bits) == 2 * sram_pj(small, width_bits)


def test_dram_is_a_range() -> None:
    assert dram_price(horowitz_2014(), 64) == EnergyRange(Fraction(1300), Fraction(2600))
    assert dram_price(horowitz_2014(), 8) == EnergyRange(Fraction("162.5"), Fraction(325))


def test_what_a_table_does_not_price() -> None:
    aladdin = find_table("aladdin-40nm")
    assert (sram_price(aladdin, 8 * KB, 64), dram_price(aladdin, 64)) == (None, None)
    assert register_price(horowitz_2014(), 19) is None
    assert register_price(aladdin, 19) == 19 * Fraction("0.009")


def test_one_capacity_is_held() -> None:
    rows = tuple(row for row in horowitz_2014().prices if row.capacity_bytes in (None, 32 * KB))
    price = sram_price(TechnologyTable("one", rows), 1024 * KB, 64)
    assert price is not None
    assert (price.energy_pj, price.basis) == (Fraction(20), Basis.HELD)


def test_the_ratios_at_45_nm() -> None:
    """Convolution over adder per tap: 2.56 in fp32, 3.83 and 2.31 in integers, 1.06 with a byte each for x and w."""
    table = horowitz_2014()
    ratios = {
        precision: f"{float(tap_ratio(precision, table).tap):.2f}"
        for precision in Precision.__members__.values()
        if precision is not Precision.NETWORK
    }
    assert ratios == {"fp32": "2.56", "fp16": "1.88", "int8": "2.31", "int8-sums8": "3.83"}
    # Worked by hand: 8 of 64 bits of 10 pJ are 1.25 pJ a byte.
    byte_pj = sram_pj(8 * KB, 8)
    assert byte_pj == Fraction("1.25")
    multiply, subtract, accumulate = (Fraction(text) for text in ("0.2", "0.03", "0.1"))
    ratio = (multiply + accumulate + 2 * byte_pj) / (subtract + accumulate + 2 * byte_pj)
    assert ratio == Fraction("2.8") / Fraction("2.63")
    assert f"{float(ratio):.2f}" == "1.06"
    # One layer of a million taps and one output, of which the byte that is written is too little to be seen.
    layer = LayerCount("layer", "Linear", (1,), Kind.ADDER, adder_taps=10**6, parameters=10**6, inputs=10**6)
    report = build_report(Workload("one", (layer,), is_integer=False), table, Precision.INT8)
    none = next(bound for bound in report.bounds if bound.reuse is Reuse.NONE)
    low, high = report.with_memory_ratio(none.energies(table)["SRAM of 8 KB"])
    assert low == high
    assert abs(low - ratio) < Fraction(1, 10**6)


def test_ratios_of_what_a_table_prices() -> None:
    ratios = tap_ratios(find_table("aladdin-40nm"))
    assert [str(ratio.precision) for ratio in ratios] == ["fp32", "int8", "int8-sums8"]
    assert tap_ratios(find_table("shiftaddnas-icml-2022")) == ()


def test_bounds_by_hand() -> None:
    # conv: 2x4x4 codes and as many of the shortcut, 2x2x3x3 weights, 2 x 2 numbers of the affine step, 2x4x4 results;
    # 576 taps. fc: 2 codes of 6 bits, 6 weights, 6 numbers, 3 results; 6 taps.
    once, none = traffic_bounds(count_integer(small_integer()), Precision.NETWORK)
    assert (once.reuse, once.reads, once.writes) == ("each tensor once", 64 + 36 + 4 + 2 + 6 + 6, 32 + 3)
    assert once.bits == (64 + 36 + 4 + 32) * 4 + (2 + 6 + 6 + 3) * 6
    assert (none.reuse, none.reads, none.writes) == ("no reuse", 2 * 582, 35)
    assert none.bits == (2 * 576 + 32) * 4 + (2 * 6 + 3) * 6
    energies = once.energies(horowitz_2014())
    assert list(energies) == ["SRAM of 8 KB", "SRAM of 32 KB", "SRAM of 1 MB", "DRAM"]
    assert energies["SRAM of 32 KB"] == EnergyRange(*[Fraction(once.bits * 20, 64)] * 2)
    assert energies["DRAM"] == EnergyRange(Fraction(once.bits * 1300, 64), Fraction(once.bits * 2600, 64))


def test_bounds_of_resnet20() -> None:
    once, none = traffic_bounds(count_float(resnet(20)), Precision.FP32)
    assert none.reads == 2 * (40_370_176 + 443_008)
    # Stages of 16, 32 and 64 channels on 32, 16 and 8 lines: seven layers each, the first
    # convolution or a shortcut among them, then 10 classes.
    assert once.writes == 7 * (16384 + 8192 + 4096) + 10
    assert once.bits == 32 * (once.reads + once.writes)


def test_no_bounds_without_inputs() -> None:
    layer = LayerCount("layer", "Linear", (1,), Kind.ADDER, adder_taps=4, parameters=4)
    workload = Workload("unknown", (layer,), is_integer=False)
    assert traffic_bounds(workload, Precision.FP32) == ()
    assert traffic_bounds(Workload("empty", (), is_integer=False), Precision.FP32) == ()


def test_a_tables_own_order_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "turned.csv"
    source = Path(__file__).parent.parent / "energy" / "tables" / "horowitz-isscc-2014.csv"
    header, *lines = source.read_text().splitlines()
    path.write_text("\n".join((header, *reversed(lines))) + "\n")
    price = sram_price(find_table(str(path)), 16 * KB, 64)
    assert price is not None
    assert price.energy_pj == sram_pj(16 * KB)
    assert find_table(str(path)).rows(PricedOperation.ADD, NumberFormat.INT)[0].width_bits == 8
