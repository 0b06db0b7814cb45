"""processing_element against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_processing_element import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"IN_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3, "MIN_FORM": 1},
    {"IN_LANES": 5, "CODE_BITS": 8, "ACC_BITS": 12, "MIN_FORM": 0},
    {"IN_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1},
    {"IN_LANES": 5, "CODE_BITS": 4, "ACC_BITS": 12, "MIN_FORM": 0, "DOT_SPLIT": 2},
    {"IN_LANES": 8, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1, "DOT_SPLIT": 4},
    {"IN_LANES": 16, "CODE_BITS": 2, "ACC_BITS": 19, "MIN_FORM": 0},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    run = BenchRun(
        top="processing_element",
        bench_module="sim.benches.bench_processing_element",
        sources=library_sources(),
        parameters=parameters,
        build_folder=tmp_path,
    )
    assert run_bench(run).passed > 0
