"""Parts of a report page as plain data: no HTML, so that any command can hand in its own."""

from __future__ import annotations

from dataclasses import dataclass

from quant.errors import BadInputError


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """A number to remember: `value` with its unit, `label` below it, an optional `note` in small print."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text; a column whose heading is in `numeric` is set right-aligned in tabular figures.

    With `has_total` the last row is set apart from the others.
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[str, ...] = ()
    caption: str = ""
    has_total: bool = False

    @property
    def is_prose(self) -> bool:
        """Whether a cell holds a sentence: such a table is stacked on a narrow screen, others scroll."""
        return any(len(cell) > 48 for row in self.rows for cell in row)

    def __post_init__(self) -> None:
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
