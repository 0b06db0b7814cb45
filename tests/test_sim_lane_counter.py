"""lane_counter against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_lane_counter import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"IN_LANES": 1, "OUT_LANES": 1, "CODE_BITS": 2, "EFFECTIVE_TAPS": 0},
    {"IN_LANES": 1, "OUT_LANES": 1, "CODE_BITS": 2, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 4, "OUT_LANES": 3, "CODE_BITS": 3, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 6, "OUT_LANES": 1, "CODE_BITS": 5, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 1, "OUT_LANES": 5, "CODE_BITS": 8, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 5, "OUT_LANES": 2, "CODE_BITS": 3, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 5, "OUT_LANES": 2, "CODE_BITS": 6, "EFFECTIVE_TAPS": 0},
    {"IN_LANES": 7, "OUT_LANES": 3, "CODE_BITS": 4, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 16, "OUT_LANES": 16, "CODE_BITS": 8, "EFFECTIVE_TAPS": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("lane_counter", tmp_path, parameters).passed > 0
