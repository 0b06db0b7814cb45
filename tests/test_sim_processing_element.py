"""processing_element against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_processing_element import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"IN_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3, "MIN_FORM": 1},
    {"IN_LANES": 5, "CODE_BITS": 8, "ACC_BITS": 12, "MIN_FORM": 0},
    {"IN_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1},
    {"IN_LANES": 5, "CODE_BITS": 4, "ACC_BITS": 12, "MIN_FORM": 0, "DOT_SPLIT": 2},
    {"IN_LANES": 8, "CODE_BITS": 8, "ACC_BITS": 19, "MIN_FORM": 1, "DOT_SPLIT": 4},
    {"IN_LANES": 16, "CODE_BITS": 2, "ACC_BITS": 19, "MIN_FORM": 0},
    *(
        {"IN_LANES": lanes, "CODE_BITS": 4, "ACC_BITS": 14, "MIN_FORM": form, "DOT_SPLIT": split, "TREE_STAGES": stages}
        for lanes in (5, 8)
        for form in (0, 1)
        for split in (0, 2)
        for stages in (1, 2)
    ),
    {"IN_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 3, "MIN_FORM": 0, "TREE_STAGES": 2},
    {"IN_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 24, "MIN_FORM": 0, "DOT_SPLIT": 4, "TREE_STAGES": 2},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("processing_element", tmp_path, parameters).passed > 0
