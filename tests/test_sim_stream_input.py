from __future__ import annotations

from pathlib import Path

import pytest

from quant.errors import BadInputError
from rtl.library import library_sources
from sim.runner import BenchRun, run_bench


def run(folder: Path, parameters: dict[str, int]) -> None:
    run_bench(
        BenchRun(
            top="stream_input",
            bench_module="sim.benches.bench_stream_input",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"DATA_BITS": 8},
        {"DATA_BITS": 16},
        {"DATA_BITS": 128},
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_images_arrive_whole_and_in_order(tmp_path: Path, parameters: dict[str, int]) -> None:
    run(tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"DATA_BITS": 0}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
        ({"DATA_BITS": 12}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run(tmp_path, parameters)
