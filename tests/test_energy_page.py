"""The page: one file that needs nothing else, carries what it is handed, and escapes it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from energy_networks import lenet5, resnet, small_integer

from energy.counts import count_float, count_integer
from energy.page import KeyFigure, Picture, Section, Table, render_page, write_page
from energy.precision import Precision
from energy.report import build_report
from energy.technology import horowitz_2014
from quant.errors import BadInputError


class Reader(HTMLParser):
    """Collects tags, ids, references and text of a page, and the balance of its tags."""

    VOID = frozenset({"meta", "link", "br", "img", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
                self.references.append(value or "")
            assert not name.startswith("on")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page() -> str:
    return render_page(build_report(count_float(resnet(20)), horowitz_2014()))


def test_self_contained(page: str) -> None:
    reader = Reader(page)
    assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    assert all(reference.startswith("#") for reference in reader.references)
    assert re.findall(r"@import|url\((?!#)", page) == []
    assert len(reader.ids) == len(set(reader.ids))
    assert {reference[1:] for reference in reader.references} <= set(reader.ids)


def test_what_it_says(page: str) -> None:
    text = Reader(page).text
    for expected in (
        "Energy of resnet20",
        "74.70 µJ",
        "187.74 µJ",
        "2.513×",
        "4.11× = 3.7 / 0.9",
        "2.31× = (0.2 + 0.1) / (0.03 + 0.1)",
        "3.83× = (0.2 + 0.03) / (0.03 + 0.03)",
        "41.17M [2]",
        "41.17M cannot be reached by counting the architecture",
        "layer2.0.downsample.0",
        "Papers' convention: an adder tap costs two additions",
        "No fetch of a weight or an activation is in the totals",
        "doi:10.1109/ISSCC.2014.6757323",
        "Towards Stable and Robust AdderNets",
    ):
        assert expected in text


def test_plots_follow_the_theme(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    for svg in re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL):
        ElementTree.fromstring(svg)
        assert set(re.findall(r"#[0-9a-f]{6}\b", svg)) == set()
        assert "var(--adder)" in svg
        assert "<text" in svg


def test_the_same_report_gives_the_same_bytes(page: str) -> None:
    assert render_page(build_report(count_float(resnet(20)), horowitz_2014())) == page


def test_sections_are_carried_and_escaped() -> None:
    section = Section(
        "Accuracy <b>",
        paragraphs=("Kept 98 % & more.",),
        key_figures=(KeyFigure("98.7 %", "integer", "1,000 digits"),),
        pictures=(
            Picture('<svg xmlns="http://www.w3.org/2000/svg"><title>waves</title></svg>', "Wave <1>", is_wide=True),
        ),
        tables=(Table(("layer", "clip"), (("conv<1>", "3.1"),), numeric=("clip",), caption="What was chosen"),),
    )
    report = build_report(count_float(lenet5()), horowitz_2014(), Precision.INT8)
    page = render_page(
        report,
        (section,),
        title="From <float> to gates",
        introduction="A & B",
        key_figures=(KeyFigure("0", "mismatches"),),
    )
    reader = Reader(page)
    assert "b" not in reader.tags
    assert not reader.tags & {"float", "script"}
    for expected in (
        "From <float> to gates",
        "A & B",
        "Accuracy <b>",
        "Kept 98 % & more.",
        "98.7 %",
        "waves",
        "Wave <1>",
        "conv<1>",
        "What was chosen",
        "mismatches",
        "54.15 nJ",
    ):
        assert expected in reader.text
    assert reader.text.index("Accuracy <b>") < reader.text.index("Where the energy goes")
    assert '<td data-heading="clip" class="number">3.1</td>' in page
    assert "Published beside counted" in reader.text


def test_an_integer_network_shows_its_widths() -> None:
    text = Reader(render_page(build_report(count_integer(small_integer()), horowitz_2014(), Precision.NETWORK))).text
    assert "4 / 10" in text
    assert "no price" in text
    assert "Published beside counted" not in text


def test_written_whole(tmp_path: Path, page: str) -> None:
    path = tmp_path / "folder" / "page.html"
    write_page(build_report(count_float(resnet(20)), horowitz_2014()), path)
    assert path.read_text(encoding="utf-8") == page
    assert [child.name for child in path.parent.iterdir()] == ["page.html"]


def test_bad_sections() -> None:
    with pytest.raises(BadInputError) as error:
        Table(("layer", "clip"), (("conv1",),), caption="clips")
    assert str(error.value) == "rows of table clips must have 2 cells, not 1"
    with pytest.raises(BadInputError) as error:
        Picture("<img src=x>", "waves")
    assert str(error.value) == "picture waves must be SVG text, not '<img src=x>'"
