"""The report page as Markdown, for where HTML is not shown: its text and tables, notes as footnotes, no pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from energy.document import Document
from energy.section import KeyFigure, Table
from quant.files import replacing_file


def markdown(document: Document) -> str:
    """In GitHub's form; what a single cell says on hover is left out, what its column says is a footnote."""
    return "\n".join(_lines(document)) + "\n"


def write_markdown(document: Document, path: Path) -> None:
    """Write the page to `path`, whole or not at all."""
    with replacing_file(path) as temporary:
        temporary.write_text(markdown(document), encoding="utf-8")


def _lines(document: Document) -> Iterator[str]:
    marks = document.marks
    yield from (f"# {_escaped(document.title)}", "", _escaped(document.introduction), "")
    yield from _figures(document.key_figures, marks)
    for section in document.sections:
        yield from (f"## {_escaped(section.title)}", "")
        for paragraph in section.paragraphs:
            yield from (_escaped(paragraph), "")
        yield from _figures(section.key_figures, marks)
        for table in section.tables:
            yield from _table(table, marks)
    yield from ("## Conventions", "", *(f"- {_escaped(line)}" for line in document.conventions), "")
    yield from ("## Sources", "")
    for number, source in enumerate(document.sources, 1):
        yield f"{number}. {_escaped(source.citation)}. {_escaped(source.place)}; read {source.date_read}."
    if marks:
        yield ""
        yield from (f"[^{letter}]: {_escaped(note)}" for note, letter in marks.items())


def _figures(figures: tuple[KeyFigure, ...], marks: Mapping[str, str]) -> Iterator[str]:
    for figure in figures:
        note = f", {_escaped(figure.note)}" if figure.note else ""
        yield f"- **{_escaped(figure.value)}** {_escaped(figure.label)}{note}{_mark(figure.source, marks)}"
    if figures:
        yield ""


def _table(table: Table, marks: Mapping[str, str]) -> Iterator[str]:
    if table.caption:
        yield from (f"*{_escaped(table.caption)}*", "")
    yield _row(_escaped(heading) + _mark(table.sources.get(heading, ""), marks) for heading in table.headings)
    yield _row("---:" if heading in table.numeric else "---" for heading in table.headings)
    yield from (_row(_escaped(cell.text) for cell in row) for row in table.cells)
    yield ""


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _mark(source: str, marks: Mapping[str, str]) -> str:
    return f"[^{marks[source]}]" if source else ""


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is: names of networks and files hold anything."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, "\\" + character)
    return " ".join(text.split())
