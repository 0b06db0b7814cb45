"""YAML files for other tools: a comment that says where the figures are from, then plain data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from energy.report import EnergyReport


def write_yaml(path: Path, comments: Iterable[str], content: object) -> None:
    """Write `content`, keys in their order, lists of plain values on one line, under the commented lines."""
    lines = "".join(f"# {comment}\n" for comment in comments)
    body = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    path.write_text(lines + body, encoding="utf-8")


def origin(report: EnergyReport) -> list[str]:
    """The comment of a file of energies: convention, and each price with node, voltage and source."""
    prices = {
        item.price: None for layer in report.layers for items in layer.charged.values() for item in items if item.price
    }
    return [
        f"{report.workload.model}, one image; written by hwadder, energies in pJ.",
        *report.conventions[:4],
        *(
            f"{price.label}: {float(price.energy_pj):g} pJ at {float(price.node_nm):g} nm, "
            f"voltage {price.voltage}, {price.derivation}. "
            f"{price.source.citation}. {price.source.place}; read {price.source.date_read}."
            for price in prices
        ),
    ]
