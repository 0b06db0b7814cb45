from __future__ import annotations

from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError


@pytest.mark.parametrize(
    "parameters",
    [
        {"IN_LANES": 1, "OUT_LANES": 1, "CODE_BITS": 2, "DEPTH": 2, "ADDRESS_BITS": 1},
        {"IN_LANES": 3, "OUT_LANES": 5, "CODE_BITS": 8, "DEPTH": 7, "ADDRESS_BITS": 5},
        {"IN_LANES": 16, "OUT_LANES": 16, "CODE_BITS": 8, "DEPTH": 8, "ADDRESS_BITS": 3},
    ],
    ids=parameters_id,
)
def test_words_of_weights_read_back(tmp_path: Path, parameters: dict[str, int]) -> None:
    run_module_bench("weight_buffer", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"IN_LANES": 0}, "IN_LANES_must_be_at_least_1"),
        ({"OUT_LANES": 0}, "OUT_LANES_must_be_at_least_1"),
        ({"CODE_BITS": 1}, "CODE_BITS_must_be_2_to_8"),
        ({"CODE_BITS": 9}, "CODE_BITS_must_be_2_to_8"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("weight_buffer", tmp_path, parameters)
