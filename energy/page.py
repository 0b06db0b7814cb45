"""One self-contained HTML page: no script, no external resource, light and dark, printable, readable on a phone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import jinja2
import markupsafe

from energy.counts import Version
from energy.memory_section import ACCELERATOR_TITLE, LAYERS_TITLE, memory_sections
from energy.plots import layer_bars, layer_level_bars, level_bars, operation_bars, ratio_bars
from energy.precision import meaning
from energy.quantity import count_text, energy_text, in_unit, ratio_text, table_unit
from energy.report import EnergyReport, Item
from energy.section import KeyFigure, Picture, Section, Table
from energy.technology import NOT_STATED, NumberFormat, Price, Source
from quant.files import replacing_file

__all__ = ["KeyFigure", "Picture", "Section", "Table", "render_page", "write_page"]


@dataclass(frozen=True, slots=True)
class _Footnote:
    number: int
    source: Source


def render_page(
    report: EnergyReport,
    sections: Sequence[Section] = (),
    *,
    title: str = "",
    introduction: str = "",
    key_figures: Sequence[KeyFigure] = (),
) -> str:
    """The page as HTML text; `sections` stand before the energy sections, `key_figures` before the energy figures.

    All text is escaped; only a `Picture`'s SVG is taken as it is.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = markupsafe.Markup
    footnotes = tuple(_Footnote(number, source) for number, source in enumerate(report.sources, 1))
    return environment.get_template("page.html").render(
        title=title or f"Energy of {report.workload.model}",
        introduction=introduction or _introduction(report),
        key_figures=(*key_figures, *_key_figures(report)),
        sections=(*sections, *energy_sections(report)),
        conventions=report.conventions,
        footnotes=footnotes,
    )


def write_page(
    report: EnergyReport,
    path: Path,
    sections: Sequence[Section] = (),
    *,
    title: str = "",
    introduction: str = "",
    key_figures: Sequence[KeyFigure] = (),
) -> None:
    """Write `render_page(...)` to `path`, whole or not at all."""
    page = render_page(report, sections, title=title, introduction=introduction, key_figures=key_figures)
    with replacing_file(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def energy_sections(report: EnergyReport) -> tuple[Section, ...]:
    """The report's own sections, in the page's order."""
    sections = (
        _where(report),
        _honest(report),
        *_memory(report),
        _uncharged(report),
        _layers(report),
        _published(report),
        _prices(report),
    )
    return tuple(section for section in sections if section.tables or section.pictures)


def _memory(report: EnergyReport) -> tuple[Section, ...]:
    sections = memory_sections(report)
    accelerator = report.accelerator
    if accelerator is None:
        return sections
    pictures = {
        ACCELERATOR_TITLE: Picture(level_bars(accelerator), "Energy of one image by level, low ends of the ranges."),
        LAYERS_TITLE: Picture(layer_level_bars(accelerator), "The adder array's layers by level, low ends."),
    }
    return tuple(
        dataclasses.replace(section, pictures=(pictures[section.title],)) if section.title in pictures else section
        for section in sections
    )


def _introduction(report: EnergyReport) -> str:
    kind = "integer" if report.workload.is_integer else "float"
    return (
        f"Arithmetic of one image through the {kind} network {report.workload.model}: {meaning(report.precision)}, "
        f"priced by the table {report.table}. Beside it the same network with every adder tap a multiplication."
    )


def _key_figures(report: EnergyReport) -> tuple[KeyFigure, ...]:
    adder, cnn = report.total(Version.ADDER), report.total(Version.CNN)
    return (
        KeyFigure(energy_text(adder.energy_pj), "adder network", f"{count_text(adder.additions)} additions"),
        KeyFigure(
            energy_text(cnn.energy_pj), "same network as a CNN", f"{count_text(cnn.multiplications)} multiplications"
        ),
        KeyFigure(ratio_text(report.ratio), "less energy in arithmetic", "memory stands beside it"),
        KeyFigure(
            count_text(report.workload.adder_taps),
            "adder taps",
            f"and {report.workload.dot_taps:,} that multiply"
            if report.workload.dot_taps
            else "and none that multiplies",
        ),
    )


def _where(report: EnergyReport) -> Section:
    rows = [
        (name, f"{bill.multiplications:,}", f"{bill.additions:,}", energy_text(bill.energy_pj))
        for name, bill in (
            ("adder network", report.total(Version.ADDER)),
            ("same as a CNN", report.total(Version.CNN)),
        )
    ]
    return Section(
        "Where the energy goes",
        pictures=(
            Picture(layer_bars(report), "Energy of each layer with taps, as the papers charge it."),
            Picture(operation_bars(report), "By operation. The last part is work that the papers do not charge."),
            Picture(ratio_bars(report), "Energy of a convolution's tap over an adder's, at every precision."),
        ),
        tables=(
            Table(
                ("network", "multiplications", "additions", "energy"),
                tuple(rows),
                numeric=("multiplications", "additions", "energy"),
            ),
        ),
    )


def _honest(report: EnergyReport) -> Section:
    rows = tuple(
        (
            meaning(ratio.precision),
            f"{ratio_text(ratio.swap)} = {ratio.swap_arithmetic}",
            f"{ratio_text(ratio.tap)} = {ratio.tap_arithmetic}",
        )
        for ratio in report.tap_ratios
    )
    return Section(
        "How much of the saving survives",
        paragraphs=(
            "An addition is cheaper than a multiplication by the first ratio, but a tap also accumulates, in either "
            "network: the second ratio is what a layer saves. Layers that stay dot products and work outside the taps "
            f"bring it to {ratio_text(report.ratio, 3)} for this network as the papers charge it, and to "
            f"{ratio_text(report.whole_ratio, 3)} with everything that this page prices.",
            "Memory is not in these ratios. Both networks fetch the same weights and activations, so each fetch brings "
            "the ratio closer to one.",
        ),
        tables=(Table(("precision", "multiplier swap alone", "tap with accumulation"), rows),),
    )


def _uncharged(report: EnergyReport) -> Section:
    items = report.items(Version.ADDER, charged=False)
    return Section(
        "What the papers do not charge",
        paragraphs=(
            "Counted for the adder network. As a CNN it does the same work, except for the absolute values; charging "
            "both for it brings the ratio closer to one.",
        )
        if items
        else (),
        tables=(_item_table(items),) if items else (),
    )


def _item_table(items: Sequence[Item]) -> Table:
    total = sum((item.energy_pj for item in items), Fraction(0))
    scale, unit = table_unit(total)
    rows = [
        (
            item.count.purpose,
            str(item.count.operation),
            "no price" if item.price is None else item.price.label,
            f"{item.count.count:,}",
            "–" if item.price is None else in_unit(item.energy_pj, scale),
        )
        for item in items
    ]
    rows.append(("total of what has a price", "", "", "", in_unit(total, scale)))
    numeric = ("count", f"energy, {unit}")
    return Table(("purpose", "operation", "priced as", *numeric), tuple(rows), numeric=numeric, has_total=True)


def _layers(report: EnergyReport) -> Section:
    scale, unit = table_unit(report.total(Version.CNN).energy_pj)
    rows = []
    for row in report.layers:
        layer = row.layer
        if layer.kind is None:
            continue
        widths = "" if layer.widths is None else f"{layer.widths.operand} / {layer.widths.accumulator}"
        cnn, adder = row.bill(Version.CNN).energy_pj, row.bill(Version.ADDER).energy_pj
        rows.append(
            (
                layer.name,
                str(layer.kind),
                "×".join(map(str, layer.output_shape)),
                *((widths,) if report.workload.is_integer else ()),
                f"{layer.adder_taps + layer.dot_taps:,}",
                f"{layer.parameters:,}",
                in_unit(adder, scale),
                in_unit(cnn, scale),
                ratio_text(cnn / adder),
            )
        )
    blank = ("", "", "") if report.workload.is_integer else ("", "")
    rows.append(
        (
            "total",
            *blank,
            f"{report.workload.adder_taps + report.workload.dot_taps:,}",
            f"{report.workload.parameters:,}",
            in_unit(report.total(Version.ADDER).energy_pj, scale),
            in_unit(report.total(Version.CNN).energy_pj, scale),
            ratio_text(report.ratio),
        )
    )
    numeric = ("taps", "parameters", f"adder, {unit}", f"as a CNN, {unit}", "ratio")
    widths_heading = ("code / sum bits",) if report.workload.is_integer else ()
    headings = ("layer", "taps are", "output", *widths_heading, *numeric)
    notes = () if report.workload.is_integer else ("The total of the parameters includes the batch norms'.",)
    return Section("Layer by layer", notes, tables=(Table(headings, tuple(rows), numeric=numeric, has_total=True),))


def _published(report: EnergyReport) -> Section:
    if not report.published:
        return Section("Published beside counted")
    number = {source: number for number, source in enumerate(report.sources, 1)}
    rows = tuple(
        (network, quantity, f"{printed} [{number[row.source]}]" if row.source else printed, counted, why)
        for row in report.published
        for network, quantity, printed, counted, why in (row.cells,)
    )
    headings = ("network", "quantity", "published", "counted", "why they differ")
    return Section("Published beside counted", tables=(Table(headings, rows, numeric=("published", "counted")),))


def _prices(report: EnergyReport) -> Section:
    number = {source: number for number, source in enumerate(report.sources, 1)}
    used = {
        item.price
        for version in Version
        for charged in (True, False)
        for item in report.items(version, charged=charged)
        if item.price is not None
    }
    if report.bounds or report.accelerator is not None:
        used |= {price for price in report.technology.prices if price.format is NumberFormat.WORD}
    rows = tuple(
        (
            price.label,
            _price_text(price),
            f"{float(price.node_nm):g} nm",
            NOT_STATED if price.voltage_v is None else f"{float(price.voltage_v):g} V",
            price.derivation,
            f"[{number[price.source]}]",
        )
        for price in sorted(used, key=_price_order)
    )
    headings = ("operation", "energy", "node", "voltage", "value", "source")
    return Section(
        "Prices used", tables=(Table(headings, rows, numeric=("energy", "node", "voltage")),) if rows else ()
    )


def _price_text(price: Price) -> str:
    ends = (price.energy_pj,) if price.energy_high_pj is None else (price.energy_pj, price.energy_high_pj)
    return f"{' to '.join(f'{float(end):.4g}' for end in ends)} pJ"


def _price_order(price: Price) -> tuple[str, str, int, int]:
    return price.format, price.operation, price.width_bits, price.capacity_bytes or 0
