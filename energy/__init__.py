"""What a network costs: exact operation counts, priced by tables that name their sources."""

from __future__ import annotations

from energy.counts import LayerCount, Operation, OperationCount, Version, Workload, count_float, count_integer
from energy.document import Document
from energy.page import energy_document
from energy.precision import Precision
from energy.published import Comparison, compare_published, published_models
from energy.report import Bill, EnergyReport, build_report, write_csv
from energy.section import KeyFigure, Section, Table
from energy.side_by_side import SideBySide
from energy.technology import TechnologyTable, find_table, horowitz_2014, load_table
from energy.terminal import terminal_published, terminal_report

__all__ = [
    "Bill",
    "Comparison",
    "Document",
    "EnergyReport",
    "KeyFigure",
    "LayerCount",
    "Operation",
    "OperationCount",
    "Precision",
    "Section",
    "SideBySide",
    "Table",
    "TechnologyTable",
    "Version",
    "Workload",
    "build_report",
    "compare_published",
    "count_float",
    "count_integer",
    "energy_document",
    "find_table",
    "horowitz_2014",
    "load_table",
    "published_models",
    "terminal_published",
    "terminal_report",
    "write_csv",
]
