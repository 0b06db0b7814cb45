"""Bench of drain_register: sweeps of sums that leave some at a time or one by one, whole or cut off, at any pace."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_processing_element import unpack
from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 5, "VALUES": 2, "ACC_BITS": 7, "MIN_FORM": 1},
    {"LANES": 3, "VALUES": 3, "ACC_BITS": 5, "MIN_FORM": 0},
)


class DrainRegisterModel:
    """The sums that have not left yet, and those that left last."""

    def __init__(self, lanes: int, values: int, acc_bits: int, min_form: bool) -> None:
        self.lanes = lanes
        self.values = values
        self.acc_bits = acc_bits
        self.min_form = min_form
        self.sums: list[int] | None = None
        self.sum_x = 0
        self.left: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return out_acc where it is known."""
        return {} if self.left is None else {"out_acc": self.left}

    def turned(self, acc: int, plain: int) -> int:
        """Return what the affine step expects of a sum."""
        if plain:
            return acc
        return 2 * acc - self.sum_x if self.min_form else -acc

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Give sums out, take a sweep's."""
        if inputs["shift"]:
            self.left = None
            if self.sums is not None:
                lowest = [*self.sums, *[0] * self.values][: self.values]
                self.left = pack([self.turned(acc, inputs["plain"]) for acc in lowest], self.acc_bits)
                del self.sums[: 1 if inputs["single"] else self.values]
        if inputs["capture"]:
            self.sums = unpack(inputs["in_acc"], self.lanes, self.acc_bits)
            self.sum_x = inputs["in_sum_x"]


def corner(rng: random.Random, bits: int) -> int:
    """Return a corner of the signed numbers of `bits`, or any, as a bit pattern."""
    top = 1 << (bits - 1)
    return rng.choice([0, 1, top - 1, top, 2 * top - 1, rng.getrandbits(bits), rng.getrandbits(bits)])


def sweeps(rng: random.Random, lanes: int, acc_bits: int, count: int) -> Iterator[dict[str, int]]:
    """Yield `count` sweeps, drained wholly, too far or not to their end; inputs that do not count are noise."""
    layer = {"single": 0, "plain": 0}

    def clock(**inputs: int) -> dict[str, int]:
        sums = pack([corner(rng, acc_bits) for _ in range(lanes)], acc_bits)
        noise = {"in_acc": sums, "in_sum_x": corner(rng, acc_bits)}
        return {"capture": 0, "shift": 0} | noise | layer | inputs

    yield clock()
    capture = 1
    for _ in range(count):
        if rng.random() < 0.2:
            layer = {"single": rng.randrange(2), "plain": rng.randrange(2)}
        yield clock(capture=capture, shift=rng.randrange(2))
        share = rng.choice([1.0, 0.5])
        for _ in range(rng.randint(0, lanes + 1)):
            yield clock(shift=int(rng.random() < share))
        # The next sweep's capture may come with this one's last shift.
        capture = rng.choice([1, 1, 0])
    yield clock()
    yield clock()


@cocotb.test()
async def sums_in_order(dut: Any) -> None:
    """Every sum in the form that was asked for, after every shift."""
    names = ("LANES", "VALUES", "ACC_BITS", "MIN_FORM")
    lanes, values, acc_bits, min_form = (parameter(dut, name) for name in names)
    model = DrainRegisterModel(lanes, values, acc_bits, bool(min_form))
    await run_lockstep(dut, model, sweeps(random.Random(1), lanes, acc_bits, 250))
