"""accumulator against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_accumulator import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"SUM_BITS": 8, "ACC_BITS": 9},
    {"SUM_BITS": 12, "ACC_BITS": 24},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    run = BenchRun(
        top="accumulator",
        bench_module="sim.benches.bench_accumulator",
        sources=library_sources(),
        parameters=parameters,
        build_folder=tmp_path,
    )
    assert run_bench(run).passed > 0
