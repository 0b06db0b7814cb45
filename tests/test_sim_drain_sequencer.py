"""drain_sequencer against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_drain_sequencer import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"VALUES": 8, "AFFINE_ADDRESS_BITS": 10, "COUNT_BITS": 6},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("drain_sequencer", tmp_path, parameters).passed > 0
