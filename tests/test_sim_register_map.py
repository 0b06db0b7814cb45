"""register_map against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import run_module_bench

from quant.errors import BadInputError
from rtl.driver import ADDRESS_BITS, PARAMETERS
from rtl.library import library_sources
from rtl.lint import lint
from sim.benches.bench_register_map import MUTATION_PARAMETERS

ALL_PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"ADDRESS_BITS": 11, "INDEX_BITS": 1, "COUNTER_BITS": 64, "PARAMETERS": 1, "PARAMETER_VALUES": 7},
    # As a printed design has it.
    {
        "ADDRESS_BITS": ADDRESS_BITS,
        "INDEX_BITS": 6,
        "COUNTER_BITS": 48,
        "RUN_AT_RESET": 0,
        "PARAMETERS": len(PARAMETERS),
        "PARAMETER_VALUES": sum(n + 3 << 32 * n for n in range(len(PARAMETERS))),
    },
)


def shape(parameters: Mapping[str, int]) -> str:
    return "-".join(str(value) for name, value in parameters.items() if name != "PARAMETER_VALUES")


@pytest.mark.parametrize("parameters", ALL_PARAMETERS, ids=shape)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("register_map", tmp_path, parameters).passed > 0


@pytest.mark.parametrize("parameters", ALL_PARAMETERS, ids=shape)
def test_both_front_ends_are_silent(parameters: Mapping[str, int]) -> None:
    # The values are 0: they are given as literals of 32 bits, which lint finds too narrow.
    chosen = {name: value for name, value in parameters.items() if name != "PARAMETER_VALUES"}
    assert lint(library_sources(), "register_map", chosen) == []


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"PARAMETERS": 65}, "PARAMETERS_must_be_1_to_64"),
        ({"COUNTER_BITS": 32}, "COUNTER_BITS_must_be_33_to_64"),
        ({"COUNTER_BITS": 65}, "COUNTER_BITS_must_be_33_to_64"),
        ({"ADDRESS_BITS": 10, "INDEX_BITS": 4}, "ADDRESS_BITS_must_be_at_least_10_and_hold_all_layers"),
        ({"ADDRESS_BITS": 9, "INDEX_BITS": 2}, "ADDRESS_BITS_must_be_at_least_10_and_hold_all_layers"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("register_map", tmp_path, parameters)
