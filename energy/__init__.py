"""What a network costs: exact operation counts, priced by tables that name their sources."""

from __future__ import annotations

from energy.counts import LayerCount, Operation, OperationCount, Version, Workload, count_float, count_integer
from energy.page import KeyFigure, Section, Table, render_page, write_page
from energy.precision import Precision
from energy.published import Comparison, compare_published, published_models
from energy.report import Bill, EnergyReport, build_report, write_csv
from energy.technology import TechnologyTable, find_table, horowitz_2014, load_table
from energy.terminal import terminal_published, terminal_report

__all__ = [
    "Bill",
    "Comparison",
    "EnergyReport",
    "KeyFigure",
    "LayerCount",
    "Operation",
    "OperationCount",
    "Precision",
    "Section",
    "Table",
    "TechnologyTable",
    "Version",
    "Workload",
    "build_report",
    "compare_published",
    "count_float",
    "count_integer",
    "find_table",
    "horowitz_2014",
    "load_table",
    "published_models",
    "render_page",
    "terminal_published",
    "terminal_report",
    "write_csv",
    "write_page",
]
