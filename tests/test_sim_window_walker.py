"""window_walker against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_window_walker import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 3, "GROUP": 2, "POOL_GROUP": 2, "CROSSINGS": 3, "COUNT_BITS": 5},
    {"LANES": 8, "GROUP": 8, "POOL_GROUP": 8, "CROSSINGS": 3, "COUNT_BITS": 6},
    {"LANES": 16, "GROUP": 16, "POOL_GROUP": 16, "CROSSINGS": 1, "COUNT_BITS": 16},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("window_walker", tmp_path, parameters).passed > 0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
        ({"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
        ({"CROSSINGS": 8}, "CROSSINGS_must_be_0_to_7"),
        ({"POOL_GROUP": 0}, "POOL_GROUP_must_be_1_to_LANES"),
        ({"LANES": 2, "POOL_GROUP": 3}, "POOL_GROUP_must_be_1_to_LANES"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("window_walker", tmp_path, parameters)
