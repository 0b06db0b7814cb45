"""The page's plots: matplotlib SVG whose text follows the page's colour and whose series are CSS variables."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energy.accelerator import AcceleratorReport, Lanes, LevelEnergy
from energy.counts import Operation, Version
from energy.quantity import energy_text, own_unit
from energy.report import NAMES, EnergyReport, Item
from quant.errors import BadInputError

# Stand-ins that no default of matplotlib uses; svg_text() turns each into what the page's light or dark theme says.
INK, GRID, ADDER, CNN, SECOND = "#010101", "#020202", "#030303", "#040404", "#050505"
THIRD, FOURTH, FIFTH = "#060606", "#070707", "#080808"
THEMED = {
    INK: "currentColor",
    GRID: "var(--line)",
    ADDER: "var(--adder)",
    CNN: "var(--cnn)",
    SECOND: "var(--second)",
    THIRD: "var(--third)",
    FOURTH: "var(--fourth)",
    FIFTH: "var(--fifth)",
}
_PARTS = (CNN, ADDER, SECOND, THIRD, FOURTH, FIFTH)
"""Colours of a bar's parts in their order: multiplications and additions have those of the networks they make."""
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hwadder",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": GRID,
    "axes.labelcolor": INK,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "legend.frameon": False,
}
_WIDTH_INCHES = 4.6
_FEW = 4
"""Up to so many bars are drawn thick."""
_GAP = 0.35
"""Room between groups of bars, in bars."""


def svg_text(figure: Figure, name: str, titles: Mapping[str, str] = MappingProxyType({})) -> str:
    """A figure as an inline `<svg>` element: themed colours, the page's font, and ids that start with `name`.

    `titles` are shown on hover, by the gid of what they are about.
    """
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for stand_in, themed in THEMED.items():
        svg = svg.replace(stand_in, themed)
    svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
    svg = re.sub(r"(font: [^;\"]*?px )[^;\"]+", r"\1sans-serif", svg)
    for gid, title in titles.items():
        svg = svg.replace(f'<g id="{gid}">', f'<g id="{gid}"><title>{html.escape(title)}</title>')
    # Several figures share a page, and matplotlib numbers the ids of each from one.
    return re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg).strip()


def _axes(rows: int, row_height: float = 0.3) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(_WIDTH_INCHES, 0.9 + row_height * rows))
    axes = figure.add_subplot()
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0)
    axes.grid(axis="x", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


Parts = Mapping[str, Fraction]
"""What a bar is made of: energies in pJ by name."""


def stacked_bars(groups: Mapping[str, Mapping[str, Parts]], name: str) -> str:
    """Bars of parts set end to end: `groups[group][bar][part]`, top down; each part says its figure on hover. The bar
    of a group of one may have no name.

    All bars have the same parts in the same order, which gives the colours; one that is nowhere above 0 is not drawn.
    Raises BadInputError for more parts than there are colours.
    """
    labels = [(group, bar) for group, bars in groups.items() for bar in bars]
    stacks = [parts for bars in groups.values() for parts in bars.values()]
    places = [at + _GAP * number for at, number in enumerate(_group_numbers(groups))]
    names = list(stacks[0]) if stacks else []
    if len(names) > len(_PARTS):
        raise BadInputError(f"parts of a bar must be at most {len(_PARTS)}, not {len(names)}")
    scale, unit = own_unit(max((sum(parts.values(), Fraction(0)) for parts in stacks), default=Fraction(0)))
    left = [0.0] * len(stacks)
    titles: dict[str, str] = {}
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(len(stacks), row_height=0.5 if len(stacks) <= _FEW else 0.19)
        for part, colour in zip(names, _PARTS, strict=False):
            energies = [parts[part] for parts in stacks]
            if not any(energies):
                continue
            widths = [float(energy / scale) for energy in energies]
            drawn = axes.barh(places, widths, left=left, height=0.8, color=colour, label=part)
            for rectangle, (group, bar), energy in zip(drawn, labels, energies, strict=True):
                gid = f"part{len(titles)}"
                rectangle.set_gid(gid)
                titles[gid] = f"{_told(group, bar, part)}: {energy_text(energy)}"
            left = [start + width for start, width in zip(left, widths, strict=True)]
        first = {next(iter(bars)) for bars in groups.values()}
        axes.set_yticks(places, [_told(group, bar) if bar in first else bar for group, bar in labels])
        axes.set_ylim(max(places, default=0) + 0.6, -0.6)
        axes.set_xlabel(f"energy per image, {unit}")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=3)
        figure.set_layout_engine("constrained")
        return svg_text(figure, name, titles)


def _told(*names: str) -> str:
    return ", ".join(filter(None, names))


def _group_numbers(groups: Mapping[str, Mapping[str, Parts]]) -> list[int]:
    return [number for number, bars in enumerate(groups.values()) for _ in bars]


def _parts(charged: Iterable[Item], uncharged: Iterable[Item]) -> Parts:
    parts = {"multiplications": Fraction(0), "additions": Fraction(0), "not charged by the papers": Fraction(0)}
    for item in charged:
        multiplies = item.count.operation is Operation.MULTIPLY
        parts["multiplications" if multiplies else "additions"] += item.energy_pj
    for item in uncharged:
        parts["not charged by the papers"] += item.energy_pj
    return parts


_BARS = {version: NAMES[version] for version in (Version.CNN, Version.ADDER)}


def layer_bars(report: EnergyReport) -> str:
    """Energy of each layer with taps, as a CNN above as it is, the network's first layer on top."""
    return stacked_bars(
        {
            layer.layer.name: {
                bar: _parts(layer.charged[version], layer.uncharged[version]) for version, bar in _BARS.items()
            }
            for layer in report.layers
            if layer.layer.kind is not None
        },
        "layers",
    )


def network_bars(reports: Mapping[str, EnergyReport], name: str) -> str:
    """Energy of whole networks by their labels, each as a CNN above as it is."""
    return stacked_bars(
        {
            label: {
                bar: _parts(report.items(version, charged=True), report.items(version, charged=False))
                for version, bar in _BARS.items()
            }
            for label, report in reports.items()
        },
        name,
    )


def level_bars(report: AcceleratorReport) -> str:
    """Energy of an image by level, a bar for each kind of lanes, gated and not; the low ends of the ranges."""
    return stacked_bars(
        {
            state: {str(lanes): _by_level(report.energy(lanes, gated=gated)) for lanes in Lanes}
            for state, gated in report.states
        },
        "levels",
    )


def layer_level_bars(report: AcceleratorReport) -> str:
    """Energy of the adder array by layer and level; the low ends of the ranges."""
    return stacked_bars(
        {layer.name: {"": _by_level(report.layer_energy(layer, Lanes.ADDER))} for layer in report.counts.layers},
        "layer-levels",
    )


def _by_level(energy: LevelEnergy) -> Parts:
    return {str(level): each.low_pj for level, each in energy.by_level.items()}


def ratio_bars(report: EnergyReport) -> str:
    """Convolution over adder per tap at every precision, the multiplier swap alone and with the accumulation."""
    ratios = report.tap_ratios
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(len(ratios), row_height=0.42)
        for offset, colour, label, values in (
            (0.19, SECOND, "multiplier swap alone", [float(ratio.swap) for ratio in ratios]),
            (-0.19, ADDER, "with its accumulation", [float(ratio.tap) for ratio in ratios]),
        ):
            bars = axes.barh([p - offset for p in range(len(ratios))], values, height=0.34, color=colour, label=label)
            axes.bar_label(bars, fmt="%.2f×", padding=3)
        axes.set_yticks(range(len(ratios)), [str(ratio.precision) for ratio in ratios])
        axes.set_ylim(len(ratios) - 0.4, -0.6)
        axes.margins(x=0.12)
        axes.set_xlabel("energy of a convolution's tap / an adder's tap")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=2)
        figure.set_layout_engine("constrained")
        return svg_text(figure, "ratios")
