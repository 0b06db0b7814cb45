"""The page as Markdown, read back by a parser: the same tables, and every mark has its footnote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from energy_networks import lenet5, resnet
from markdown_it import MarkdownIt

from energy.counts import count_float
from energy.document import Document
from energy.markdown import markdown, write_markdown
from energy.page import energy_document
from energy.precision import Precision
from energy.report import build_report
from energy.section import KeyFigure, Section, Table
from energy.side_by_side import SideBySide
from energy.technology import find_table, horowitz_2014


def tables(text: str) -> list[list[str]]:
    """The text of every cell, table by table."""
    found: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        if token.type == "inline" and found and token.level == 4:  # table, thead or tbody, tr, th or td
            assert token.children is not None
            found[-1].append("".join(child.content for child in token.children))
    return found


def documents() -> dict[str, Document]:
    report = build_report(count_float(resnet(20)), horowitz_2014(), Precision.INT8, others=[find_table("aladdin-40nm")])
    return {
        "energy": energy_document(report),
        "compare": SideBySide({"lenet5": build_report(count_float(lenet5()), horowitz_2014())}).document(),
    }


@pytest.mark.parametrize("name", ["energy", "compare"])
def test_tables_are_the_pages(name: str) -> None:
    document = documents()[name]
    text = markdown(document)
    expected = [table for section in document.sections for table in section.tables]
    found = tables(text)
    assert len(found) == len(expected) > 0
    for cells, table in zip(found, expected, strict=True):
        headings = [re.sub(r"\[\^\w+\]$", "", cell) for cell in cells[: len(table.headings)]]
        assert headings == list(table.headings)
        assert cells[len(table.headings) :] == [cell.text for row in table.cells for cell in row]


@pytest.mark.parametrize("name", ["energy", "compare"])
def test_every_mark_has_its_footnote(name: str) -> None:
    text = markdown(documents()[name])
    notes = set(re.findall(r"^\[\^(\w+)\]: .", text, flags=re.MULTILINE))
    marks = set(re.findall(r"\[\^(\w+)\](?!:)", text))
    assert marks == notes
    assert notes


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    table = Table(("name", "figure"), (("a|b_c*d*<e>`f`", "1"),), numeric=("figure",))
    document = Document(
        title="# odd\nname",
        introduction="_all_",
        key_figures=(KeyFigure("1", "figure"),),
        sections=(Section("s", tables=(table,)),),
        conventions=(),
        sources=(),
    )
    write_markdown(document, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert tables(text) == [["name", "figure", "a|b_c*d*<e>`f`", "1"]]
    assert text.splitlines()[0] == r"# \# odd name"
