"""drain_register against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_drain_register import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "VALUES": 1, "ACC_BITS": 4, "MIN_FORM": 1},
    {"LANES": 4, "VALUES": 1, "ACC_BITS": 9, "MIN_FORM": 0},
    {"LANES": 16, "VALUES": 8, "ACC_BITS": 24, "MIN_FORM": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("drain_register", tmp_path, parameters).passed > 0


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"VALUES": 0}, "VALUES_must_be_1_to_LANES"),
        ({"LANES": 2, "VALUES": 3}, "VALUES_must_be_1_to_LANES"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("drain_register", tmp_path, parameters)
