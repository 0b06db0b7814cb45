"""Bench of place_cursor: the place of every step by the formula of the slice, with holds, and new slices at any time.

The walk itself, `SliceWalk`, also serves the bench of the module that writes along it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep
from sim.benches.places import Buffer

MUTATION_PARAMETERS = (
    {"LANES": 5, "ADDRESS_BITS": 3, "COUNT_BITS": 4, "STEP_BITS": 3},
    {"LANES": 4, "ADDRESS_BITS": 4, "COUNT_BITS": 3, "STEP_BITS": 3},
    {"LANES": 1, "ADDRESS_BITS": 1, "COUNT_BITS": 2, "STEP_BITS": 1},
)


class SliceWalk:
    """A slice, and how many of its codes have been passed."""

    def __init__(self, buffer: Buffer, described: Mapping[str, int]) -> None:
        self.buffer = buffer
        self.described = dict(described)
        self.passed = 0

    def code(self) -> int:
        """Return the number of the code that the walk stands at."""
        pixels, channel = divmod(self.passed, self.described["channels"])
        line, column = divmod(pixels, self.described["width"])
        steps = {name: self.buffer.code(self.described[name]) for name in ("origin", "line_step", "pixel_step")}
        return steps["origin"] + line * steps["line_step"] + column * steps["pixel_step"] + channel

    def left(self) -> int:
        """Return how many codes of the pixel are left, at least one."""
        return self.described["channels"] - self.passed % self.described["channels"]


def random_slice(rng: random.Random, buffer: Buffer, count_bits: int) -> dict[str, int]:
    """Return the description of a slice: any places, counts of 1, of the most that fit, and between."""
    most = (1 << count_bits) - 1
    return {
        "origin": buffer.any_place(rng),
        "pixel_step": buffer.any_place(rng),
        "line_step": buffer.any_place(rng),
        "channels": rng.choice([1, min(2, most), min(most, buffer.lanes), most, rng.randint(1, most)]),
        "width": rng.choice([1, min(2, most), min(most, 3), rng.randint(1, most)]),
    }


class CursorModel:
    """The walk of the slice last loaded."""

    def __init__(self, buffer: Buffer) -> None:
        self.buffer = buffer
        self.walk: SliceWalk | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the place."""
        return {} if self.walk is None else {"place": self.buffer.pattern(self.walk.code())}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Take a slice, or go on."""
        if inputs["load"]:
            self.walk = SliceWalk(self.buffer, inputs)
        elif inputs["step"] and self.walk is not None:
            self.walk.passed += inputs["count"]


def traffic(
    rng: random.Random, model: CursorModel, count_bits: int, step_bits: int, slices: int
) -> Iterator[dict[str, int]]:
    """Yield slices that are left after some steps, or walked over several lines; what is not taken is noise."""
    lanes = model.buffer.lanes
    for _ in range(slices):
        noise = {"step": rng.randrange(2), "count": rng.randint(1, lanes)}
        yield random_slice(rng, model.buffer, count_bits) | noise | {"load": 1}
        assert model.walk is not None
        described = model.walk.described
        largest = rng.random() < 0.6  # as a run of whole words, the last one shorter
        codes = min(rng.choice([8, 3 * described["channels"] * described["width"] + 1]), 60 * lanes)
        while model.walk.passed < codes:
            step = int(rng.random() < 0.8)
            most = min(lanes, model.walk.left())
            count = most if largest else rng.randint(1, most)
            yield random_slice(rng, model.buffer, count_bits) | {
                "load": 0,
                "step": step,
                "count": count if step else rng.getrandbits(step_bits),
            }


@cocotb.test()
async def every_step_goes_to_its_place(dut: Any) -> None:
    """The place equals that of the formula in every clock."""
    buffer = Buffer(parameter(dut, "LANES"), parameter(dut, "ADDRESS_BITS"))
    model = CursorModel(buffer)
    count_bits, step_bits = parameter(dut, "COUNT_BITS"), parameter(dut, "STEP_BITS")
    await run_lockstep(dut, model, traffic(random.Random(1), model, count_bits, step_bits, 60))
