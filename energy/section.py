"""Parts of a report page as plain data: no HTML, so that any command can hand in its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.errors import BadInputError


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number to remember: `value` with its unit, `label` below it, an optional `note` in small print.

    `source` says how the number was reached; the page shows it on hover and as a footnote.
    """

    value: str
    label: str
    note: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a table that says on hover how it was reached, as `1,152 × 0.9 pJ`."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text, told by their headings.

    Attributes:
        numeric: headings of columns set right-aligned in tabular figures, and sorted as numbers.
        has_total: the last row is set apart from the others.
        sources: by heading, how a column's numbers were reached; shown on hover and as footnotes.
        explorable: with a script at work the reader can sort by any column and filter the rows. Numbers of a column
            then share the unit that its heading names.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str | Cell, ...], ...]
    numeric: tuple[str, ...] = ()
    caption: str = ""
    has_total: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)
    explorable: bool = False

    @property
    def cells(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows, each text with its own source or else its column's."""
        return tuple(
            tuple(
                cell if isinstance(cell, Cell) else Cell(cell, self.sources.get(heading, ""))
                for heading, cell in zip(self.headings, row, strict=True)
            )
            for row in self.rows
        )

    @property
    def is_prose(self) -> bool:
        """Whether a cell holds a sentence: such a table is stacked on a narrow screen, others scroll."""
        return any(len(cell.text) > 48 for row in self.cells for cell in row)

    def __post_init__(self) -> None:
        unknown = [heading for heading in (*self.numeric, *self.sources) if heading not in self.headings]
        if unknown:
            raise BadInputError(
                f"columns of table {self.caption or self.headings[0]} must be among {', '.join(self.headings)}, "
                f"not {unknown[0]}"
            )
        for row in self.rows:
            if len(row) != len(self.headings):
                raise BadInputError(
                    f"rows of table {self.caption or self.headings[0]} must have {len(self.headings)} cells, "
                    f"not {len(row)}"
                )


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG image as text, put into the page as it is, with a caption; `is_wide` gives it the page's whole width."""

    svg: str
    caption: str
    is_wide: bool = False

    def __post_init__(self) -> None:
        if not self.svg.lstrip().startswith(("<svg", "<?xml")):
            raise BadInputError(f"picture {self.caption} must be SVG text, not {self.svg[:20]!r}")


@dataclass(frozen=True, slots=True)
class Section:
    """A titled part of the page, shown in the order of its fields."""

    title: str
    paragraphs: tuple[str, ...] = ()
    key_figures: tuple[KeyFigure, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
