"""lane_array against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_lane_array import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"IN_LANES": 1, "OUT_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3, "MIN_FORM": 1},
    {"IN_LANES": 5, "OUT_LANES": 1, "CODE_BITS": 8, "ACC_BITS": 12, "MIN_FORM": 0},
    {"IN_LANES": 1, "OUT_LANES": 5, "CODE_BITS": 4, "ACC_BITS": 5, "MIN_FORM": 1},
    {"IN_LANES": 16, "OUT_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1},
    *(
        {"IN_LANES": 5, "OUT_LANES": 2, "CODE_BITS": 4, "ACC_BITS": 12, "MIN_FORM": form, **more}
        for form in (0, 1)
        for more in ({"TREE_STAGES": 1}, {"TREE_STAGES": 2}, {"DOT_SPLIT": 2, "TREE_STAGES": 2})
    ),
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("lane_array", tmp_path, parameters).passed > 0
