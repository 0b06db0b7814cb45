"""tree_pipeline against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_tree_pipeline import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "WIDTH": 8, "STAGES": 2},
    {"LANES": 2, "WIDTH": 2, "STAGES": 2, "SPLIT": 1},
    {"LANES": 3, "WIDTH": 2, "STAGES": 1, "SPLIT": 3},
    {"LANES": 9, "WIDTH": 2, "STAGES": 1},
    {"LANES": 5, "WIDTH": 4, "STAGES": 0, "SPLIT": 2},
    {"LANES": 16, "WIDTH": 8, "STAGES": 2, "SPLIT": 4},
    {"LANES": 33, "WIDTH": 4, "STAGES": 2, "SPLIT": 2},
    {"LANES": 64, "WIDTH": 8, "STAGES": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("tree_pipeline", tmp_path, parameters).passed > 0
