"""drain_sequencer against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_drain_sequencer import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"VALUES": 8, "AFFINE_ADDRESS_BITS": 10, "COUNT_BITS": 6},
)


def run(folder: Path, parameters: Mapping[str, int]) -> int:
    return run_bench(
        BenchRun(
            top="drain_sequencer",
            bench_module="sim.benches.bench_drain_sequencer",
            sources=library_sources(),
            parameters=parameters,
            build_folder=folder,
        )
    ).passed


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run(tmp_path, parameters) > 0
