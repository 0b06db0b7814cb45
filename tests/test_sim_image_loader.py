"""image_loader against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_image_loader import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 8, "CODE_BITS": 8, "DATA_BITS": 16, "ADDRESS_BITS": 8, "COUNT_BITS": 5},
)


def run(folder: Path, parameters: Mapping[str, int]) -> int:
    return run_bench(
        BenchRun(
            top="image_loader",
            bench_module="sim.benches.bench_image_loader",
            sources=library_sources(),
            parameters=parameters,
            build_folder=folder,
        )
    ).passed


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run(tmp_path, parameters) > 0
