from __future__ import annotations

from pathlib import Path

import pytest

from quant.errors import BadInputError
from rtl.library import library_sources
from sim.runner import BenchRun, run_bench


def run(folder: Path, parameters: dict[str, int]) -> None:
    run_bench(
        BenchRun(
            top="channel_cursor",
            bench_module="sim.benches.bench_channel_cursor",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"LANES": 1, "ADDRESS_BITS": 4, "COUNT_BITS": 1},
        {"LANES": 3, "ADDRESS_BITS": 8, "COUNT_BITS": 4},
        {"LANES": 5, "ADDRESS_BITS": 6, "COUNT_BITS": 5},
        {"LANES": 16, "ADDRESS_BITS": 16, "COUNT_BITS": 6},
    ],
    ids=lambda parameters: "-".join(map(str, parameters.values())),
)
def test_every_place_of_a_slice(tmp_path: Path, parameters: dict[str, int]) -> None:
    run(tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
        ({"ADDRESS_BITS": 0}, "ADDRESS_BITS_must_be_at_least_1"),
        ({"COUNT_BITS": 0}, "COUNT_BITS_must_be_at_least_1"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run(tmp_path, parameters)
