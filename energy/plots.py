"""The page's plots: matplotlib SVG whose text follows the page's colour and whose series are CSS variables."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from energy.accelerator import AcceleratorReport, Lanes, LevelEnergy
from energy.counts import Operation, Version
from energy.memory import Level
from energy.quantity import own_unit
from energy.report import EnergyReport

# Stand-ins that no default of matplotlib uses; svg_text() turns each into what the page's light or dark theme says.
INK, GRID, ADDER, CNN, SECOND, FOURTH = "#010101", "#020202", "#030303", "#040404", "#050505", "#060606"
THEMED = {
    INK: "currentColor",
    GRID: "var(--line)",
    ADDER: "var(--adder)",
    CNN: "var(--cnn)",
    SECOND: "var(--second)",
    FOURTH: "var(--fourth)",
}
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


def svg_text(figure: Figure, name: str) -> str:
    """A figure as an inline `<svg>` element: themed colours, the page's font, and ids that start with `name`."""
    buffer = io.StringIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(buffer, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    for stand_in, themed in THEMED.items():
        svg = svg.replace(stand_in, themed)
    svg = re.sub(r"font-family: [^;\"]+", "font-family: inherit", svg)
    svg = re.sub(r"(font: [^;\"]*?px )[^;\"]+", r"\1sans-serif", svg)
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


def layer_bars(report: EnergyReport) -> str:
    """Energy of each layer with taps, adder beside CNN, the network's first layer on top."""
    layers = [layer for layer in report.layers if layer.layer.kind is not None]
    energies = {v: [layer.bill(v).energy_pj for layer in layers] for v in Version}
    scale, unit = own_unit(max(energies[Version.CNN], default=Fraction(0)))
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(len(layers))
        for version, offset, colour, label in (
            (Version.CNN, 0.2, CNN, "as a CNN"),
            (Version.ADDER, -0.2, ADDER, "adder network"),
        ):
            axes.barh(
                [position - offset for position in range(len(layers))],
                [float(energy / scale) for energy in energies[version]],
                height=0.36,
                color=colour,
                label=label,
            )
        axes.set_yticks(range(len(layers)), [layer.layer.name for layer in layers])
        axes.set_ylim(len(layers) - 0.4, -0.6)
        axes.set_xlabel(f"energy per image, {unit}")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2)
        figure.set_layout_engine("constrained")
        return svg_text(figure, "layers")


def operation_bars(report: EnergyReport) -> str:
    """Energy by charged operation, and by what the papers do not charge, stacked: one bar for each network."""
    versions = (Version.CNN, Version.ADDER)
    charged = {v: report.items(v, charged=True) for v in Version}

    def energy_of(version: Version, operations: set[Operation]) -> Fraction:
        return sum((i.energy_pj for i in charged[version] if i.count.operation in operations), Fraction(0))

    parts = {
        "multiplications": [energy_of(v, {Operation.MULTIPLY}) for v in versions],
        "additions": [energy_of(v, {Operation.ADD, Operation.SUBTRACT}) for v in versions],
        "not charged by the papers": [report.whole_energy_pj(v) - report.total(v).energy_pj for v in versions],
    }
    return stacked_bars("operations", ["as a CNN", "adder network"], parts, (CNN, ADDER, SECOND))


def stacked_bars(
    name: str, rows: Sequence[str], parts: Mapping[str, Sequence[Fraction]], colours: Sequence[str]
) -> str:
    """A bar for each row, the first on top, stacked from the picojoules of each part; `name` begins the SVG's ids."""
    scale, unit = own_unit(max(sum(energies, Fraction(0)) for energies in zip(*parts.values(), strict=True)))
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(len(rows), row_height=0.5 if len(rows) < 4 else 0.3)
        left = [0.0] * len(rows)
        for (label, energies), colour in zip(parts.items(), colours, strict=True):
            widths = [float(energy / scale) for energy in energies]
            axes.barh(range(len(rows)), widths, left=left, height=0.6, color=colour, label=label)
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(rows)), rows)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel(f"energy per image, {unit}")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper left", ncols=len(parts))
        figure.set_layout_engine("constrained")
        return svg_text(figure, name)


def level_bars(report: AcceleratorReport) -> str:
    """Energy of an image by level, a bar for each kind of lanes, gated and not; the low ends of the ranges."""
    cases = [(lanes, state, gated) for state, gated in report.states for lanes in Lanes]
    rows = [str(lanes).replace(", ", ",\n") + (" (gated)" if gated else "") for lanes, _, gated in cases]
    return _by_level("levels", rows, [report.energy(lanes, gated=gated) for lanes, _, gated in cases])


def layer_level_bars(report: AcceleratorReport) -> str:
    """Energy of the adder array by layer and level; the low ends of the ranges."""
    layers = report.counts.layers
    energies = [report.layer_energy(layer, Lanes.ADDER) for layer in layers]
    return _by_level("layer-levels", [layer.name for layer in layers], energies)


def _by_level(name: str, rows: Sequence[str], energies: Sequence[LevelEnergy]) -> str:
    parts = {str(level): [energy.by_level[level].low_pj for energy in energies] for level in Level}
    return stacked_bars(name, rows, parts, (ADDER, SECOND, CNN, FOURTH))


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
