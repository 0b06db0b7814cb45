"""descriptor_reader against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rtl.library import library_sources
from sim.benches.bench_descriptor_reader import MUTATION_PARAMETERS
from sim.runner import BenchRun, run_bench

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"WORDS": 45, "ADDRESS_BITS": 10},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=lambda parameters: "-".join(map(str, parameters.values())))
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    run = BenchRun(
        top="descriptor_reader",
        bench_module="sim.benches.bench_descriptor_reader",
        sources=library_sources(),
        parameters=parameters,
        build_folder=tmp_path,
    )
    assert run_bench(run).passed > 0
