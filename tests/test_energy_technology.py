"""The Horowitz table against its printed numbers, and what a bad table is told."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from energy.technology import BUILT_IN, NumberFormat, PricedOperation, find_table, horowitz_2014, load_table
from quant.errors import BadInputError

HEADER = (
    "operation,width_bits,format,capacity_bytes,energy,energy_high,unit,"
    "node_nm,voltage_v,interpolated,source,place,date_read"
)
ROW = "add,8,int,,0.03,,pJ,45,0.9,no,a paper,a table,2026-11-21"
SRAM = "sram access,64,word,8192,5,,pJ,45,0.9,no,a paper,a table,2026-11-21"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join((header, *rows)) + "\n")
    return path


@pytest.mark.parametrize(
    ("number_format", "operation", "width_bits", "energy_pj"),
    [
        ("int", "add", 8, "0.03"),
        ("int", "add", 16, "0.05"),
        ("int", "add", 32, "0.1"),
        ("int", "multiply", 8, "0.2"),
        ("int", "multiply", 32, "3.1"),
        ("float", "add", 16, "0.4"),
        ("float", "add", 32, "0.9"),
        ("float", "multiply", 16, "1.1"),
        ("float", "multiply", 32, "3.7"),
    ],
)
def test_horowitz_arithmetic(number_format: str, operation: str, width_bits: int, energy_pj: str) -> None:
    price = horowitz_2014().price(PricedOperation(operation), width_bits, NumberFormat(number_format))
    assert price.energy_pj == Fraction(energy_pj)


def test_horowitz_memory() -> None:
    rows = {
        (str(row.operation), row.width_bits, row.capacity_bytes): (row.energy_pj, row.energy_high_pj)
        for row in horowitz_2014().prices
        if row.format is NumberFormat.WORD
    }
    assert rows == {
        ("sram access", 64, 8 * 1024): (Fraction(10), None),
        ("sram access", 64, 32 * 1024): (Fraction(20), None),
        ("sram access", 64, 1024 * 1024): (Fraction(100), None),
        ("dram access", 64, None): (Fraction(1300), Fraction(2600)),
    }


def test_horowitz_says_where_every_number_is_from() -> None:
    table = horowitz_2014()
    assert (table.name, len(table.prices)) == ("horowitz-isscc-2014", 13)
    for row in table.prices:
        assert "Horowitz" in row.source.citation
        assert "doi:10.1109/ISSCC.2014.6757323" in row.source.citation
        assert row.source.place.startswith("Figure 1.1.9")
        assert (row.node_nm, row.voltage_v, row.interpolated) == (Fraction(45), Fraction(9, 10), False)


def test_sixteen_bit_multiplication_is_not_made_up() -> None:
    with pytest.raises(BadInputError) as error:
        horowitz_2014().price(PricedOperation.MULTIPLY, 16, NumberFormat.INT)
    assert str(error.value) == (
        "width of int multiply must be one that table horowitz-isscc-2014 prices, "
        "not 16 bits (nearest rows: 8 bits at 0.2 pJ, 32 bits at 3.1 pJ)"
    )


def test_an_interpolated_row_serves_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, "multiply,16,int,,0.8,,pJ,45,0.9,yes,a paper,between two rows,2026-11-21")
    price = load_table(path).price(PricedOperation.MULTIPLY, 16, NumberFormat.INT)
    assert (price.energy_pj, price.interpolated) == (Fraction(4, 5), True)


@pytest.mark.parametrize(("width_bits", "row"), [(1, 8), (8, 8), (9, 16), (16, 16), (17, 32), (32, 32)])
def test_the_narrowest_row_that_holds_a_width(width_bits: int, row: int) -> None:
    assert horowitz_2014().price_at_or_above(PricedOperation.ADD, width_bits, NumberFormat.INT).width_bits == row


def test_no_row_above() -> None:
    with pytest.raises(BadInputError) as error:
        horowitz_2014().price_at_or_above(PricedOperation.ADD, 33, NumberFormat.INT)
    assert str(error.value) == (
        "width of int add must be at most the widest that table horowitz-isscc-2014 prices, "
        "not 33 bits (nearest rows: 32 bits at 0.1 pJ)"
    )
    with pytest.raises(BadInputError, match=r"not 64 bits \(no rows at any width\)$"):
        horowitz_2014().price(PricedOperation.SRAM_ACCESS, 64, NumberFormat.INT)


@pytest.mark.parametrize(("unit", "energy_pj"), [("fJ", "0.00003"), ("pJ", "0.03"), ("nJ", "30")])
def test_units(tmp_path: Path, unit: str, energy_pj: str) -> None:
    (price,) = load_table(write(tmp_path, ROW.replace("pJ", unit))).prices
    assert price.energy_pj == Fraction(energy_pj)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ROW.replace("0.03", ""), "energy in line 2 of technology table table.csv must be given, not left empty"),
        (
            ROW.replace("0.03", "-0.03"),
            "energy in line 2 of technology table table.csv must be a positive number, not -0.03",
        ),
        (
            ROW.replace("0.03", "1/3"),
            "energy in line 2 of technology table table.csv must be a positive number, not 1/3",
        ),
        (
            ROW.replace("0.03", "nan"),
            "energy in line 2 of technology table table.csv must be a positive number, not nan",
        ),
        (ROW.replace("pJ", ""), "unit in line 2 of technology table table.csv must be given, not left empty"),
        (
            ROW.replace("pJ", "pJ/bit"),
            "unit in line 2 of technology table table.csv must be one of fJ, pJ, nJ, not pJ/bit",
        ),
        (
            ROW.replace("add", "divide"),
            "operation in line 2 of technology table table.csv must be one of "
            "add, multiply, shift, register access, sram access, dram access, not divide",
        ),
        (
            ROW.replace("int", "posit"),
            "format in line 2 of technology table table.csv must be one of int, float, word, not posit",
        ),
        (
            ROW.replace(",8,", ",8.5,"),
            "width_bits in line 2 of technology table table.csv must be a whole number, not 8.5",
        ),
        (ROW.replace("a paper", " "), "source in line 2 of technology table table.csv must be given, not left empty"),
        (
            ROW.replace("0.9", ""),
            "voltage_v in line 2 of technology table table.csv must be given, not left empty",
        ),
        (
            ROW.replace("no", "maybe"),
            "interpolated in line 2 of technology table table.csv must be one of yes, no, not maybe",
        ),
        ("add,8", "unit in line 2 of technology table table.csv must be given, not left empty"),
    ],
)
def test_bad_rows(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(BadInputError) as error:
        load_table(write(tmp_path, row))
    assert str(error.value) == message


def test_bad_tables(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as error:
        load_table(write(tmp_path, header=HEADER.replace(",unit", "")))
    assert str(error.value) == "technology table table.csv must have a column unit, not miss it"
    with pytest.raises(BadInputError) as error:
        load_table(write(tmp_path))
    assert str(error.value) == "technology table table.csv must hold at least one price, not none"
    with pytest.raises(BadInputError) as error:
        load_table(tmp_path / "absent.csv")
    assert str(error.value) == f"technology table must be an existing file, not missing: {tmp_path / 'absent.csv'}"
    path = tmp_path / "latin.csv"
    path.write_bytes(HEADER.encode() + b"\n\xe9\n")
    with pytest.raises(BadInputError) as error:
        load_table(path)
    assert str(error.value) == (
        "technology table latin.csv must be CSV text in UTF-8, not unreadable "
        "('utf-8' codec can't decode byte 0xe9 in position 121: invalid continuation byte)"
    )
    for rows, message in (
        (2 * [ROW], "operations of technology table table.csv must be priced once, not int add, 8 bits twice"),
        (
            [SRAM, SRAM.replace(",5,", ",6,")],
            "operations of technology table table.csv must be priced once, not sram access, 64 bits, 8 KB twice",
        ),
        (
            [ROW, SRAM.replace(",5,,", ",5,4.9,")],
            "energy_high in line 3 of technology table table.csv must be at least the energy, not 4.9",
        ),
    ):
        with pytest.raises(BadInputError) as error:
            load_table(write(tmp_path, *rows))
        assert str(error.value) == message
    (tmp_path / "open.csv").write_text(HEADER + '\n"add')
    with pytest.raises(BadInputError) as error:
        load_table(tmp_path / "open.csv")
    assert str(error.value) == (
        "technology table open.csv must be CSV text in UTF-8, not unreadable (unexpected end of data)"
    )


def test_aladdin() -> None:
    table = find_table("aladdin-40nm")
    energies = {(row.label, row.interpolated): row.energy_pj for row in table.prices}
    assert energies == {
        ("int add, 8 bits", True): Fraction("0.0857") / 4,
        ("int add, 16 bits", True): Fraction("0.0857") / 2,
        ("int add, 32 bits", False): Fraction("0.0857"),
        ("int multiply, 8 bits", True): Fraction("8.63") / 16,
        ("int multiply, 16 bits", True): Fraction("8.63") / 4,
        ("int multiply, 32 bits", False): Fraction("8.63"),
        ("float add, 32 bits", False): Fraction("7.928"),
        ("float multiply, 32 bits", False): Fraction("24.4"),
        ("register access, 1 bits", False): Fraction("0.009"),
    }
    assert {row.node_nm for row in table.prices} == {Fraction(40)}
    assert {row.voltage_v for row in table.prices} == {None}


def test_tables_that_are_found(tmp_path: Path) -> None:
    assert [find_table(name).name for name in BUILT_IN] == list(BUILT_IN)
    mine = write(tmp_path, ROW)
    assert find_table(str(mine)).name == "table"
    mine.write_bytes(b"\xef\xbb\xbf" + mine.read_bytes())  # as spreadsheets write it
    assert find_table(str(mine)).prices[0].operation is PricedOperation.ADD
    with pytest.raises(BadInputError) as error:
        find_table("horowitz")
    assert str(error.value) == (
        "technology table must be horowitz-isscc-2014, aladdin-40nm, shiftaddnas-icml-2022 or a csv file, not horowitz"
    )


def test_joined_tables(tmp_path: Path) -> None:
    table = find_table("horowitz-isscc-2014+shiftaddnas-icml-2022")
    assert table.name == "horowitz-isscc-2014+shiftaddnas-icml-2022"
    assert table.price(PricedOperation.ADD, 8, NumberFormat.INT).energy_pj == Fraction("0.03")
    shifts = [table.price(PricedOperation.SHIFT, bits, NumberFormat.INT) for bits in (8, 32)]
    assert [shift.energy_pj for shift in shifts] == [Fraction("0.024"), Fraction("0.13")]
    assert all("ShiftAddNAS" in shift.source.citation for shift in shifts)
    mine = write(tmp_path, ROW.replace("add,8", "add,24"))
    assert find_table(f"horowitz-isscc-2014+{mine}").name == "horowitz-isscc-2014+table"
    assert find_table(f"{mine}+horowitz-isscc-2014").name == "table+horowitz-isscc-2014"
    own_name = mine.rename(tmp_path / "a+b.csv")
    assert find_table(str(own_name)).name == "a+b"
    with pytest.raises(BadInputError) as error:
        find_table("horowitz-isscc-2014+aladdin-40nm")
    assert str(error.value) == ("operations of joined tables must be priced by one of them, not int add, 8 bits by two")
