"""place_adder against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_place_adder import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "ADDRESS_BITS": 1},
    {"LANES": 3, "ADDRESS_BITS": 2},
    {"LANES": 8, "ADDRESS_BITS": 6},
    {"LANES": 16, "ADDRESS_BITS": 10},
    {"LANES": 5, "ADDRESS_BITS": 16},
)


def run(folder: Path, parameters: Mapping[str, int]) -> None:
    run_bench(
        BenchRun(
            top="place_adder",
            bench_module="sim.benches.bench_place_adder",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_places_add_as_codes(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run(tmp_path, parameters)
