"""The cocotb benches pass on Verilator as on Icarus: compiling takes ten seconds each, so most are slow tests."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from rtl.library import LIBRARY_MODULES, library_sources
from sim.runner import BenchRun, run_bench
from sim.tools import Simulator

# Compilers on a busy machine: the guard against hangs must not bite.
pytestmark = pytest.mark.timeout(900)

QUICK = {"minimum_lane", "processing_element", "requantizer"}
"""A lane, the lanes of an output channel, and the affine step: what computes."""


@pytest.mark.parametrize(
    "module",
    [
        pytest.param(module, marks=[] if module in QUICK else pytest.mark.slow)
        for module in LIBRARY_MODULES
        if module != "accelerator"  # its bench plays printed designs: test_sim_verilator.py
    ],
)
def test_bench_on_verilator(module: str, tmp_path: Path) -> None:
    name = f"sim.benches.bench_{module}"
    bench = importlib.import_module(name)
    for file, content in getattr(bench, "MUTATION_FILES", {}).items():
        (tmp_path / file).write_text(content, encoding="ascii")
    run = BenchRun(
        top=module,
        bench_module=name,
        sources=library_sources(),
        parameters=bench.MUTATION_PARAMETERS[0],
        build_folder=tmp_path,
    )
    assert run_bench(run, Simulator.VERILATOR).passed > 0
