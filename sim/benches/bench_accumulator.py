"""Bench of accumulator: every combination of its flags, gaps full of noise, wrap-around, and reset in the middle."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"SUM_BITS": 5, "ACC_BITS": 9}, {"SUM_BITS": 4, "ACC_BITS": 9, "SUM_SIGNED": 1})


class AccumulatorModel:
    """A Python integer, cut to ACC_BITS where it is read; unknown before the first reset.

    `sum_bits` are those of a signed sum; 0 stands for sums that are given as the numbers they are.
    """

    def __init__(self, acc_bits: int, sum_bits: int = 0) -> None:
        self.modulus = 1 << acc_bits
        self.sum_bits = sum_bits
        self.acc: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return acc where it is known."""
        return {} if self.acc is None else {"acc": self.acc % self.modulus}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Start from 0, 2 * acc or acc; add or subtract."""
        if inputs["rst"]:
            self.acc = 0
        elif inputs["in_valid"] and self.acc is not None:
            start = 0 if inputs["in_first"] else self.acc * 2 if inputs["in_double"] else self.acc
            added = inputs["in_sum"]
            if self.sum_bits and added >> self.sum_bits - 1:
                added -= 1 << self.sum_bits
            self.acc = (start + (-1) ** inputs["in_subtract"] * added) % self.modulus


def traffic(rng: random.Random, sum_bits: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a reset, then random words; a reset comes now and then, also together with a valid word."""
    top = (1 << sum_bits) - 1
    for clock in range(clocks):
        yield {
            "rst": int(clock == 0 or rng.random() < 0.02),
            "in_valid": int(rng.random() < 0.7),
            "in_first": int(rng.random() < 0.1),
            "in_double": int(rng.random() < 0.2),
            "in_subtract": rng.randrange(2),
            "in_sum": rng.choice([0, 1, top, rng.randint(0, top), rng.randint(0, top)]),
        }


@cocotb.test()
async def every_flag_in_any_order(dut: Any) -> None:
    """acc equals the model's after every clock."""
    signed_bits = parameter(dut, "SUM_BITS") if parameter(dut, "SUM_SIGNED") else 0
    model = AccumulatorModel(parameter(dut, "ACC_BITS"), signed_bits)
    await run_lockstep(dut, model, traffic(random.Random(1), parameter(dut, "SUM_BITS"), 1500))


@cocotb.test()
async def largest_sum_of_each_sign(dut: Any) -> None:
    """The largest in_sum alone, added and subtracted, fits even where ACC_BITS is SUM_BITS + 1."""
    top = (1 << parameter(dut, "SUM_BITS") - parameter(dut, "SUM_SIGNED")) - 1
    word = {"rst": 0, "in_valid": 1, "in_first": 1, "in_double": 0, "in_subtract": 0, "in_sum": top}
    silent = word | {"in_valid": 0, "in_sum": 1}
    model = AccumulatorModel(parameter(dut, "ACC_BITS"))
    await run_lockstep(dut, model, [silent | {"rst": 1}, word, silent, word | {"in_subtract": 1}, silent])
    assert dut.acc.value.to_signed() == -top, f"acc must be {-top}, not {dut.acc.value.to_signed()}"
