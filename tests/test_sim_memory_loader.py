"""memory_loader against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from module_bench import parameters_id, run_module_bench

from quant.errors import BadInputError
from rtl.library import library_sources
from rtl.lint import lint
from sim.benches.bench_memory_loader import MUTATION_PARAMETERS

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    # One beat is a word, in all memories.
    {
        "DATA_BITS": 16,
        "WIDTH_1": 16,
        "SLICES_1": 1,
        "DEPTH_1": 1,
        "WIDTH_2": 1,
        "SLICES_2": 1,
        "DEPTH_2": 3,
        "WIDTH_3": 9,
        "SLICES_3": 1,
        "DEPTH_3": 2,
    },
    # Descriptors, weights and affine constants as a printed design has them.
    {
        "DATA_BITS": 8,
        "WIDTH_1": 32,
        "SLICES_1": 1,
        "DEPTH_1": 40,
        "WIDTH_2": 128,
        "SLICES_2": 8,
        "DEPTH_2": 3,
        "WIDTH_3": 47,
        "SLICES_3": 2,
        "DEPTH_3": 5,
    },
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("memory_loader", tmp_path, parameters).passed > 0


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_both_front_ends_are_silent(parameters: Mapping[str, int]) -> None:
    assert lint(library_sources(), "memory_loader", parameters) == []


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"DATA_BITS": 0}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
        ({"DATA_BITS": 12}, "DATA_BITS_must_be_a_positive_multiple_of_8"),
        *(({f"WIDTH_{memory}": 0}, "WIDTHs_must_be_at_least_1") for memory in (1, 2, 3)),
        *(({f"SLICES_{memory}": 0}, "SLICES_must_be_at_least_1") for memory in (1, 2, 3)),
        *(({f"DEPTH_{memory}": 0}, "DEPTHs_must_be_at_least_1") for memory in (1, 2, 3)),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: Mapping[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("memory_loader", tmp_path, parameters)
