"""code_rotator against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_code_rotator import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "CODE_BITS": 8, "TO_BANKS": 0},
    {"LANES": 3, "CODE_BITS": 8, "TO_BANKS": 0},
    {"LANES": 3, "CODE_BITS": 1, "TO_BANKS": 1},
    {"LANES": 8, "CODE_BITS": 4, "TO_BANKS": 0},
    {"LANES": 8, "CODE_BITS": 1, "TO_BANKS": 1},
    {"LANES": 16, "CODE_BITS": 8, "TO_BANKS": 0},
    {"LANES": 16, "CODE_BITS": 8, "TO_BANKS": 1},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_lane_comes_from_its_bank(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("code_rotator", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("code_rotator", tmp_path, parameters)
