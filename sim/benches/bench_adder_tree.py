"""Bench of adder_tree: the exact sum at any number of lanes, up to the largest that its precondition allows."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"LANES": 5, "WIDTH": 4},)


def lane_values(rng: random.Random, lanes: int, width: int) -> Iterator[tuple[list[int], list[int]]]:
    """Yield data and carries with data + carry of at most 2^width - 1: corners, single lanes, then noise."""
    top = (1 << width) - 1
    none, all_carry = [0] * lanes, [1] * lanes
    yield none, none
    yield none, all_carry
    yield [top] * lanes, none
    yield [top - 1] * lanes, all_carry
    for lane in range(lanes):
        alone = [int(other == lane) for other in range(lanes)]
        yield none, alone
        yield [top - 1] * lanes, alone
        yield from (([value * here for here in alone], none) for value in (1 << bit for bit in range(width)))
        yield [top * here for here in alone], [1 - here for here in alone]
    for _ in range(400):
        carries = [rng.randrange(2) for _ in range(lanes)]
        yield [rng.choice([top - carry, rng.randint(0, top - carry)]) for carry in carries], carries


@cocotb.test()
async def sum_is_exact(dut: Any) -> None:
    """The sum of the data plus the number of carries."""
    lanes, width = parameter(dut, "LANES"), parameter(dut, "WIDTH")
    expected = 0

    def stimulus() -> Iterator[Values]:
        nonlocal expected
        for data, carries in lane_values(random.Random(1), lanes, width):
            expected = sum(data) + sum(carries)
            yield {"in_data": pack(data, width), "in_carry": pack(carries, 1)}

    await run_combinational(dut, lambda _: {"sum": expected}, stimulus())
