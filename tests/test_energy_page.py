"""The page: one file that needs nothing else, carries what it is handed, and escapes it."""

from __future__ import annotations

import base64
import hashlib
import re
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from energy_networks import lenet5, resnet, small_integer

from energy.counts import count_float, count_integer
from energy.document import Document
from energy.page import energy_document
from energy.plots import stacked_bars
from energy.precision import Precision
from energy.report import EnergyReport, build_report
from energy.section import Cell, KeyFigure, Picture, Section, Table
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


def resnet20_report() -> EnergyReport:
    return build_report(count_float(resnet(20)), horowitz_2014())


@pytest.fixture(scope="module")
def page() -> str:
    return energy_document(resnet20_report()).html()


def test_self_contained(page: str) -> None:
    reader = Reader(page)
    assert not reader.tags & {"link", "img", "iframe", "object", "embed", "form"}
    assert all(reference.startswith("#") for reference in reader.references)
    assert re.findall(r"@import|url\((?!#)", page) == []
    assert re.findall(r"<script\b[^>]*>", page) == ["<script>"]
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
    assert energy_document(resnet20_report()).html() == page


def test_only_the_pages_own_script_may_run(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'"Content-Security-Policy" content="([^"]*)"', page)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{digest}'" in policy


def test_every_figure_says_how_it_was_reached(page: str) -> None:
    for expected in (
        'title="443,008 × 3.7 pJ [1] + 443,008 × 0.9 pJ [1] + 40,370,176 × 0.9 pJ [1] + 40,370,176 × 0.9 pJ [1]"',
        'title="442,368 × 3.7 pJ [1] + 442,368 × 0.9 pJ [1]"',  # conv1
        "<title>conv1, as a CNN, multiplications: 1.64 µJ</title>",  # 442,368 × 3.7 pJ
        "<title>network, as it is, additions: 73.07 µJ</title>",  # (2 × 40,370,176 + 443,008) × 0.9 pJ
    ):
        assert expected in page
    numbers = re.findall(r'<td data-heading="([^"]*)" class="number"( title=)?', page[: page.index("Prices used")])
    assert len(numbers) > 150
    unsourced = [heading for heading, title in numbers if not title]
    assert set(unsourced) <= {"published"}  # whose reference stands beside the figure


def test_notes_are_lettered_in_the_order_of_need() -> None:
    figures = tuple(KeyFigure(str(number), "figure", source=f"note {number % 28}") for number in range(56))
    document = Document(title="t", introduction="", key_figures=figures, sections=(), conventions=(), sources=())
    letters = list(document.marks.values())
    assert letters[:3] + letters[25:] == ["a", "b", "c", "z", "aa", "ab"]
    page = document.html()
    assert page.count('href="#note-ab"') == 2
    assert '<li id="note-ab"><span>ab</span> note 27</li>' in page


def test_bars_take_any_parts() -> None:
    parts = {"operations": Fraction(1), "registers": Fraction(2), "SRAM": Fraction(0), "DRAM": Fraction(3, 2)}
    svg = stacked_bars({"conv <1>": {"CNN": parts, "adder": {**parts, "DRAM": Fraction(10**7)}}}, "levels")
    ElementTree.fromstring(svg)
    assert "<title>conv &lt;1&gt;, adder, DRAM: 10.00 µJ</title>" in svg
    assert "registers" in svg
    assert "SRAM" not in svg  # nowhere above 0
    assert {"var(--cnn)", "var(--adder)", "var(--third)"} <= set(re.findall(r"var\(--\w+\)", svg))
    with pytest.raises(BadInputError) as error:
        stacked_bars({"a": {"b": {str(part): Fraction(1) for part in range(7)}}}, "many")
    assert str(error.value) == "parts of a bar must be at most 6, not 7"


def test_sections_are_carried_and_escaped() -> None:
    section = Section(
        "Accuracy <b>",
        paragraphs=("Kept 98 % & more.",),
        key_figures=(KeyFigure("98.7 %", "integer", "1,000 digits"),),
        pictures=(
            Picture('<svg xmlns="http://www.w3.org/2000/svg"><title>waves</title></svg>', "Wave <1>", is_wide=True),
        ),
        tables=(
            Table(("layer", "clip"), (("conv<1>", Cell("3.1", 'by "eye"')),), ("clip",), caption="What was chosen"),
        ),
    )
    report = build_report(count_float(lenet5()), horowitz_2014(), Precision.INT8)
    page = energy_document(
        report,
        (section,),
        title="From <float> to gates",
        introduction="A & B",
        key_figures=(KeyFigure("0", "mismatches"),),
    ).html()
    reader = Reader(page)
    assert "b" not in reader.tags
    assert "float" not in reader.tags
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
    assert '<td data-heading="clip" class="number" title="by &#34;eye&#34;">3.1</td>' in page
    assert "Published beside counted" in reader.text


def test_an_integer_network_shows_its_widths() -> None:
    report = build_report(count_integer(small_integer()), horowitz_2014(), Precision.NETWORK)
    text = Reader(energy_document(report).html()).text
    assert "4 / 10" in text
    assert "no price" in text
    assert "Published beside counted" not in text


def test_written_whole(tmp_path: Path, page: str) -> None:
    path = tmp_path / "folder" / "page.html"
    energy_document(resnet20_report()).write(path)
    assert path.read_text(encoding="utf-8") == page
    assert [child.name for child in path.parent.iterdir()] == ["page.html"]


def test_bad_sections() -> None:
    with pytest.raises(BadInputError) as error:
        Table(("layer", "clip"), (("conv1",),), caption="clips")
    assert str(error.value) == "rows of table clips must have 2 cells, not 1"
    with pytest.raises(BadInputError) as error:
        Table(("layer", "clip"), (), numeric=("clips",))
    assert str(error.value) == "columns of table layer must be among layer, clip, not clips"
    with pytest.raises(BadInputError) as error:
        Picture("<img src=x>", "waves")
    assert str(error.value) == "picture waves must be SVG text, not '<img src=x>'"
