"""Bench of place_adder: sums of code numbers, every pair of a small buffer, corners and noise of a large one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter
from sim.benches.places import Buffer

MUTATION_PARAMETERS = (
    {"LANES": 5, "ADDRESS_BITS": 2},
    {"LANES": 4, "ADDRESS_BITS": 1},
    {"LANES": 1, "ADDRESS_BITS": 3},
)
FEW_CODES = 20


class AdderModel:
    """Places as numbers of codes."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer

    def moved(self, inputs: Values) -> Values:
        """Return the place that is `distance` codes further on."""
        return {"to": self.buffer.pattern(self.buffer.code(inputs["from"]) + self.buffer.code(inputs["distance"]))}


def pairs(rng: random.Random, buffer: Buffer) -> Iterator[dict[str, int]]:
    """Yield places and distances, all of them if they are few."""
    if buffer.codes <= FEW_CODES:
        for place in range(buffer.codes):
            for distance in range(buffer.codes):
                yield {"from": buffer.pattern(place), "distance": buffer.pattern(distance)}
        return
    for _ in range(1000):
        yield {"from": buffer.any_place(rng), "distance": buffer.any_place(rng)}


@cocotb.test()
async def every_distance(dut: Any) -> None:
    """Places go on by distances, over the last bank and over the last row."""
    buffer = Buffer(parameter(dut, "LANES"), parameter(dut, "ADDRESS_BITS"))
    await run_combinational(dut, AdderModel(buffer).moved, pairs(random.Random(1), buffer))
