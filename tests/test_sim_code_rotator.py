"""code_rotator against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from quant.errors import BadInputError
from rtl.library import library_sources
from sim.benches.bench_code_rotator import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

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


def run(folder: Path, parameters: Mapping[str, int]) -> None:
    run_bench(
        BenchRun(
            top="code_rotator",
            bench_module="sim.benches.bench_code_rotator",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_every_lane_comes_from_its_bank(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run(tmp_path, parameters)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"LANES": 0}, "LANES_must_be_at_least_1"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run(tmp_path, parameters)
