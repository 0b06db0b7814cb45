"""code_writer against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_code_writer import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "VALUES": 1, "CODE_BITS": 8, "VALUE_BITS": 8, "ADDRESS_BITS": 6, "COUNT_BITS": 2},
    {"LANES": 3, "VALUES": 1, "CODE_BITS": 2, "VALUE_BITS": 16, "ADDRESS_BITS": 8, "COUNT_BITS": 3},
    {"LANES": 5, "VALUES": 3, "CODE_BITS": 2, "VALUE_BITS": 15, "ADDRESS_BITS": 5, "COUNT_BITS": 4},
    {"LANES": 3, "VALUES": 3, "CODE_BITS": 4, "VALUE_BITS": 4, "ADDRESS_BITS": 5, "COUNT_BITS": 2},
    {"LANES": 8, "VALUES": 4, "CODE_BITS": 5, "VALUE_BITS": 17, "ADDRESS_BITS": 10, "COUNT_BITS": 6},
    {"LANES": 16, "VALUES": 4, "CODE_BITS": 8, "VALUE_BITS": 40, "ADDRESS_BITS": 16, "COUNT_BITS": 16},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_code_goes_to_its_place(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("code_writer", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
        ({"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
        ({"CODE_BITS": 9, "VALUE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
        ({"VALUE_BITS": 7}, "VALUE_BITS_must_be_at_least_CODE_BITS"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("code_writer", tmp_path, parameters)
