"""bank_scatter against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_bank_scatter import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "VALUES": 1, "CODE_BITS": 8, "ADDRESS_BITS": 1},
    {"LANES": 3, "VALUES": 1, "CODE_BITS": 8, "ADDRESS_BITS": 6},
    {"LANES": 3, "VALUES": 2, "CODE_BITS": 5, "ADDRESS_BITS": 4},
    {"LANES": 8, "VALUES": 8, "CODE_BITS": 4, "ADDRESS_BITS": 6},
    {"LANES": 16, "VALUES": 4, "CODE_BITS": 8, "ADDRESS_BITS": 10},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_code_goes_to_its_bank(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("bank_scatter", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"VALUES": 0}, "VALUES_must_be_1_to_LANES"),
        ({"VALUES": 5}, "VALUES_must_be_1_to_LANES"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("bank_scatter", tmp_path, parameters)
