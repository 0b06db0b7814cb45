"""Bench of tree_pipeline: whole and split sums some clocks later, a word a clock, with gaps and resets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_adder_tree import lane_values
from sim.benches.bench_processing_element import unpack
from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 7, "WIDTH": 4, "STAGES": 2, "FLAGS": 2},
    {"LANES": 12, "WIDTH": 3, "STAGES": 1, "SPLIT": 2},
    {"LANES": 11, "WIDTH": 3, "STAGES": 2, "SPLIT": 1, "FLAGS": 3},
)


class TreePipelineModel:
    """A word and a valid bit in each register level; a word stays where it is until a valid one comes."""

    def __init__(self, lanes: int, width: int, split: int, stages: int) -> None:
        self.lanes = lanes
        self.width = width
        self.split = split
        self.words: list[Mapping[str, int] | None] = [None] * (1 + stages)
        self.valid = [0] * (1 + stages)

    def sum(self, word: Mapping[str, int]) -> int:
        """Return the sum of a word, of its halves if it is split."""
        data = unpack(word["in_data"], self.lanes, self.width)
        if not (self.split and word["in_split"]):
            return sum(data) + word["in_carry"].bit_count()
        upper = sum(data[self.lanes // 2 :]) << self.split
        return sum(data[: self.lanes // 2]) + (-upper if word["in_negative"] else upper)

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the last register's word, where there was one."""
        last = self.words[-1]
        if last is None:
            return {"out_valid": self.valid[-1]}
        bits = self.width + (self.lanes - 1).bit_length() + (self.split + 1 if self.split else 0)
        return {"out_valid": self.valid[-1], "out_flags": last["in_flags"], "out_sum": self.sum(last) % (1 << bits)}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Move the words on; reset makes them invalid."""
        words, valid = [inputs, *self.words], [inputs["in_valid"], *self.valid]
        self.words = [words[index] if valid[index] else words[index + 1] for index in range(len(self.words))]
        self.valid = [0 if inputs["rst"] else bit for bit in valid[:-1]]


@cocotb.test()
async def sums_come_in_order(dut: Any) -> None:
    """Whole and split sums and what travels beside them; the last one stays through gaps and resets."""
    lanes, width, split, stages = (parameter(dut, name) for name in ("LANES", "WIDTH", "SPLIT", "STAGES"))
    flags = parameter(dut, "FLAGS")
    rng = random.Random(1)

    def stimulus() -> Iterator[Mapping[str, int]]:
        for clock, (data, carries) in enumerate(lane_values(rng, lanes, width)):
            in_split = rng.randrange(2)
            yield {
                "rst": int(clock == 0 or rng.random() < 0.03),
                "in_valid": int(clock > 0 and rng.random() < 0.7),
                "in_flags": rng.getrandbits(flags),
                "in_split": in_split,
                "in_negative": rng.randrange(2),
                "in_data": pack(data, width),
                "in_carry": 0 if split and in_split else pack(carries, 1),
            }

    await run_lockstep(dut, TreePipelineModel(lanes, width, split, stages), stimulus())
