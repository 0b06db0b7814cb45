from __future__ import annotations

from pathlib import Path

import pytest

from quant.errors import BadInputError
from rtl.library import library_sources
from sim.runner import BenchRun, run_bench


def run(folder: Path, parameters: dict[str, int]) -> None:
    run_bench(
        BenchRun(
            top="stream_output",
            bench_module="sim.benches.bench_stream_output",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"VALUE_BITS": 2, "DATA_BITS": 8, "COUNT_BITS": 1},
        {"VALUE_BITS": 8, "DATA_BITS": 8, "COUNT_BITS": 4},
        {"VALUE_BITS": 20, "DATA_BITS": 32, "COUNT_BITS": 16},
        {"VALUE_BITS": 33, "DATA_BITS": 40, "COUNT_BITS": 3},
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_images_leave_whole_with_their_argmax(tmp_path: Path, parameters: dict[str, int]) -> None:
    run(tmp_path, parameters)


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
        run(tmp_path, parameters)
