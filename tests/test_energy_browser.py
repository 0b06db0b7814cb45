"""The page in a browser: sorts, filters, fits a phone, follows the theme, prints whole, asks the network nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from energy_networks import resnet
from headless_chromium import chromium, chromium_path
from playwright.sync_api import Browser, Locator, Page

from energy.counts import count_float
from energy.page import energy_document
from energy.precision import Precision
from energy.report import build_report
from energy.section import Section, Table
from energy.technology import horowitz_2014
from quant.errors import MissingToolError

LAYERS = ["conv2", "conv10", "conv1", "fc"]
TAPS = ["1,200", "–", "90.5", "10,000"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report whose first section holds a table small enough to sort by hand."""
    rows = (*((layer, taps) for layer, taps in zip(LAYERS, TAPS, strict=True)), ("total", "11,290.5"))
    table = Table(("layer", "taps"), rows, ("taps",), has_total=True, sources={"taps": "By hand."}, explorable=True)
    report = build_report(count_float(resnet(20)), horowitz_2014(), Precision.INT8)
    path = tmp_path_factory.mktemp("page") / "page.html"
    energy_document(report, (Section("Small", tables=(table,)),)).write(path)
    return path.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page as a desktop shows it; nothing may be said on the console, and nothing fetched but the page."""
    said: list[str] = []
    fetched: list[str] = []
    opened = browser.new_page(viewport={"width": 1200, "height": 900}, color_scheme="light")
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    opened.on("request", lambda request: fetched.append(request.url))
    opened.goto(address)
    yield opened
    opened.close()
    assert said == []
    assert fetched == [address]


def small(page: Page) -> Locator:
    return page.locator("section", has=page.get_by_role("heading", name="Small"))


def column(page: Page, number: int) -> list[str]:
    return small(page).locator(f"tbody tr:visible td:nth-child({number})").all_inner_texts()


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_numbers_sort_as_numbers_both_ways_and_back(page: Page) -> None:
    heading = small(page).get_by_role("columnheader", name="taps")
    button = heading.get_by_role("button")
    assert heading.get_attribute("aria-sort") is None
    for order, expected in (
        ("ascending", ["–", "90.5", "1,200", "10,000"]),
        ("descending", ["10,000", "1,200", "90.5", "–"]),
        (None, TAPS),
    ):
        button.click()
        assert heading.get_attribute("aria-sort") == order
        assert column(page, 2) == expected
    assert small(page).locator("tfoot").inner_text().split() == ["total", "11,290.5"]


def test_names_sort_by_keyboard_with_numbers_in_them(page: Page) -> None:
    small(page).get_by_role("columnheader", name="taps").get_by_role("button").click()
    button = small(page).get_by_role("columnheader", name="layer").get_by_role("button")
    button.focus()
    page.keyboard.press("Enter")
    assert column(page, 1) == ["conv1", "conv2", "conv10", "fc"]
    page.keyboard.press("Space")
    assert column(page, 1) == ["fc", "conv10", "conv2", "conv1"]
    assert small(page).locator("[aria-sort]").count() == 1


def test_the_filter_hides_rows_and_says_how_many_are_left(page: Page) -> None:
    box = small(page).get_by_role("searchbox", name="Filter rows")
    left = small(page).locator("output")
    assert left.inner_text() == "4 rows"
    box.fill("CONV")
    assert (left.inner_text(), column(page, 1)) == ("3 of 4 rows", ["conv2", "conv10", "conv1"])
    box.fill("conv 1,2")
    assert (left.inner_text(), column(page, 1)) == ("1 of 4 rows", ["conv2"])
    small(page).get_by_role("columnheader", name="layer").get_by_role("button").click()
    assert column(page, 1) == ["conv2"]
    box.fill("nothing like it")
    assert (left.inner_text(), column(page, 1)) == ("0 of 4 rows", [])
    box.fill("")
    assert (left.inner_text(), len(column(page, 1))) == ("4 rows", 4)


def test_marks_lead_to_their_notes(page: Page) -> None:
    mark = small(page).locator("th a.mark")
    assert mark.get_attribute("title") == "By hand."
    target = mark.get_attribute("href")
    assert target is not None
    assert "By hand." in page.locator(target).inner_text()
    assert small(page).locator("tbody td.number").first.get_attribute("title") == "By hand."


@pytest.mark.parametrize("width", [390, 1200])
def test_the_body_never_scrolls_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_dark_scheme_applies(page: Page) -> None:
    light = background(page)
    page.emulate_media(color_scheme="dark")
    assert (light, background(page)) == ("rgb(251, 251, 248)", "rgb(20, 24, 26)")
    bar = page.locator("svg g[id*=part] path").first
    dark_bar = bar.evaluate("bar => getComputedStyle(bar).fill")
    page.emulate_media(color_scheme="light")
    assert bar.evaluate("bar => getComputedStyle(bar).fill") != dark_bar


def test_print_shows_everything_on_white(page: Page) -> None:
    small(page).get_by_role("searchbox").fill("fc")
    page.emulate_media(media="print", color_scheme="dark")
    assert column(page, 1) == LAYERS
    assert not small(page).get_by_role("searchbox").is_visible()
    assert background(page) == "rgb(255, 255, 255)"
    overflows = page.locator(".scroll").evaluate_all("all => all.map(each => getComputedStyle(each).overflowX)")
    assert set(overflows) == {"visible"}


def test_a_plain_table_without_a_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert column(page, 2) == TAPS
    assert page.get_by_role("searchbox").count() == small(page).get_by_role("button").count() == 0
    context.close()


def test_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        chromium_path()
    assert str(caught.value) == (
        "chromium must be installed, not missing; "
        "run as root: apt-get update && apt-get install -y --no-install-recommends chromium"
    )
