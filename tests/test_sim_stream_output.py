from __future__ import annotations

from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError


@pytest.mark.parametrize(
    "parameters",
    [
        {"VALUE_BITS": 2, "DATA_BITS": 8, "COUNT_BITS": 1},
        {"VALUE_BITS": 8, "DATA_BITS": 8, "COUNT_BITS": 4},
        {"VALUE_BITS": 20, "DATA_BITS": 32, "COUNT_BITS": 16},
        {"VALUE_BITS": 33, "DATA_BITS": 40, "COUNT_BITS": 3},
    ],
    ids=parameters_id,
)
def test_images_leave_whole_with_their_argmax(tmp_path: Path, parameters: dict[str, int]) -> None:
    run_module_bench("stream_output", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"VALUE_BITS": 1}, "VALUE_BITS_must_be_2_to_DATA_BITS"),
        ({"VALUE_BITS": 33}, "VALUE_BITS_must_be_2_to_DATA_BITS"),
        ({"DATA_BITS": 36}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
        ({"COUNT_BITS": 0}, "COUNT_BITS_must_be_at_least_1"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("stream_output", tmp_path, parameters)
