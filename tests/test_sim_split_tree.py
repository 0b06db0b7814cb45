"""split_tree against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_split_tree import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 3, "WIDTH": 2, "SHIFT": 3},
    {"LANES": 16, "WIDTH": 8, "SHIFT": 4},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("split_tree", tmp_path, parameters).passed > 0
