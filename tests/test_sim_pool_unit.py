"""pool_unit against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_pool_unit import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3},
    {"LANES": 5, "CODE_BITS": 8, "ACC_BITS": 14},
    {"LANES": 16, "CODE_BITS": 8, "ACC_BITS": 19},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("pool_unit", tmp_path, parameters).passed > 0
