"""Bench of channel_cursor: the places of random slices, against the closed formula of the walk."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 5, "ADDRESS_BITS": 5, "COUNT_BITS": 4},
    {"LANES": 1, "ADDRESS_BITS": 4, "COUNT_BITS": 2},
)


class CursorModel:
    """Step k of a slice stands at base + (k div channels)*pixel_stride + (first_lane + k mod channels) div LANES."""

    def __init__(self, lanes: int, address_bits: int) -> None:
        self.lanes = lanes
        self.words = 1 << address_bits
        self.slice: Mapping[str, int] | None = None  # what load was given; None after rst
        self.steps = 0

    def place(self) -> tuple[int, int]:
        """Return (word, lane)."""
        if self.slice is None:
            return 0, 0
        pixel, channel = divmod(self.steps, self.slice["channels"])
        word, lane = divmod(self.slice["first_lane"] + channel, self.lanes)
        return (self.slice["base"] + pixel * self.slice["pixel_stride"] + word) % self.words, lane

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return word and lane."""
        word, lane = self.place()
        return {"word": word, "lane": lane}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Reset wins over load, load over step."""
        if inputs["rst"]:
            self.slice = None
        elif inputs["load"]:
            self.slice, self.steps = dict(inputs), 0
        elif inputs["step"]:
            self.steps += 1


def random_slice(rng: random.Random, lanes: int, address_bits: int, count_bits: int) -> dict[str, int]:
    """Return the description of a slice, as likely at a corner of a range as inside it."""
    most = (1 << count_bits) - 1
    return {
        "base": rng.choice([0, (1 << address_bits) - 1, rng.getrandbits(address_bits)]),
        "first_lane": rng.choice([0, lanes - 1, rng.randrange(lanes)]),
        "channels": rng.choice([1, most, rng.randint(1, most), min(lanes, most)]),
        "pixel_stride": rng.getrandbits(address_bits),
    }


def walks(rng: random.Random, lanes: int, address_bits: int, count_bits: int, slices: int) -> Iterator[dict[str, int]]:
    """Yield resets, loads and steps with random gaps; the description is noise except in the clock of load."""

    def clock(**inputs: int) -> dict[str, int]:
        noise = random_slice(rng, lanes, address_bits, count_bits)
        return noise | {"rst": 0, "load": 0, "step": 0} | inputs

    for number in range(slices):
        if number % 8 == 0:
            yield clock(rst=1, load=rng.randrange(2), step=rng.randrange(2))
            yield clock()
        described = random_slice(rng, lanes, address_bits, count_bits)
        yield clock(load=1, step=rng.randrange(2), **described)
        for _ in range(rng.choice([1, 3 * described["channels"] + 2])):
            yield clock(step=1)
            if rng.random() < 0.2:
                yield clock()


@cocotb.test()
async def every_place_of_a_slice(dut: Any) -> None:
    """The cursor stands where the formula says, in every clock."""
    lanes, address_bits, count_bits = (parameter(dut, name) for name in ("LANES", "ADDRESS_BITS", "COUNT_BITS"))
    stimulus = walks(random.Random(1), lanes, address_bits, count_bits, 48)
    await run_lockstep(dut, CursorModel(lanes, address_bits), stimulus)
