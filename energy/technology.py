"""Technology tables: what one operation costs, each number with its unit, node, voltage and source."""

from __future__ import annotations

import csv
import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from energy.quantity import capacity_text
from quant.errors import BadInputError
from quant.files import require_file

TABLES = Path(__file__).parent / "tables"

BUILT_IN = ("horowitz-isscc-2014", "aladdin-40nm", "shiftaddnas-icml-2022")
NOT_STATED = "not stated"
"""What a table says for a voltage that its source leaves out."""

PICOJOULES = {"fJ": Fraction(1, 1000), "pJ": Fraction(1), "nJ": Fraction(1000)}


class NumberFormat(enum.StrEnum):
    """What the bits of an operand mean; `WORD` is any of them, for memories."""

    INT = "int"
    FLOAT = "float"
    WORD = "word"


class PricedOperation(enum.StrEnum):
    """The operations that a technology table may price."""

    ADD = "add"
    MULTIPLY = "multiply"
    SHIFT = "shift"
    REGISTER_ACCESS = "register access"
    SRAM_ACCESS = "sram access"
    DRAM_ACCESS = "dram access"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a number was read: full citation, table or figure, and the day (ISO 8601)."""

    citation: str
    place: str
    date_read: str


@dataclass(frozen=True, slots=True)
class Price:
    """Energy of one operation or memory access.

    Attributes:
        capacity_bytes: size of the memory, for SRAM.
        energy_pj: exact decimal of the source; the lower end where it prints a range.
        energy_high_pj: the upper end of a range, otherwise None.
        node_nm, voltage_v: technology the source states; no voltage where it says none.
        interpolated: derived from other rows instead of read in the source.
        scaling: what the source's energy was multiplied by for another node (`energy.scaling`), 1 as it stands.
    """

    operation: PricedOperation
    width_bits: int
    format: NumberFormat
    capacity_bytes: int | None
    energy_pj: Fraction
    energy_high_pj: Fraction | None
    node_nm: Fraction
    voltage_v: Fraction | None
    interpolated: bool
    source: Source
    scaling: Fraction = Fraction(1)

    @property
    def label(self) -> str:
        """As `int add, 8 bits` or `sram access, 64 bits, 8 KB`."""
        if self.format is NumberFormat.WORD:
            capacity = "" if self.capacity_bytes is None else f", {capacity_text(self.capacity_bytes)}"
            return f"{self.operation}, {self.width_bits} bits{capacity}"
        return f"{self.format} {self.operation}, {self.width_bits} bits"

    @property
    def voltage(self) -> str:
        """As `0.9 V`, or that the source states none."""
        return NOT_STATED if self.voltage_v is None else f"{float(self.voltage_v):g} V"

    @property
    def derivation(self) -> str:
        """How the energy follows from the source."""
        printed = "interpolated" if self.interpolated else "as printed"
        return printed if self.scaling == 1 else f"{printed}, scaled by {float(self.scaling):.4f}"


@dataclass(frozen=True, slots=True)
class TechnologyTable:
    """All prices of one source."""

    name: str
    prices: tuple[Price, ...]

    def rows(self, operation: PricedOperation, number_format: NumberFormat) -> tuple[Price, ...]:
        """The rows of an operation, narrowest first."""
        rows = [row for row in self.prices if row.operation is operation and row.format is number_format]
        return tuple(sorted(rows, key=lambda row: row.width_bits))

    def price(self, operation: PricedOperation, width_bits: int, number_format: NumberFormat) -> Price:
        """The row of exactly this width; BadInputError names the nearest rows where there is none."""
        rows = self.rows(operation, number_format)
        for row in rows:
            if row.width_bits == width_bits:
                return row
        raise BadInputError(
            f"width of {number_format} {operation} must be one that table {self.name} prices, "
            f"not {width_bits} bits ({self._nearest(rows, width_bits)})"
        )

    def price_at_or_above(self, operation: PricedOperation, width_bits: int, number_format: NumberFormat) -> Price:
        """The narrowest row that holds `width_bits`; BadInputError where every row is narrower."""
        rows = self.rows(operation, number_format)
        for row in rows:
            if row.width_bits >= width_bits:
                return row
        raise BadInputError(
            f"width of {number_format} {operation} must be at most the widest that table {self.name} prices, "
            f"not {width_bits} bits ({self._nearest(rows, width_bits)})"
        )

    def _nearest(self, rows: tuple[Price, ...], width_bits: int) -> str:
        if not rows:
            return "no rows at any width"
        below = [row for row in rows if row.width_bits < width_bits][-1:]
        above = [row for row in rows if row.width_bits > width_bits][:1]
        nearest = (f"{row.width_bits} bits at {float(row.energy_pj):g} pJ" for row in below + above)
        return f"nearest rows: {', '.join(nearest)}"


def horowitz_2014() -> TechnologyTable:
    """Horowitz, ISSCC 2014, 45 nm: the table that the AdderNet papers' 0.9 and 3.7 pJ come from."""
    return load_table(TABLES / "horowitz-isscc-2014.csv")


def find_table(text: str) -> TechnologyTable:
    """A table of ours by its name, a csv file, or several of them joined by `+`.

    A join prices what one of them alone does not, as shifts; an operation that two of them price is an error.
    """
    if text in BUILT_IN:
        return load_table(TABLES / f"{text}.csv")
    # A file's own name may hold a +.
    if text.endswith(".csv") and ("+" not in text or Path(text).is_file()):
        return load_table(Path(text))
    if "+" not in text:
        raise BadInputError(f"technology table must be {', '.join(BUILT_IN)} or a csv file, not {text}")
    tables = [find_table(part) for part in text.split("+")]
    prices = tuple(price for table in tables for price in table.prices)
    if (twice := _priced_twice(prices)) is not None:
        raise BadInputError(f"operations of joined tables must be priced by one of them, not {twice.label} by two")
    return TechnologyTable("+".join(table.name for table in tables), prices)


def _priced_twice(prices: tuple[Price, ...]) -> Price | None:
    """The first price of an operation that an earlier one is of already."""
    priced: set[tuple[PricedOperation, int, NumberFormat, int | None]] = set()
    for price in prices:
        key = (price.operation, price.width_bits, price.format, price.capacity_bytes)
        if key in priced:
            return price
        priced.add(key)
    return None


def load_table(path: Path) -> TechnologyTable:
    """Read a technology table; the file's stem is its name.

    Raises BadInputError for a missing file, column, unit, source or price, a negative price, an unknown operation, or
    one that is priced twice.
    """
    require_file(path, "technology table")
    try:
        # Spreadsheets write a byte order mark.
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise BadInputError(f"technology table {path.name} must have a column {missing[0]}, not miss it")
            prices = tuple(
                _price(row, f"line {line} of technology table {path.name}") for line, row in enumerate(reader, 2)
            )
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadInputError(
            f"technology table {path.name} must be CSV text in UTF-8, not unreadable ({error})"
        ) from error
    if not prices:
        raise BadInputError(f"technology table {path.name} must hold at least one price, not none")
    if (twice := _priced_twice(prices)) is not None:
        raise BadInputError(f"operations of technology table {path.name} must be priced once, not {twice.label} twice")
    return TechnologyTable(path.stem, prices)


_COLUMNS = (
    "operation",
    "width_bits",
    "format",
    "capacity_bytes",
    "energy",
    "energy_high",
    "unit",
    "node_nm",
    "voltage_v",
    "interpolated",
    "source",
    "place",
    "date_read",
)


def _price(row: Mapping[str, str | None], where: str) -> Price:
    unit = _choice(row, "unit", tuple(PICOJOULES), where)
    scale = PICOJOULES[unit]
    energy = _positive(row, "energy", where)
    energy_high = _positive(row, "energy_high", where) if row["energy_high"] else None
    if energy_high is not None and energy_high < energy:
        raise BadInputError(f"energy_high in {where} must be at least the energy, not {row['energy_high']}")
    return Price(
        operation=PricedOperation(_choice(row, "operation", tuple(PricedOperation), where)),
        width_bits=_whole(row, "width_bits", where),
        format=NumberFormat(_choice(row, "format", tuple(NumberFormat), where)),
        capacity_bytes=_whole(row, "capacity_bytes", where) if row["capacity_bytes"] else None,
        energy_pj=energy * scale,
        energy_high_pj=None if energy_high is None else energy_high * scale,
        node_nm=_positive(row, "node_nm", where),
        voltage_v=None if row["voltage_v"] == NOT_STATED else _positive(row, "voltage_v", where),
        interpolated=_choice(row, "interpolated", ("yes", "no"), where) == "yes",
        source=Source(_text(row, "source", where), _text(row, "place", where), _text(row, "date_read", where)),
    )


def _text(row: Mapping[str, str | None], column: str, where: str) -> str:
    value = (row[column] or "").strip()
    if not value:
        raise BadInputError(f"{column} in {where} must be given, not left empty")
    return value


def _choice(row: Mapping[str, str | None], column: str, choices: tuple[str, ...], where: str) -> str:
    value = _text(row, column, where)
    if value not in choices:
        raise BadInputError(f"{column} in {where} must be one of {', '.join(choices)}, not {value}")
    return value


def _positive(row: Mapping[str, str | None], column: str, where: str) -> Fraction:
    text = _text(row, column, where)
    try:
        # float() first: it refuses the '1/3' that Fraction would read.
        valid = math.isfinite(float(text)) and float(text) > 0
    except ValueError:
        valid = False
    if not valid:
        raise BadInputError(f"{column} in {where} must be a positive number, not {text}")
    return Fraction(text)


def _whole(row: Mapping[str, str | None], column: str, where: str) -> int:
    value = _positive(row, column, where)
    if value.denominator != 1:
        raise BadInputError(f"{column} in {where} must be a whole number, not {row[column]}")
    return int(value)
