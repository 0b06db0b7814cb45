"""operand_gate against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_operand_gate import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"LANES": 1, "CROSSINGS": 0, "CODE_BITS": 8},
    {"LANES": 3, "CROSSINGS": 2, "CODE_BITS": 5},
    {"LANES": 8, "CROSSINGS": 3, "CODE_BITS": 8},
    {"LANES": 16, "CROSSINGS": 1, "CODE_BITS": 8},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_every_lane_reads_its_code(tmp_path: Path, parameters: Mapping[str, int]) -> None:
    run_module_bench("operand_gate", tmp_path, parameters)
