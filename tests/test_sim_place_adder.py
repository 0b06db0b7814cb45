"""place_adder against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_place_adder import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "ADDRESS_BITS": 1},
    {"LANES": 3, "ADDRESS_BITS": 2},
    {"LANES": 8, "ADDRESS_BITS": 6},
    {"LANES": 16, "ADDRESS_BITS": 10},
    {"LANES": 5, "ADDRESS_BITS": 16},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_places_add_as_codes(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("place_adder", tmp_path, parameters)
