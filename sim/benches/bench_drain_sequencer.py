"""Bench of drain_sequencer: sweeps of random sizes, one or several a pixel, drained under random stalls, resets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"VALUES": 3, "AFFINE_ADDRESS_BITS": 4, "COUNT_BITS": 4},
    {"VALUES": 1, "AFFINE_ADDRESS_BITS": 5, "COUNT_BITS": 2},
    {"VALUES": 4, "AFFINE_ADDRESS_BITS": 3, "COUNT_BITS": 3},
)
MOST_PLANES = 15  # that the port can tell


class DrainModel:
    """The sweep's sums in portions that are still owed, and the clocks since the last left."""

    def __init__(self, values: int, address_bits: int) -> None:
        self.values = values
        self.addresses = 1 << address_bits
        self.owed: list[int] = []  # sums of each portion
        self.address = 0
        self.age: int | None = None  # clocks since the last portion left
        self.pause = 0  # clocks from that portion to the next

    def leaves(self, inputs: Mapping[str, int]) -> bool:
        """Return whether a portion leaves in this clock."""
        return bool(self.outputs(inputs)["issue"] and inputs["enable"])

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the first portion owed, once the writer is done with the one before."""
        if not self.owed or (self.age is not None and self.age < self.pause):
            return {"issue": 0}
        last = int(len(self.owed) == 1)
        return {"issue": 1, "issue_count": self.owed[0], "issue_last": last, "issue_address": self.address}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Give a portion away, take a sweep."""
        leaves = self.leaves(inputs)
        self.age = None if self.age is None else self.age + 1
        if inputs["rst"]:
            self.owed, self.age = [], None
            return
        if leaves:
            del self.owed[0]
            self.address = (self.address + 1) % self.addresses
            self.age, self.pause = 1, inputs["planes"]
        if inputs["capture"]:
            most = 1 if inputs["single"] else self.values
            channels = inputs["channels"]
            self.owed = [min(most, channels - given) for given in range(0, channels, most)]
            if inputs["starts_pixel"]:
                self.address = inputs["affine_base"]


def sweeps(
    rng: random.Random, model: DrainModel, address_bits: int, count_bits: int, count: int
) -> Iterator[dict[str, int]]:
    """Yield `count` sweeps, a capture at the earliest with the last portion of the sweep before; rst falls anywhere."""
    layer: dict[str, int] = {}
    enabled_share = 1.0

    def clock(**inputs: int) -> dict[str, int]:
        noise = {"channels": rng.getrandbits(count_bits), "starts_pixel": rng.randrange(2)}
        enable = int(rng.random() < enabled_share)
        return {"rst": 0, "capture": 0, "enable": enable} | noise | layer | inputs

    for number in range(count):
        first = number == 0 or not model.owed
        if number == 0 or (rng.random() < 0.15 and not model.owed):
            layer = {
                "affine_base": rng.getrandbits(address_bits),
                "single": int(rng.random() < 0.3),
                "planes": rng.choice([1, 1, 1, 2, 3, rng.randint(1, MOST_PLANES)]),
            }
        if number == 0:
            yield clock(rst=1, capture=1)
        enabled_share = rng.choice([1.0, 1.0, 0.5, 0.2])
        for _ in range(rng.choice([0, 0, 1, 9]) if first else 0):
            yield clock()
        channels = rng.choice([1, model.values, rng.randint(1, (1 << count_bits) - 1)])
        sweep = {
            "channels": min(channels, (1 << count_bits) - 1),
            "starts_pixel": int(number == 0 or rng.random() < 0.4),
        }
        # With a portion still owed this clock is that portion's.
        yield clock(capture=1, **sweep) | ({"enable": 1} if model.owed else {})
        cut = rng.choice([None] * 6 + [rng.randrange(6)])
        # Now and then stop before the last portion, so that the next capture comes with it.
        keep = rng.choice([0, 0, 1])
        played = 0
        while len(model.owed) > keep or (model.owed and not model.outputs({})["issue"]):
            if played == cut:
                yield clock(rst=1, capture=rng.randrange(2))
                yield from (clock() for _ in range(3))
                yield clock(capture=1, channels=1, starts_pixel=1, enable=1)
                while model.owed:
                    yield clock()
            else:
                yield clock()
            played += 1


@cocotb.test()
async def every_sum_once(dut: Any) -> None:
    """All sums of all sweeps in order, each portion with its affine address, no faster than the writer."""
    values, address_bits, count_bits = (
        parameter(dut, name) for name in ("VALUES", "AFFINE_ADDRESS_BITS", "COUNT_BITS")
    )
    model = DrainModel(values, address_bits)
    await run_lockstep(dut, model, sweeps(random.Random(1), model, address_bits, count_bits, 200))
