"""Energy reports of several networks, or of one network at several widths, side by side."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from energy.counts import Version
from energy.document import Document
from energy.plots import network_bars
from energy.precision import meaning
from energy.quantity import count_text, energy_text, in_unit, ratio_text, table_unit
from energy.report import COUNTED, NAMES, RATIO, EnergyReport
from energy.section import KeyFigure, Picture, Section, Table
from energy.technology import Source
from quant.errors import BadInputError
from quant.files import replacing_file

CSV_COLUMNS = (
    "label",
    "model",
    "precision",
    "table",
    "adder_taps",
    "dot_taps",
    "parameters",
    "adder_energy_pj",
    "cnn_energy_pj",
    "ratio",
)
PRICED = "Counts of the charged operations times the prices of the table at the row's precision."


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Reports by the labels that tell them apart, in the order in which they were asked for."""

    reports: Mapping[str, EnergyReport]

    def __post_init__(self) -> None:
        if not self.reports:
            raise BadInputError("networks to compare must be at least one, not none")

    @property
    def sources(self) -> tuple[Source, ...]:
        """Of all reports, each once."""
        return tuple(dict.fromkeys(source for report in self.reports.values() for source in report.sources))

    @property
    def conventions(self) -> tuple[str, ...]:
        """Of all reports, each once."""
        return tuple(dict.fromkeys(line for report in self.reports.values() for line in report.conventions))

    def to_json(self) -> dict[str, object]:
        """One JSON-ready object, as energy/schema/energy-comparison.schema.json describes it."""
        return {
            "networks": [_row(label, report) for label, report in self.reports.items()],
            "convention": " ".join(self.conventions),
            "sources": [
                {"citation": source.citation, "place": source.place, "date_read": source.date_read}
                for source in self.sources
            ],
        }

    def table(self) -> Table:
        """What the terminal and the page show: taps, parameters, both energies in one unit, their ratio."""
        totals = [report.total(Version.CNN).energy_pj for report in self.reports.values()]
        scale, unit = table_unit(max(totals))
        energies = tuple(f"{name}, {unit}" for name in NAMES.values())
        numeric = ("adder taps", "dot taps", "parameters", *energies, "ratio")
        rows = tuple(
            (
                label,
                meaning(report.precision),
                f"{report.workload.adder_taps:,}",
                f"{report.workload.dot_taps:,}",
                f"{report.workload.parameters:,}",
                *(in_unit(report.total(version).energy_pj, scale) for version in (Version.ADDER, Version.CNN)),
                ratio_text(report.ratio, 3),
            )
            for label, report in self.reports.items()
        )
        sources = {**dict.fromkeys(numeric[:3], COUNTED), **dict.fromkeys(energies, PRICED), "ratio": RATIO}
        return Table(("network", "precision", *numeric), rows, numeric, sources=sources, explorable=True)

    def document(self) -> Document:
        """The page: the largest saving, bars, the table, conventions and sources."""
        best = max(self.reports, key=lambda label: self.reports[label].ratio or Fraction(0))
        cheapest = min(self.reports, key=lambda label: self.reports[label].total(Version.ADDER).energy_pj)
        energy_pj = self.reports[cheapest].total(Version.ADDER).energy_pj
        taps = sum(report.workload.adder_taps for report in self.reports.values())
        return Document(
            title="Networks side by side",
            introduction="Arithmetic of one image, as each network is and with every adder tap a multiplication.",
            key_figures=(
                KeyFigure(energy_text(energy_pj), f"least energy: {cheapest}", "memory not modelled", PRICED),
                KeyFigure(ratio_text(self.reports[best].ratio), f"largest saving: {best}", "CNN over adder", RATIO),
                KeyFigure(count_text(taps), "adder taps in all", f"in {len(self.reports)} networks", COUNTED),
            ),
            sections=(
                Section(
                    "Energy and taps",
                    pictures=(
                        Picture(
                            network_bars(self.reports, "networks"),
                            "Energy of one image, as a CNN and as it is. Every part says its figure on hover.",
                            is_wide=True,
                        ),
                    ),
                    tables=(self.table(),),
                ),
            ),
            conventions=self.conventions,
            sources=self.sources,
        )

    def write_csv(self, path: Path) -> None:
        """One line for each report; energies in picojoules, the ratio empty for a network without taps."""
        with replacing_file(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(CSV_COLUMNS)
            for label, report in self.reports.items():
                row = _row(label, report)
                writer.writerow(row[column] for column in CSV_COLUMNS)


def _row(label: str, report: EnergyReport) -> dict[str, object]:
    return {
        "label": label,
        "model": report.workload.model,
        "precision": str(report.precision),
        "table": report.table,
        "adder_taps": report.workload.adder_taps,
        "dot_taps": report.workload.dot_taps,
        "parameters": report.workload.parameters,
        "adder_energy_pj": float(report.total(Version.ADDER).energy_pj),
        "cnn_energy_pj": float(report.total(Version.CNN).energy_pj),
        "ratio": None if report.ratio is None else float(report.ratio),
    }
