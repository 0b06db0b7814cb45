"""requantizer against its model, on Icarus, at the parameters of the mutation run and at others."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fxpmath.objects import Fxp
from module_bench import parameters_id, run_module_bench

from sim.benches.bench_requantizer import MUTATION_PARAMETERS, multiplier, requantized, word, wrapped

PARAMETERS: tuple[Mapping[str, int], ...] = (
    *MUTATION_PARAMETERS,
    {"ACC_BITS": 19, "CODE_BITS": 8, "DIGITS": 3, "CONST_BITS": 28, "AFFINE_BITS": 28, "OUT_BITS": 8},
    {"ACC_BITS": 24, "CODE_BITS": 2, "DIGITS": 1, "CONST_BITS": 16, "AFFINE_BITS": 24, "OUT_BITS": 23},
)


@pytest.mark.parametrize("parameters", PARAMETERS, ids=parameters_id)
def test_bench(parameters: Mapping[str, int], tmp_path: Path) -> None:
    assert run_module_bench("requantizer", tmp_path, parameters).passed > 0


def test_model_rounds_and_saturates_like_fxpmath() -> None:
    # In Q-format terms the step reads a total with n fraction bits into an unsigned integer of 9 bits, half a unit up.
    rng = random.Random(5)
    bits = MUTATION_PARAMETERS[0]
    top = (1 << bits["OUT_BITS"]) - 1
    for _ in range(200):
        inputs = word(rng, bits) | {"in_clamp": 1, "in_clamp_max": top}
        total = wrapped(inputs["in_acc"], bits["ACC_BITS"]) * multiplier(inputs["in_multiplier"], bits["DIGITS"])
        total += inputs["in_shortcut"] * multiplier(inputs["in_shortcut_multiplier"], bits["DIGITS"])
        total += wrapped(inputs["in_constant"], bits["CONST_BITS"])
        if abs(total) >= 2 ** (bits["AFFINE_BITS"] - 2):
            continue  # wraps, which fxpmath is not asked about
        half = 0.5 if inputs["in_shift"] else 0.0
        value = total / 2 ** inputs["in_shift"] + half  # exact: fewer bits than a double's mantissa
        # fxpmath ships no types.
        expected: Any = Fxp(value, False, bits["OUT_BITS"], 0, rounding="floor", overflow="saturate")  # type: ignore[no-untyped-call]
        assert requantized(inputs, bits) == int(expected.val)
