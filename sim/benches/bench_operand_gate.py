"""Bench of operand_gate: words of one and of several lines, as the code that each lane must read; choices that hold."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 5, "CROSSINGS": 1, "CODE_BITS": 3},
    {"LANES": 4, "CROSSINGS": 0, "CODE_BITS": 2},
    {"LANES": 1, "CROSSINGS": 2, "CODE_BITS": 2},
)


class GateModel:
    """The choice last made, by the code that replaces each lane's own (None: the lane keeps it)."""

    def __init__(self, lanes: int, crossings: int, code_bits: int) -> None:
        self.lanes = lanes
        self.lines = crossings + 1
        self.code_bits = code_bits
        self.replaced: list[int | None] | None = None

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the operands: of this clock's data, by the choice made before."""
        if self.replaced is None:
            return {}
        codes = [inputs["in_data"] >> (lane * self.code_bits) for lane in range(self.lanes)]
        chosen = [code if other is None else other for code, other in zip(codes, self.replaced, strict=True)]
        return {"out_data": pack(chosen, self.code_bits)}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Choose."""
        if not inputs["in_valid"]:
            return

        def lanes_of(name: str) -> list[int]:
            bits = self.lanes.bit_length()
            return [(inputs[name] >> (line * bits)) % (1 << bits) for line in range(self.lines)]

        in_map = {
            lane
            for start, end in zip(lanes_of("in_inside_from"), lanes_of("in_inside_to"), strict=True)
            for lane in range(start, end)
        }
        self.replaced = [
            0 if lane >= inputs["in_codes"] else None if lane in in_map else inputs["in_pad_code"]
            for lane in range(self.lanes)
        ]


def words(rng: random.Random, model: GateModel, clocks: int) -> Iterator[dict[str, int]]:
    """Yield words whose lines follow each other, are empty or lie anyhow; words not valid change nothing."""
    bits = model.lanes.bit_length()

    def clock(valid: int) -> dict[str, int]:
        ends = [rng.randint(0, model.lanes) for _ in range(2 * model.lines)]
        if rng.randrange(2):
            ends.sort()
        return {
            "in_valid": valid,
            "in_inside_from": pack(ends[::2], bits),
            "in_inside_to": pack(ends[1::2], bits),
            "in_codes": rng.choice([model.lanes, model.lanes, rng.randint(0, model.lanes)]),
            "in_pad_code": rng.getrandbits(model.code_bits),
            "in_data": rng.getrandbits(model.lanes * model.code_bits),
        }

    for _ in range(clocks):
        yield clock(int(rng.random() < 0.7))


@cocotb.test()
async def every_kind_of_word(dut: Any) -> None:
    """Lanes inside the map, beside it and behind the last code, with no lane between them and with all of them."""
    names = ("LANES", "CROSSINGS", "CODE_BITS")
    model = GateModel(*(parameter(dut, name) for name in names))
    await run_lockstep(dut, model, words(random.Random(1), model, 600))
