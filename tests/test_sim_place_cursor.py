"""place_cursor against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_place_cursor import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "ADDRESS_BITS": 1, "COUNT_BITS": 3, "STEP_BITS": 1},
    {"LANES": 3, "ADDRESS_BITS": 6, "COUNT_BITS": 2, "STEP_BITS": 2},
    {"LANES": 3, "ADDRESS_BITS": 5, "COUNT_BITS": 6, "STEP_BITS": 4},
    {"LANES": 8, "ADDRESS_BITS": 8, "COUNT_BITS": 6, "STEP_BITS": 4},
    {"LANES": 16, "ADDRESS_BITS": 10, "COUNT_BITS": 16, "STEP_BITS": 5},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_step_goes_to_its_place(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("place_cursor", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
        ({"LANES": 8}, "STEP_BITS_must_hold_LANES_and_fit_COUNT_BITS"),
        ({"STEP_BITS": 9}, "STEP_BITS_must_hold_LANES_and_fit_COUNT_BITS"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("place_cursor", tmp_path, parameters)
