"""Node scaling against the worked example of the paper's corrigendum, and against the formula at every node."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from energy.scaling import COEFFICIENTS, find_node, nodes, parse_operating_point, scale_table
from energy.technology import NumberFormat, Price, PricedOperation, find_table, horowitz_2014, load_table
from quant.errors import BadInputError


def test_the_corrigendums_example() -> None:
    # 1 pJ of a 65 nm circuit at 1.3 V on high-performance 32 nm at 0.9 V: 0.4571 / 2.604 x 1 pJ = 0.1755 pJ.
    target, source = find_node("HP32").factor(Fraction("0.9")), find_node("65").factor(Fraction("1.3"))
    assert (f"{float(target):.4f}", f"{float(source):.3f}") == ("0.4571", "2.604")
    assert f"{0.4571 / 2.604:.4f}" == "0.1755"
    assert abs(target / source - Fraction("0.1755")) < Fraction("0.0001")


def test_all_nodes_are_there() -> None:
    flavoured = [f"{flavour}{size}" for flavour in ("HP", "LP") for size in (45, 32, 20, 16, 14, 10, 7)]
    assert sorted(nodes()) == sorted(["180", "130", "90", "65", *flavoured])
    text = COEFFICIENTS.read_text()
    assert text.count("doi:10.1016/j.vlsi.2017.02.002") == len(nodes())


def test_a_smaller_node_takes_less() -> None:
    at_one_volt = [find_node(name).factor(Fraction(1)) for name in ("180", "130", "90", "65", "45", "32", "20", "16")]
    assert at_one_volt == sorted(at_one_volt, reverse=True)


def prices(operation: PricedOperation, number_format: NumberFormat, node: str, voltage: str) -> tuple[Price, ...]:
    return scale_table(horowitz_2014(), parse_operating_point(node, voltage)).rows(operation, number_format)


def test_scaled_table() -> None:
    # 45 nm at 0.9 V: 1.018 x 0.81 - 0.3107 x 0.9 + 0.1539 = 0.69885; 7 nm at 0.7 V: 0.1776 x 0.49 - 0.09097 x 0.7
    # + 0.02447 = 0.047815.
    factor = Fraction("0.047815") / Fraction("0.69885")
    add = prices(PricedOperation.ADD, NumberFormat.INT, "7", "0.7")[0]
    assert (add.energy_pj, add.scaling, add.node_nm, add.voltage_v) == (
        Fraction("0.03") * factor,
        factor,
        Fraction(7),
        Fraction("0.7"),
    )
    assert add.derivation == "as printed, scaled by 0.0684"
    srams = prices(PricedOperation.SRAM_ACCESS, NumberFormat.WORD, "7", "0.7")
    assert [row.energy_pj for row in srams] == [10 * factor, 20 * factor, 100 * factor]
    (dram,) = prices(PricedOperation.DRAM_ACCESS, NumberFormat.WORD, "7", "0.7")
    assert (dram.energy_pj, dram.energy_high_pj, dram.node_nm, dram.scaling) == tuple(
        map(Fraction, (1300, 2600, 45, 1))
    )


def test_low_power_is_asked_for_by_name() -> None:
    assert find_node("7").name == "HP7"
    assert find_node("lp7").name == "LP7"
    assert find_node("65").name == "65"


def test_at_its_own_node_nothing_changes() -> None:
    table = scale_table(horowitz_2014(), parse_operating_point("45", "0.9"))
    assert table.prices == horowitz_2014().prices
    assert table.name == "horowitz-isscc-2014 at HP45, 0.9 V"


NAMES = "180, 130, 90, 65, HP45, HP32, LP45, LP32, HP20, HP16, HP14, HP10, HP7, LP20, LP16, LP14, LP10, LP7"


@pytest.mark.parametrize(
    ("node", "voltage", "message"),
    [
        ("28", "0.9", f"node must be one of {NAMES}, not 28"),
        ("7", "low", "voltage must be a number of volts, not low"),
        ("7", "1/0", "voltage must be a number of volts, not 1/0"),
        ("7", "inf", "voltage must be a number of volts, not inf"),
        ("7", "1e400", "voltage must be a number of volts, not 1e400"),
        ("7", "1.81", "voltage of node HP7 must be at most 1.8 V, not 1.81 V"),
        ("7", "100", "voltage of node HP7 must be at most 1.8 V, not 100 V"),
        ("180", "0", "voltage of node 180 must be one at which its fitted energy is positive and rises, not 0 V"),
        # The parabola of 65 nm is lowest at 4.398 / (2 x 3.755) = 0.586 V.
        ("65", "0.58", "voltage of node 65 must be one at which its fitted energy is positive and rises, not 0.58 V"),
        # 24.64 V - 17.98 is 0 at 0.7297 V.
        ("180", "0.72", "voltage of node 180 must be one at which its fitted energy is positive and rises, not 0.72 V"),
        ("7", "-1", "voltage of node HP7 must be one at which its fitted energy is positive and rises, not -1 V"),
    ],
)
def test_bad_points(node: str, voltage: str, message: str) -> None:
    with pytest.raises(BadInputError) as error:
        parse_operating_point(node, voltage)
    assert str(error.value) == message


def test_tables_that_cannot_be_scaled(tmp_path: Path) -> None:
    point = parse_operating_point("7", "0.7")
    with pytest.raises(BadInputError) as error:
        scale_table(find_table("aladdin-40nm"), point)
    assert str(error.value) == "voltage of table aladdin-40nm must be stated for it to be scaled, not left out"
    path = tmp_path / "mine.csv"
    header = (Path(COEFFICIENTS).parent / "aladdin-40nm.csv").read_text().splitlines()[0]
    path.write_text(f"{header}\nadd,8,int,,0.03,,pJ,28,0.9,no,a paper,a table,2026-11-21\n")
    with pytest.raises(BadInputError) as error:
        scale_table(load_table(path), point)
    assert str(error.value) == f"node of table mine must be one of {NAMES}, not 28"
