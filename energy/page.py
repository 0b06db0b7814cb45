"""The energy report as a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from energy.counts import Version
from energy.document import Document
from energy.memory_section import ACCELERATOR_TITLE, LAYERS_TITLE, memory_sections
from energy.plots import layer_bars, layer_level_bars, level_bars, network_bars, ratio_bars
from energy.precision import meaning
from energy.quantity import count_text, energy_text, in_unit, ratio_text, table_unit
from energy.report import COUNTED, NAMES, RATIO, EnergyReport, Item
from energy.section import Cell, KeyFigure, Picture, Section, Table
from energy.technology import NumberFormat, Price


def energy_document(
    report: EnergyReport,
    sections: Sequence[Section] = (),
    *,
    title: str = "",
    introduction: str = "",
    key_figures: Sequence[KeyFigure] = (),
) -> Document:
    """The report as a page; `sections` stand before its own sections, `key_figures` before its own figures."""
    return Document(
        title=title or f"Energy of {report.workload.model}",
        introduction=introduction or _introduction(report),
        key_figures=(*key_figures, *_key_figures(report)),
        sections=(*sections, *energy_sections(report)),
        conventions=report.conventions,
        sources=report.sources,
    )


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
    priced = _priced(report)
    return (
        KeyFigure(
            energy_text(adder.energy_pj), NAMES[Version.ADDER], f"{count_text(adder.additions)} additions", priced
        ),
        KeyFigure(
            energy_text(cnn.energy_pj),
            NAMES[Version.CNN],
            f"{count_text(cnn.multiplications)} multiplications",
            priced,
        ),
        KeyFigure(ratio_text(report.ratio), "less energy in arithmetic", "memory stands beside it", RATIO),
        KeyFigure(
            count_text(report.workload.adder_taps),
            "adder taps",
            f"and {report.workload.dot_taps:,} that multiply"
            if report.workload.dot_taps
            else "and none that multiplies",
            COUNTED,
        ),
    )


def _number(report: EnergyReport, price: Price) -> str:
    """The price and its reference, as `0.9 pJ [1]`."""
    return f"{float(price.energy_pj):g} pJ [{report.sources.index(price.source) + 1}]"


def _arithmetic(report: EnergyReport, items: Sequence[Item]) -> str:
    """How an energy is reached, as `1,152 × 0.9 pJ [1] + 1,152 × 0.9 pJ [1]`."""
    terms = [f"{item.count.count:,} × {_number(report, item.price)}" for item in items if item.price is not None]
    return " + ".join(terms)


def _priced(report: EnergyReport) -> str:
    """How the charged energies are reached, with every price that they need."""
    prices = {
        item.price: None
        for version in Version
        for item in report.items(version, charged=True)
        if item.price is not None
    }
    listed = ", ".join(f"{price.label}: {_number(report, price)}" for price in prices)
    return f"Counts of the charged operations times their prices ({listed})."


def _where(report: EnergyReport) -> Section:
    rows = [
        (
            name,
            f"{bill.multiplications:,}",
            f"{bill.additions:,}",
            Cell(energy_text(bill.energy_pj), _arithmetic(report, report.items(version, charged=True))),
        )
        for version, name in NAMES.items()
        for bill in (report.total(version),)
    ]
    numeric = ("multiplications", "additions", "energy")
    return Section(
        "Where the energy goes",
        pictures=(
            Picture(
                layer_bars(report),
                "Energy of each layer with taps, as a CNN and as it is. Every part says its figure on hover.",
            ),
            Picture(
                network_bars({"network": report}, "operations"),
                "By operation. The last part is work that the papers do not charge.",
            ),
            Picture(ratio_bars(report), "Energy of a convolution's tap over an adder's, at every precision."),
        ),
        tables=(
            Table(
                ("network", *numeric),
                tuple(rows),
                numeric=numeric,
                sources={"multiplications": COUNTED, "additions": COUNTED, "energy": _priced(report)},
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
    columns = ("multiplier swap alone", "tap with accumulation")
    prices = f"Prices of the table {report.table}, listed below with their sources."
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
        tables=(_lines(report), Table(("precision", *columns), rows, sources=dict.fromkeys(columns, prices))),
    )


def _lines(report: EnergyReport) -> Table:
    """From the ratio that is quoted to the one that holds for the network, each with its two energies."""
    lines: list[tuple[str, tuple[Fraction, Fraction]]] = [
        line
        for ratio in report.tap_ratios
        if ratio.precision is report.precision
        for line in (
            ("one multiplication against one addition", ratio.swap_pj),
            ("one tap with its accumulation", ratio.tap_pj),
        )
    ]
    charged = report.total(Version.CNN).energy_pj, report.total(Version.ADDER).energy_pj
    whole = report.whole_energy_pj(Version.CNN), report.whole_energy_pj(Version.ADDER)
    lines += [("the network, as the papers charge it", charged), ("with all other arithmetic", whole)]
    rows = tuple(
        (line, energy_text(cnn), energy_text(adder), ratio_text(cnn / adder if adder else None, 3))
        for line, (cnn, adder) in lines
    )
    numeric = (NAMES[Version.CNN], NAMES[Version.ADDER], "ratio")
    priced = "Counts of the operations that the line names, times their prices, listed below with their sources."
    return Table(
        ("what is compared", *numeric),
        rows,
        numeric,
        f"Adder against CNN, {meaning(report.precision)}",
        sources={**dict.fromkeys(NAMES.values(), priced), "ratio": RATIO},
    )


def _uncharged(report: EnergyReport) -> Section:
    items = report.items(Version.ADDER, charged=False)
    return Section(
        "What the papers do not charge",
        paragraphs=(
            "Counted for the network as it is. As a CNN it does the same work, except for the absolute values; "
            "charging both for it brings the ratio closer to one.",
        )
        if items
        else (),
        tables=(_item_table(report, items),) if items else (),
    )


def _item_table(report: EnergyReport, items: Sequence[Item]) -> Table:
    total = sum((item.energy_pj for item in items), Fraction(0))
    scale, unit = table_unit(total)
    rows: list[tuple[str | Cell, ...]] = [
        (
            item.count.purpose,
            str(item.count.operation),
            "no price" if item.price is None else item.price.label,
            f"{item.count.count:,}",
            Cell("–", "The table has no price for it.")
            if item.price is None
            else Cell(in_unit(item.energy_pj, scale), _arithmetic(report, [item])),
        )
        for item in items
    ]
    sum_source = "Sum of the column, not of its rounded figures."
    rows.append(("total of what has a price", "", "", "", Cell(in_unit(total, scale), sum_source)))
    energy = f"energy, {unit}"
    return Table(
        ("purpose", "operation", "priced as", "count", energy),
        tuple(rows),
        numeric=("count", energy),
        has_total=True,
        sources={"count": COUNTED, energy: "Counts times prices, each with its source in the list of prices below."},
    )


def _layers(report: EnergyReport) -> Section:
    scale, unit = table_unit(report.total(Version.CNN).energy_pj)
    rows: list[tuple[str | Cell, ...]] = []
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
                Cell(in_unit(adder, scale), _arithmetic(report, row.charged[Version.ADDER])),
                Cell(in_unit(cnn, scale), _arithmetic(report, row.charged[Version.CNN])),
                ratio_text(cnn / adder),
            )
        )
    blank = ("", "", "") if report.workload.is_integer else ("", "")
    rows.append(
        (
            "total of all layers",
            *blank,
            f"{report.workload.adder_taps + report.workload.dot_taps:,}",
            f"{report.workload.parameters:,}",
            in_unit(report.total(Version.ADDER).energy_pj, scale),
            in_unit(report.total(Version.CNN).energy_pj, scale),
            ratio_text(report.ratio),
        )
    )
    energies = tuple(f"{name}, {unit}" for name in NAMES.values())
    numeric = ("taps", "parameters", *energies, "ratio")
    widths_heading = ("code / sum bits",) if report.workload.is_integer else ()
    headings = ("layer", "taps are", "output", *widths_heading, *numeric)
    notes = () if report.workload.is_integer else ("The total of the parameters includes the batch norms'.",)
    sources = {
        "taps": COUNTED,
        "parameters": COUNTED,
        **dict.fromkeys(widths_heading, "Width of the codes, and of the accumulator as proven from the weights."),
        **dict.fromkeys(energies, _priced(report)),
        "ratio": RATIO,
    }
    table = Table(headings, tuple(rows), numeric=numeric, has_total=True, sources=sources, explorable=True)
    return Section("Layer by layer", notes, tables=(table,))


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
    return Section(
        "Published beside counted",
        tables=(Table(headings, rows, numeric=("published", "counted"), sources={"counted": COUNTED}),),
    )


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
            price.voltage,
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
