"""Bench of pool_unit: windows of both kinds with gaps, drained while they grow, and whole windows at the widest sum."""

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
    """The codes of the window in every lane, and the drained value."""

    def __init__(self, lanes: int, code_bits: int, acc_bits: int) -> None:
        self.lanes = lanes
        self.code_bits = code_bits
        self.modulus = 1 << acc_bits
        self.totals: list[int] | None = None
        self.stage: Mapping[str, int] | None = None
        self.drained: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return drain_acc where it is known."""
        return {} if self.drained is None else {"drain_acc": self.drained}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Drain what stood before the edge, then join the word in flight and take the next."""
        if inputs["drain_enable"]:
            self.drained = None if self.totals is None else self.totals[inputs["drain_lane"]]
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
            "drain_enable": int(rng.random() < 0.7),
            "drain_lane": rng.randrange(lanes),
        }


def model_of(dut: Any) -> PoolModel:
    """Return the model with the design's parameters."""
    return PoolModel(*(parameter(dut, name) for name in ("LANES", "CODE_BITS", "ACC_BITS")))


@cocotb.test()
async def windows_in_any_order(dut: Any) -> None:
    """drain_acc equals the model's after every clock."""
    model = model_of(dut)
    await run_lockstep(dut, model, traffic(random.Random(1), model.lanes, model.code_bits, 1500))


@cocotb.test()
async def sums_fill_the_register(dut: Any) -> None:
    """Full-scale words sum exactly up to the largest positive drain_acc, and wrap beyond it."""
    model = model_of(dut)
    top = (1 << model.code_bits) - 1
    word = {"rst": 0, "in_valid": 1, "in_first": 0, "in_sum": 1, "in_x": pack([top] * model.lanes, model.code_bits)}
    word |= {"drain_enable": 1, "drain_lane": model.lanes - 1}
    count = min(200, model.modulus // top + 4)
    still = word | {"in_valid": 0}
    await run_lockstep(dut, model, [word | {"rst": 1}, word | {"in_first": 1}, *[word] * count, still, still, still])
    drained = int(dut.drain_acc.value)
    assert drained == (count + 1) * top % model.modulus, (
        f"drain_acc must be the sum of {count + 1} words, not {drained}"
    )
