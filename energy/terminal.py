"""The energy report for a terminal, as rich renderables."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from energy.counts import Version
from energy.memory_section import memory_sections
from energy.precision import meaning
from energy.published import Comparison
from energy.quantity import count_text, energy_text, in_unit, ratio_text, table_unit
from energy.report import NAMES, EnergyReport
from energy.section import Section


def terminal_report(report: EnergyReport) -> Group:
    """Totals, layers, honest ratios, uncharged operations, memory, published figures and conventions, in this order."""
    title = Text(f"{report.workload.model}: {meaning(report.precision)}, table {report.table}", style="bold")
    parts: list[RenderableType] = [title, _totals(report), _layers(report), _ratios(report), _uncharged(report)]
    for section in memory_sections(report):
        parts += _section(section)
    if report.published:
        parts.append(_published(report))
    parts.append(Text("\n".join(report.conventions), style="dim"))
    parts += [Text(f"Source: {s.citation}. {s.place}; read {s.date_read}.", style="dim") for s in report.sources]
    return Group(*parts)


def _table(title: str, left: tuple[str, ...], right: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in left:
        table.add_column(heading)
    for heading in right:
        table.add_column(heading, justify="right")
    return table


def _section(section: Section) -> list[RenderableType]:
    """A section of the page."""
    parts: list[RenderableType] = [Text(section.title, style="bold"), *map(Text, section.paragraphs)]
    for content in section.tables:
        table = Table(title=content.caption or None, title_justify="left")
        for heading in content.headings:
            table.add_column(heading, justify="right" if heading in content.numeric else "left", overflow="fold")
        for index, row in enumerate(content.cells, 1):
            if content.has_total and index == len(content.cells):
                table.add_section()
            table.add_row(*(cell.text for cell in row))
        parts.append(table)
    return parts


def _totals(report: EnergyReport) -> Table:
    table = _table("Arithmetic of one image", ("network",), ("multiplications", "additions", "energy"))
    for version, name in NAMES.items():
        bill = report.total(version)
        table.add_row(name, f"{bill.multiplications:,}", f"{bill.additions:,}", energy_text(bill.energy_pj))
    table.add_section()
    table.add_row("ratio", "", "", ratio_text(report.ratio, 3))
    return table


def _layers(report: EnergyReport) -> Table:
    scale, unit = table_unit(report.total(Version.CNN).energy_pj)
    table = _table(
        "Layers with taps",
        ("layer", "kind", "output"),
        ("adder taps", "dot taps", "parameters", *(f"{name}, {unit}" for name in NAMES.values())),
    )
    for row in report.layers:
        layer = row.layer
        if layer.kind is not None:
            table.add_row(
                layer.name,
                str(layer.kind),
                "×".join(map(str, layer.output_shape)),
                f"{layer.adder_taps:,}",
                f"{layer.dot_taps:,}",
                f"{layer.parameters:,}",
                in_unit(row.bill(Version.ADDER).energy_pj, scale),
                in_unit(row.bill(Version.CNN).energy_pj, scale),
            )
    table.add_section()
    table.add_row(
        "total",
        "",
        "",
        f"{report.workload.adder_taps:,}",
        f"{report.workload.dot_taps:,}",
        f"{report.workload.parameters:,}",
        in_unit(report.total(Version.ADDER).energy_pj, scale),
        in_unit(report.total(Version.CNN).energy_pj, scale),
    )
    return table


def _ratios(report: EnergyReport) -> Table:
    table = _table("Convolution over adder, per tap", ("precision", "multiplier swap alone", "with accumulation"), ())
    for ratio in report.tap_ratios:
        table.add_row(
            meaning(ratio.precision),
            f"{ratio_text(ratio.swap)} = {ratio.swap_arithmetic}",
            f"{ratio_text(ratio.tap)} = {ratio.tap_arithmetic}",
        )
    return table


def _uncharged(report: EnergyReport) -> Table:
    items = report.items(Version.ADDER, charged=False)
    scale, unit = table_unit(sum((item.energy_pj for item in items), Fraction(0)))
    table = _table(
        "Not charged by the papers, of the network as it is",
        ("purpose", "operation", "priced as"),
        ("count", f"energy, {unit}"),
    )
    for item in items:
        table.add_row(
            item.count.purpose,
            str(item.count.operation),
            "no price" if item.price is None else item.price.label,
            count_text(item.count.count),
            "–" if item.price is None else in_unit(item.energy_pj, scale),
        )
    table.add_section()
    table.add_row("ratio with these", "", "", "", ratio_text(report.whole_ratio, 3))
    return table


def _published(report: EnergyReport) -> Table:
    table = _table("Published beside counted", ("network", "quantity"), ("published", "counted"))
    table.add_column("why they differ", overflow="fold")
    for row in report.published:
        table.add_row(*row.cells)
    return table


def terminal_published(comparisons: Iterable[Comparison]) -> Table:
    """Every published figure beside the counted one."""
    table = _table("Published beside counted", ("model", "network", "quantity"), ("published", "counted"))
    table.add_column("why they differ", overflow="fold")
    for row in comparisons:
        table.add_row(row.model, *row.cells)
    return table
