"""layer_counters against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_layer_counters import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"ROWS": 5, "ROW_BITS": 3, "COUNTER_BITS": 48, "WRITE_BITS": 5, "LANE_BITS": 9},
    {"ROWS": 1, "ROW_BITS": 1, "COUNTER_BITS": 8, "WRITE_BITS": 2, "LANE_BITS": 3},
    {"ROWS": 256, "ROW_BITS": 8, "COUNTER_BITS": 16, "WRITE_BITS": 1, "LANE_BITS": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("layer_counters", tmp_path, parameters).passed > 0
