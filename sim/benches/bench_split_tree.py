"""Bench of split_tree: the sum of adder_tree, or of two halves of different weight and sign."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from sim.benches.bench_adder_tree import lane_values
from sim.benches.codes import pack
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"LANES": 5, "WIDTH": 4, "SHIFT": 2}, {"LANES": 2, "WIDTH": 3, "SHIFT": 1})


@cocotb.test()
async def sums_of_both_kinds_are_exact(dut: Any) -> None:
    """Whole sums with carries; split ones, whose carries are 0, with either sign."""
    lanes, width, shift = (parameter(dut, name) for name in ("LANES", "WIDTH", "SHIFT"))
    expected = 0

    def stimulus() -> Iterator[Values]:
        nonlocal expected
        rng = random.Random(2)
        bits = width + (lanes - 1).bit_length() + shift + 1
        for data, carries in lane_values(random.Random(1), lanes, width):
            word = pack(data, width)
            expected = sum(data) + sum(carries)
            yield {"in_data": word, "in_carry": pack(carries, 1), "in_split": 0, "in_negative": rng.randrange(2)}
            upper = sum(data[lanes // 2 :]) << shift
            for negative in (0, 1):
                expected = (sum(data[: lanes // 2]) + (-upper if negative else upper)) % (1 << bits)
                yield {"in_data": word, "in_carry": 0, "in_split": 1, "in_negative": negative}

    await run_combinational(dut, lambda _: {"sum": expected}, stimulus())
