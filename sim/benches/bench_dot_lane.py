"""Bench of dot_lane: summed over the weight's bits, its values make up the product."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb
from cocotb.triggers import Timer

from sim.benches.codes import code_pairs
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"CODE_BITS": 4},)


def selected(inputs: Values) -> Values:
    """Return x if any selected bit of w is set, else 0."""
    return {"value": inputs["x"] if inputs["w"] & inputs["bit_select"] else 0}


@cocotb.test()
async def every_selection(dut: Any) -> None:
    """Every bit, none, several and all, for every pair of codes."""
    bits = parameter(dut, "CODE_BITS")
    rng = random.Random(1)

    def stimulus() -> Iterator[Values]:
        for x, w in code_pairs(rng, bits):
            for bit_select in (0, *(1 << bit for bit in range(bits)), (1 << bits) - 1, rng.getrandbits(bits)):
                yield {"x": x, "w": w, "bit_select": bit_select}

    await run_combinational(dut, selected, stimulus())


@cocotb.test()
async def bits_make_up_the_product(dut: Any) -> None:
    """sum over b of 2^b * value(bit b) = x * w."""
    bits = parameter(dut, "CODE_BITS")
    for x, w in code_pairs(random.Random(2), bits):
        dut.x.value, dut.w.value = x, w
        product = 0
        for bit in range(bits):
            dut.bit_select.value = 1 << bit
            await Timer(1, "ns")
            product += int(dut.value.value) << bit
        assert product == x * w, f"product must be {x * w}, not {product}; x = {x}, w = {w}"
