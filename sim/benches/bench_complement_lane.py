"""Bench of complement_lane: value + carry is |x - w|, and the carry is the sign."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from sim.benches.codes import code_pairs
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"CODE_BITS": 4},)


def absolute_difference(inputs: Values) -> Values:
    """Return |x - w| split into the sign, as a carry, and the rest."""
    x, w = inputs["x"], inputs["w"]
    carry = int(x < w)
    return {"carry": carry, "value": abs(x - w) - carry}


@cocotb.test()
async def difference_of_every_pair(dut: Any) -> None:
    """Every pair of codes up to 4 bits, corners and noise above."""
    pairs = code_pairs(random.Random(1), parameter(dut, "CODE_BITS"))
    await run_combinational(dut, absolute_difference, ({"x": x, "w": w} for x, w in pairs))
