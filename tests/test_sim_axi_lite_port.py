"""axi_lite_port against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from sim.benches.bench_axi_lite_port import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (*MUTATION_PARAMETERS, {"ADDRESS_BITS": 32, "READ_CLOCKS": 2})


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("axi_lite_port", tmp_path, parameters).passed > 0


@pytest.mark.parametrize("read_clocks", [0, 4])
def test_bad_parameters_stop_elaboration(tmp_path: Path, read_clocks: int) -> None:
    with pytest.raises(BadInputError, match="Unknown module type: READ_CLOCKS_must_be_1_to_3\n"):
        run_module_bench("axi_lite_port", tmp_path, {"READ_CLOCKS": read_clocks})
