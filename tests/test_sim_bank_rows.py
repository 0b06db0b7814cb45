"""bank_rows against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_bank_rows import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "CROSSINGS": 0, "ADDRESS_BITS": 1},
    {"LANES": 3, "CROSSINGS": 2, "ADDRESS_BITS": 5},
    {"LANES": 8, "CROSSINGS": 0, "ADDRESS_BITS": 4},
    {"LANES": 8, "CROSSINGS": 3, "ADDRESS_BITS": 6},
    {"LANES": 16, "CROSSINGS": 1, "ADDRESS_BITS": 10},
    {"LANES": 5, "CROSSINGS": 4, "ADDRESS_BITS": 8},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_bank_reads_its_row(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("bank_rows", tmp_path, parameters)
