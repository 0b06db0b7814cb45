"""The energy report: exact, summable bills per layer for the adder network and for the same network as a CNN.

Energies are fractions of a picojoule, so totals do not depend on the order of summation.
"""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from energy.accelerator import AcceleratorCounts, AcceleratorReport, Lanes
from energy.counts import LayerCount, Operation, OperationCount, Version, Workload
from energy.memory import Bound, EnergyRange, sram_is_scaled, traffic_bounds
from energy.precision import Precision, TapRatio, meaning, price_of, tap_ratios
from energy.published import Comparison, compare_published
from energy.scaling import OperatingPoint, scale_table, scaling_convention
from energy.technology import Price, Source, TechnologyTable
from quant.files import replacing_file

CONVENTION = (
    "Papers' convention: an adder tap costs two additions (difference and accumulation), a dot-product tap one "
    "multiplication and one addition; nothing else is charged."
)
COUNTED = "Counted from the shapes of the network's layers; exact."
RATIO = "Energy as a CNN over energy of the network as it is, neither of them rounded."
"""How counts and ratios are reached, wherever they are shown."""
NAMES = {Version.ADDER: "as it is", Version.CNN: "as a CNN"}
"""What people read; a network without adders is a CNN as it is."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Operations and energy that the papers' convention charges; bills add up."""

    multiplications: int = 0
    additions: int = 0
    energy_pj: Fraction = Fraction(0)

    def __add__(self, other: Bill) -> Bill:
        return Bill(
            self.multiplications + other.multiplications,
            self.additions + other.additions,
            self.energy_pj + other.energy_pj,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a bill: an operation count with the row that prices it, or None where the table has no such row."""

    count: OperationCount
    price: Price | None

    @property
    def energy_pj(self) -> Fraction:
        """Zero where there is no price."""
        return Fraction(0) if self.price is None else self.count.count * self.price.energy_pj


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer with its charged and uncharged items in both versions."""

    layer: LayerCount
    charged: dict[Version, tuple[Item, ...]]
    uncharged: dict[Version, tuple[Item, ...]]

    def bill(self, version: Version) -> Bill:
        """Sum of the charged items."""
        items = self.charged[version]
        multiplications = sum(i.count.count for i in items if i.count.operation is Operation.MULTIPLY)
        additions = sum(i.count.count for i in items) - multiplications
        return Bill(multiplications, additions, _energy(items))


@dataclass(frozen=True, slots=True)
class TableTotals:
    """The same counts priced by one of several tables."""

    table: str
    adder: Bill
    cnn: Bill

    @property
    def ratio(self) -> Fraction | None:
        """Energy as a CNN over energy as an adder network."""
        return _ratio(self.cnn.energy_pj, self.adder.energy_pj)


@dataclass(frozen=True, slots=True)
class EnergyReport:
    """Everything that the terminal, the JSON object, the CSV file and the page show.

    Attributes:
        technology: the table that prices it.
        side_by_side: totals by this and by other tables; empty where there are no others.
        target: node and voltage that the tables are scaled to.
        bounds: traffic of the layers with taps without a mapping; empty where their inputs are not known.
        accelerator: the network on the accelerator, where it was asked for.
    """

    workload: Workload
    technology: TechnologyTable
    precision: Precision
    layers: tuple[LayerReport, ...]
    tap_ratios: tuple[TapRatio, ...]
    published: tuple[Comparison, ...]
    sources: tuple[Source, ...]
    side_by_side: tuple[TableTotals, ...] = ()
    target: OperatingPoint | None = None
    bounds: tuple[Bound, ...] = ()
    accelerator: AcceleratorReport | None = None

    @property
    def table(self) -> str:
        """Name of the table, with the node and the voltage that it is scaled to."""
        return self.technology.name

    def with_memory_ratio(self, memory: EnergyRange) -> tuple[Fraction, Fraction]:
        """CNN over adder network when both pay for the same accesses, at the low and the high end."""
        adder, cnn = (self.total(version).energy_pj for version in Version)
        return (cnn + memory.low_pj) / (adder + memory.low_pj), (cnn + memory.high_pj) / (adder + memory.high_pj)

    def total(self, version: Version) -> Bill:
        """Sum of all layers' bills."""
        return sum((layer.bill(version) for layer in self.layers), Bill())

    def items(self, version: Version, *, charged: bool) -> tuple[Item, ...]:
        """Items of the whole network, merged by operation, purpose and price; widths that differ drop out."""
        merged: dict[tuple[Operation, str, Price | None], Item] = {}
        for layer in self.layers:
            for item in (layer.charged if charged else layer.uncharged)[version]:
                key = (item.count.operation, item.count.purpose, item.price)
                merged[key] = _merged(merged[key], item) if key in merged else item
        return tuple(merged.values())

    @property
    def ratio(self) -> Fraction | None:
        """Energy as a CNN over energy as an adder network; None for a network without taps."""
        return _ratio(self.total(Version.CNN).energy_pj, self.total(Version.ADDER).energy_pj)

    def whole_energy_pj(self, version: Version) -> Fraction:
        """Charged and uncharged operations together, as far as the table prices them."""
        return self.total(version).energy_pj + _energy(self.items(version, charged=False))

    @property
    def whole_ratio(self) -> Fraction | None:
        """As `ratio`, with the operations that the papers do not charge."""
        return _ratio(self.whole_energy_pj(Version.CNN), self.whole_energy_pj(Version.ADDER))

    @property
    def conventions(self) -> tuple[str, ...]:
        """How the figures are reached, one sentence or two each; the first is the headline's convention."""
        return (
            CONVENTION,
            "Counts are for one image. Padding taps are executed, so they count as taps.",
            "As a CNN: the same network with every adder tap turned into a dot-product tap.",
            f"Precision {self.precision}: {meaning(self.precision)}." + self._width_rule(),
            "A subtraction and a comparison are priced as an addition of the same width. What the table has no price "
            "for is counted and adds nothing: an absolute value (a cleared sign bit in floats, an exclusive or with "
            "the sign in integers), and a shift in most tables.",
            "No fetch of a weight or an activation is in the totals of the arithmetic; memory stands beside them, and "
            "in a real accelerator it can cost more than the arithmetic.",
            *(() if self.target is None else (scaling_convention(self.target),)),
        )

    def _width_rule(self) -> str:
        if self.precision is not Precision.NETWORK:
            return " An integer requantiser is priced at its own width." if self.workload.is_integer else ""
        return (
            " Differences are taken at the codes' width, accumulation at the width proven from the weights (as a CNN: "
            "the width that any weights of that many bits need), each priced at the narrowest row that holds it."
        )

    def to_json(self) -> dict[str, object]:
        """One JSON-ready object; energies in picojoules."""
        return {
            "model": self.workload.model,
            "table": self.table,
            "precision": str(self.precision),
            "convention": " ".join(self.conventions),
            "layers": [_layer_json(layer) for layer in self.layers],
            "totals": {
                **{str(version): _bill_json(self.total(version)) for version in Version},
                "ratio": _number(self.ratio),
                "adder_taps": self.workload.adder_taps,
                "dot_taps": self.workload.dot_taps,
                "parameters": self.workload.parameters,
            },
            "uncharged": {
                **{str(v): [_item_json(item) for item in self.items(v, charged=False)] for v in Version},
                "ratio_with_uncharged": _number(self.whole_ratio),
            },
            "tap_ratios": [
                {
                    "precision": str(ratio.precision),
                    "multiplier_swap": float(ratio.swap),
                    "tap_with_accumulation": float(ratio.tap),
                }
                for ratio in self.tap_ratios
            ],
            "tables": [
                {
                    "table": each.table,
                    "adder": _bill_json(each.adder),
                    "cnn": _bill_json(each.cnn),
                    "ratio": _number(each.ratio),
                }
                for each in self.side_by_side
            ],
            "memory_bounds": [self._bound_json(bound) for bound in self.bounds],
            "accelerator": None if self.accelerator is None else self.accelerator.to_json(),
            "published": [comparison.to_json() for comparison in self.published],
            "sources": [
                {"citation": source.citation, "place": source.place, "date_read": source.date_read}
                for source in self.sources
            ],
        }

    def _bound_json(self, bound: Bound) -> dict[str, object]:
        return {
            "reuse": str(bound.reuse),
            "reads": bound.reads,
            "writes": bound.writes,
            "bits": bound.bits,
            "sram_scaled": sram_is_scaled(self.technology),
            "energy_pj": {
                name: [float(energy.low_pj), float(energy.high_pj)]
                for name, energy in bound.energies(self.technology).items()
            },
        }


def build_report(
    workload: Workload,
    table: TechnologyTable,
    precision: Precision = Precision.FP32,
    *,
    others: Sequence[TechnologyTable] = (),
    target: OperatingPoint | None = None,
    accelerator: AcceleratorCounts | None = None,
) -> EnergyReport:
    """Price a workload.

    Args:
        workload: what is counted.
        table: that prices all of the report.
        precision: at which the operations are priced.
        others: tables whose totals stand beside it.
        target: node and voltage that all tables are scaled to.
        accelerator: counts of the same network on an accelerator.

    Raises:
        BadInputError: when a table lacks a row that `precision` needs for the taps, or cannot be scaled.
    """
    tables = [each if target is None else scale_table(each, target) for each in (table, *others)]
    reports = [_price(workload, each, precision) for each in tables]
    report = reports[0]
    sources = [source for each in reports for source in each.sources]
    if target is not None:
        sources.append(target.node.source)
    totals = (TableTotals(each.table, each.total(Version.ADDER), each.total(Version.CNN)) for each in reports)
    return dataclasses.replace(
        report,
        sources=tuple(dict.fromkeys(sources)),
        side_by_side=tuple(totals) if others else (),
        target=target,
        bounds=traffic_bounds(workload, precision),
        accelerator=None if accelerator is None else AcceleratorReport(accelerator, tables[0]),
    )


def _price(workload: Workload, table: TechnologyTable, precision: Precision) -> EnergyReport:
    def items(counts: Iterable[OperationCount]) -> tuple[Item, ...]:
        return tuple(Item(count, price_of(count, precision, table)) for count in counts)

    layers = tuple(
        LayerReport(
            layer,
            {version: items(layer.charged(version)) for version in Version},
            {version: items(layer.uncharged(version)) for version in Version},
        )
        for layer in workload.layers
    )
    published = compare_published(workload)
    sources = [price.source for price in table.prices] + [each.source for each in published if each.source is not None]
    return EnergyReport(
        workload=workload,
        technology=table,
        precision=precision,
        layers=layers,
        tap_ratios=tap_ratios(table),
        published=published,
        sources=tuple(dict.fromkeys(sources)),
    )


CSV_COLUMNS = (
    "layer",
    "node",
    "output_shape",
    "version",
    "charged",
    "purpose",
    "operation",
    "width_bits",
    "count",
    "priced_as",
    "price_pj",
    "energy_pj",
    "energy_high_pj",
)


def write_csv(report: EnergyReport, path: Path) -> None:
    """One line per layer, version and operation; `price_pj` is empty where the table has no price.

    The accelerator's accesses follow, their `version` being the array; a range fills both columns of energy.
    """
    with replacing_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for row in report.layers:
            for version in Version:
                for charged, items in (("yes", row.charged[version]), ("no", row.uncharged[version])):
                    for item in items:
                        writer.writerow(_csv_row(row.layer, version, charged, item))
        if report.accelerator is not None:
            writer.writerows(_accelerator_rows(report.accelerator))


def _accelerator_rows(report: AcceleratorReport) -> Iterable[tuple[object, ...]]:
    for layer in report.counts.layers:
        for lanes in Lanes:
            for each in layer.work[lanes].traffic:
                energy = report.traffic_energy(each)
                ends = ("", "") if energy is None else (float(energy.low_pj), float(energy.high_pj))
                access = (each.purpose, f"{each.memory.level} access", each.bits, each.count, each.memory.name, "")
                yield (layer.name, "", "", lanes, "no", *access, *ends)


def _csv_row(layer: LayerCount, version: Version, charged: str, item: Item) -> tuple[object, ...]:
    return (
        layer.name,
        layer.node,
        "x".join(map(str, layer.output_shape)),
        version,
        charged,
        item.count.purpose,
        item.count.operation,
        item.count.width_bits if item.count.width_bits is not None else "",
        item.count.count,
        "" if item.price is None else item.price.label,
        "" if item.price is None else float(item.price.energy_pj),
        *(2 * ("" if item.price is None else float(item.energy_pj),)),
    )


def _merged(a: Item, b: Item) -> Item:
    width_bits = a.count.width_bits if a.count.width_bits == b.count.width_bits else None
    count = dataclasses.replace(a.count, count=a.count.count + b.count.count, width_bits=width_bits)
    return Item(count, a.price)


def _energy(items: Iterable[Item]) -> Fraction:
    return sum((item.energy_pj for item in items), Fraction(0))


def _ratio(numerator: Fraction, denominator: Fraction) -> Fraction | None:
    return numerator / denominator if denominator else None


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _bill_json(bill: Bill) -> dict[str, object]:
    return {
        "multiplications": bill.multiplications,
        "additions": bill.additions,
        "energy_pj": float(bill.energy_pj),
    }


def _item_json(item: Item) -> dict[str, object]:
    return {
        "operation": str(item.count.operation),
        "purpose": item.count.purpose,
        "width_bits": item.count.width_bits,
        "count": item.count.count,
        "priced_as": None if item.price is None else item.price.label,
        "energy_pj": None if item.price is None else float(item.energy_pj),
    }


def _layer_json(row: LayerReport) -> dict[str, object]:
    layer = row.layer
    return {
        "name": layer.name,
        "node": layer.node,
        "kind": None if layer.kind is None else str(layer.kind),
        "output_shape": list(layer.output_shape),
        "adder_taps": layer.adder_taps,
        "dot_taps": layer.dot_taps,
        "parameters": layer.parameters,
        **{str(version): _bill_json(row.bill(version)) for version in Version},
        "uncharged": [_item_json(item) for item in row.uncharged[Version.ADDER]],
    }
