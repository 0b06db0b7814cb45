"""Bench of operand_gate: every kind of tap on every channel slice, as the code that each lane must read."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = ({"LANES": 5, "CODE_BITS": 3}, {"LANES": 1, "CODE_BITS": 2})


class GateModel:
    """A lane reads 0 outside the slice's channels, the pad code outside the map, its own code elsewhere."""

    def __init__(self, lanes: int, code_bits: int) -> None:
        self.lanes = lanes
        self.code_bits = code_bits

    def operands(self, inputs: Values) -> Values:
        """Return the operand word."""
        lowest = inputs["first_lane"] if inputs["in_first_word"] else 0
        highest = inputs["last_lane"] if inputs["in_last_word"] else self.lanes - 1
        codes = [0] * self.lanes
        for lane in range(lowest, highest + 1):
            code = inputs["in_data"] >> lane * self.code_bits
            codes[lane] = inputs["in_pad_code"] if inputs["in_padded"] else code
        return {"out_data": pack(codes, self.code_bits)}


def every_tap(rng: random.Random, lanes: int, code_bits: int) -> Iterator[dict[str, int]]:
    """Yield every combination of flags and slice ends, on random codes."""
    for padded, first_word, last_word, first_lane, last_lane in product(*3 * [(0, 1)], *2 * [range(lanes)]):
        yield {
            "in_data": rng.getrandbits(lanes * code_bits),
            "in_padded": padded,
            "in_pad_code": rng.getrandbits(code_bits),
            "in_first_word": first_word,
            "in_last_word": last_word,
            "first_lane": first_lane,
            "last_lane": last_lane,
        }


@cocotb.test()
async def every_kind_of_tap(dut: Any) -> None:
    """Padding, both ends of a slice, both at once, also ends that leave no lane between them."""
    rng, lanes, code_bits = random.Random(1), parameter(dut, "LANES"), parameter(dut, "CODE_BITS")
    stimulus = (tap for _ in range(4) for tap in every_tap(rng, lanes, code_bits))
    await run_combinational(dut, GateModel(lanes, code_bits).operands, stimulus)
