"""A network's taps as components and actions of Accelergy (https://github.com/Accelergy-Project/accelergy).

Accelergy's own library knows `intmac`, a multiplication and an addition. Here an adder tap is a class of its own,
`adder_tap`, beside `multiply_tap`; each layer with taps is a component whose actions are counted and priced. The files
are of version 0.3, which Accelergy 0.3 and 0.4 read.
"""

from __future__ import annotations

import re
from pathlib import Path

from energy.counts import Version
from energy.precision import FORMATS
from energy.report import EnergyReport, LayerReport
from energy.yaml_file import origin, write_yaml
from quant.errors import BadInputError
from quant.float_network import Kind

VERSION = 0.3
CLASSES = {
    Kind.ADDER: (
        "adder_tap",
        (
            ("sad", "y -= |x - w|: a subtraction and the accumulation"),
            ("min_add", "the same from min(x, w), with the sum of x and that of w added elsewhere"),
        ),
    ),
    Kind.DOT: ("multiply_tap", (("multiply_add", "y += x * w: a multiplication and the accumulation"),)),
}
"""Class of a layer's taps, and its actions, of which the first is what the layer does."""


def write_accelergy(report: EnergyReport, folder: Path) -> None:
    """Write component classes, architecture, energy reference table and action counts of a network to `folder`.

    One component for each layer with taps. `sad` and `min_add` are priced alike: a comparison costs what a subtraction
    costs. Raises BadInputError for a network without taps.
    """
    rows = [row for row in report.layers if row.layer.kind is not None]
    if not rows:
        raise BadInputError(f"network to export must have a layer with taps, not none: {report.workload.model}")
    design = _word(report.workload.model)
    names = [f"l{number}_{_word(row.layer.name)}" for number, row in enumerate(rows)]
    classes = [
        {
            "name": name,
            "attributes": {"technology": _technology(report), "width": 8, "accumulator_width": 32},
            "actions": [{"name": action} for action, _ in actions],
        }
        for name, actions in CLASSES.values()
    ]
    meanings = [f"{action}: {meaning}" for _, actions in CLASSES.values() for action, meaning in actions]
    write_yaml(
        folder / "hwadder.lib.yaml",
        ["Component classes of hwadder for Accelergy: primitive_components of accelergy_config.yaml.", *meanings],
        {"version": VERSION, "classes": classes},
    )
    components = [
        {"name": name, "class": _class(row), "attributes": _widths(report, row)}
        for name, row in zip(names, rows, strict=True)
    ]
    subtree = {"name": design, "attributes": {"technology": _technology(report)}, "local": components}
    written = f"{report.workload.model}: a component for each layer with taps; written by hwadder."
    write_yaml(folder / "architecture.yaml", [written], {"architecture": {"version": VERSION, "subtree": [subtree]}})
    tables = [
        {
            "name": f"{design}.{name}",
            "actions": [{"name": action, "arguments": None, "energy": _tap_pj(row)} for action in _actions(row)],
        }
        for name, row in zip(names, rows, strict=True)
    ]
    write_yaml(folder / "ERT.yaml", origin(report), {"ERT": {"version": VERSION, "tables": tables}})
    counted = [
        {"name": name, "action_counts": [{"name": _actions(row)[0], "counts": _taps(row)}]}
        for name, row in zip(names, rows, strict=True)
    ]
    counts = {"version": VERSION, "subtree": [{"name": design, "local": counted}]}
    write_yaml(folder / "action_counts.yaml", [written, "Taps of one image."], {"action_counts": counts})


def _word(name: str) -> str:
    """A name that Accelergy takes for one level: its dots would be further ones."""
    return re.sub(r"\W", "_", name)


def _class(row: LayerReport) -> str:
    assert row.layer.kind is not None
    return CLASSES[row.layer.kind][0]


def _actions(row: LayerReport) -> list[str]:
    assert row.layer.kind is not None
    return [action for action, _ in CLASSES[row.layer.kind][1]]


def _taps(row: LayerReport) -> int:
    return row.layer.adder_taps + row.layer.dot_taps


def _tap_pj(row: LayerReport) -> float:
    return float(row.bill(Version.ADDER).energy_pj / _taps(row))


def _technology(report: EnergyReport) -> str:
    nodes = {
        item.price.node_nm for row in report.layers for item in row.charged[Version.ADDER] if item.price is not None
    }
    return "/".join(f"{float(node):g}nm" for node in sorted(nodes))


def _widths(report: EnergyReport, row: LayerReport) -> dict[str, int]:
    if report.precision in FORMATS:
        formats = FORMATS[report.precision]
        return {"width": formats.operand_bits, "accumulator_width": formats.sum_bits}
    assert row.layer.widths is not None
    return {"width": row.layer.widths.operand, "accumulator_width": row.layer.widths.accumulator}
