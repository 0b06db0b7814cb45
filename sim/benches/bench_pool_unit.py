"""Bench of pool_unit: windows of both kinds with gaps, seen while they grow, and whole windows at the widest sum."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_processing_element import unpack
from sim.benches.codes import pack, tap_word
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"LANES": 3, "CODE_BITS": 4, "ACC_BITS": 9},)


class PoolModel:
    """The totals of every lane, and the word in flight."""

    def __init__(self, lanes: int, code_bits: int, acc_bits: int) -> None:
        self.lanes = lanes
        self.code_bits = code_bits
        self.acc_bits = acc_bits
        self.modulus = 1 << acc_bits
        self.totals: list[int] | None = None
        self.stage: Mapping[str, int] | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the totals where they are known."""
        return {} if self.totals is None else {"acc": pack(self.totals, self.acc_bits)}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Join the word in flight and take the next."""
        if inputs["rst"]:
            self.totals = [0] * self.lanes
        elif self.stage is not None and self.totals is not None:
            word = unpack(self.stage["in_x"], self.lanes, self.code_bits)
            bases = [0] * self.lanes if self.stage["in_first"] else self.totals
            join = sum if self.stage["in_sum"] else max
            self.totals = [join(pair) % self.modulus for pair in zip(bases, word, strict=True)]
        self.stage = inputs if inputs["in_valid"] and not inputs["rst"] else None


def traffic(rng: random.Random, lanes: int, bits: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a reset, then windows whose kind changes at their first word or, one time in twenty, anywhere."""
    in_sum = 0
    for clock in range(clocks):
        in_first = int(rng.random() < 0.15)
        if in_first or rng.random() < 0.05:
            in_sum = rng.randrange(2)
        yield {
            "rst": int(clock == 0 or rng.random() < 0.02),
            "in_valid": int(rng.random() < 0.7),
            "in_first": in_first,
            "in_sum": in_sum,
            "in_x": pack(tap_word(rng, lanes, bits)[0], bits),
        }


def model_of(dut: Any) -> PoolModel:
    """Return the model with the design's parameters."""
    return PoolModel(*(parameter(dut, name) for name in ("LANES", "CODE_BITS", "ACC_BITS")))


@cocotb.test()
async def windows_in_any_order(dut: Any) -> None:
    """acc equals the model's after every clock."""
    model = model_of(dut)
    await run_lockstep(dut, model, traffic(random.Random(1), model.lanes, model.code_bits, 1500))


@cocotb.test()
async def sums_fill_the_register(dut: Any) -> None:
    """Full-scale words sum exactly up to the largest positive total, and wrap beyond it."""
    model = model_of(dut)
    top = (1 << model.code_bits) - 1
    word = {"rst": 0, "in_valid": 1, "in_first": 0, "in_sum": 1, "in_x": pack([top] * model.lanes, model.code_bits)}
    count = min(200, model.modulus // top + 4)
    still = word | {"in_valid": 0}
    await run_lockstep(dut, model, [word | {"rst": 1}, word | {"in_first": 1}, *[word] * count, still, still, still])
    total = (count + 1) * top % model.modulus
    expected, actual = pack([total] * model.lanes, model.acc_bits), int(dut.acc.value)
    assert actual == expected, f"acc must be the sum of {count + 1} words, {expected}, not {actual}"
