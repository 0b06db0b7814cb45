"""Bench of minimum_lane: min(x, w), from the identity that the min form rests on."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from sim.benches.codes import code_pairs
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"CODE_BITS": 4},)


def minimum(inputs: Values) -> Values:
    """Return the minimum as |x - w| = x + w - 2 * min(x, w) defines it."""
    x, w = inputs["x"], inputs["w"]
    return {"value": (x + w - abs(x - w)) // 2}


@cocotb.test()
async def minimum_of_every_pair(dut: Any) -> None:
    """Every pair of codes up to 4 bits, corners and noise above."""
    pairs = code_pairs(random.Random(1), parameter(dut, "CODE_BITS"))
    await run_combinational(dut, minimum, ({"x": x, "w": w} for x, w in pairs))
