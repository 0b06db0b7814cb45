"""lane_array against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_lane_array import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"IN_LANES": 1, "OUT_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3, "MIN_FORM": 1},
    {"IN_LANES": 5, "OUT_LANES": 1, "CODE_BITS": 8, "ACC_BITS": 12, "MIN_FORM": 0},
    {"IN_LANES": 1, "OUT_LANES": 5, "CODE_BITS": 4, "ACC_BITS": 5, "MIN_FORM": 1},
    {"IN_LANES": 16, "OUT_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    run = BenchRun(
        top="lane_array",
        bench_module="sim.benches.bench_lane_array",
        sources=library_sources(),
        parameters=parameters,
        build_folder=tmp_path,
    )
    assert run_bench(run).passed > 0
