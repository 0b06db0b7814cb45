"""activation_buffer against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_activation_buffer import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "CODE_BITS": 8, "DEPTH": 1, "ADDRESS_BITS": 1},
    {"LANES": 3, "CODE_BITS": 8, "DEPTH": 7, "ADDRESS_BITS": 5},
    {"LANES": 8, "CODE_BITS": 5, "DEPTH": 9, "ADDRESS_BITS": 4},
    {"LANES": 16, "CODE_BITS": 8, "DEPTH": 8, "ADDRESS_BITS": 3},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_code_reads_back_in_its_bank(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("activation_buffer", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
        ({"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
        ({"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("activation_buffer", tmp_path, parameters)
