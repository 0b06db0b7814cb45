"""Bench of drain_sequencer: sweeps of random sizes, one or several a pixel, drained under random stalls, resets."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 5, "AFFINE_ADDRESS_BITS": 4, "COUNT_BITS": 3, "SETTLE": 3},
    {"LANES": 2, "AFFINE_ADDRESS_BITS": 5, "COUNT_BITS": 2, "SETTLE": 2},
    {"LANES": 1, "AFFINE_ADDRESS_BITS": 3, "COUNT_BITS": 1, "SETTLE": 5},
)


class DrainModel:
    """A queue of the lanes that a sweep owes, which opens `settle` clocks after the sweep's last tap."""

    def __init__(self, settle: int, address_bits: int) -> None:
        self.settle = settle
        self.addresses = 1 << address_bits
        self.age: int | None = None  # clocks since sweep_done; None without a sweep
        self.owed: deque[tuple[int, int]] = deque()  # (lane, address)
        self.next_address = 0

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the first lane owed, if the sums are complete; drained with the last that is taken."""
        if self.age is None or self.age < self.settle:
            return {"issue": 0, "drained": 0}
        lane, address = self.owed[0]
        drained = int(len(self.owed) == 1 and inputs["enable"])
        return {"issue": 1, "issue_lane": lane, "issue_address": address, "drained": drained}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Take a lane, or take note of a sweep."""
        issued = self.outputs(inputs)["issue"] and inputs["enable"]
        if inputs["rst"]:
            self.age = None
            return
        if self.age is not None:
            self.age += 1
        if issued:
            self.owed.popleft()
            self.age = self.age if self.owed else None
        if inputs["sweep_done"]:
            if inputs["sweep_starts_pixel"]:
                self.next_address = inputs["affine_base"]
            channels = inputs["sweep_channels"]
            self.owed = deque((lane, (self.next_address + lane) % self.addresses) for lane in range(channels))
            self.next_address += channels
            self.age = 1


def sweeps(rng: random.Random, model: DrainModel, lanes: int, count_bits: int, count: int) -> Iterator[dict[str, int]]:
    """Yield `count` sweeps; what describes a sweep is noise while there is none, and rst falls anywhere."""
    address_bits = model.addresses.bit_length() - 1

    def noise() -> dict[str, int]:
        return {
            "sweep_channels": rng.getrandbits(count_bits),
            "sweep_starts_pixel": rng.randrange(2),
            "affine_base": rng.getrandbits(address_bits),
        }

    def clock(**inputs: int) -> dict[str, int]:
        return {"rst": 0, "sweep_done": 0, "enable": int(rng.random() < enabled_share)} | noise() | inputs

    enabled_share = 1.0
    yield clock(rst=1, sweep_done=1)
    starts_pixel = 1
    for _ in range(count):
        enabled_share = rng.choice([1.0, 0.5, 0.2])
        for _ in range(rng.choice([0, 0, 1, 4])):
            yield clock()
        sweep = noise() | {"sweep_channels": rng.randint(1, lanes), "sweep_starts_pixel": starts_pixel}
        yield clock(sweep_done=1, **sweep)
        starts_pixel = int(rng.random() < 0.4)
        cut = rng.choice([None] * 5 + [rng.randrange(model.settle + lanes)])
        played = 0
        while model.age is not None:
            if played == cut:
                yield clock(rst=1, sweep_done=rng.randrange(2), **sweep)
                yield from (clock() for _ in range(model.settle + 2))
                starts_pixel = 1
            else:
                yield clock(**sweep)
            played += 1


@cocotb.test()
async def every_lane_once(dut: Any) -> None:
    """Lanes in order, each with its affine address, from SETTLE clocks after the last tap on, and never without one."""
    lanes, address_bits, count_bits, settle = (
        parameter(dut, name) for name in ("LANES", "AFFINE_ADDRESS_BITS", "COUNT_BITS", "SETTLE")
    )
    model = DrainModel(settle, address_bits)
    await run_lockstep(dut, model, sweeps(random.Random(1), model, lanes, count_bits, 200))
