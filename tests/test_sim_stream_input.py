from __future__ import annotations

from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError


@pytest.mark.parametrize(
    "parameters",
    [
        {"DATA_BITS": 8},
        {"DATA_BITS": 16},
        {"DATA_BITS": 128},
    ],
    ids=parameters_id,
)
def test_images_arrive_whole_and_in_order(tmp_path: Path, parameters: dict[str, int]) -> None:
    run_module_bench("stream_input", tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"DATA_BITS": 0}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
        ({"DATA_BITS": 12}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("stream_input", tmp_path, parameters)
