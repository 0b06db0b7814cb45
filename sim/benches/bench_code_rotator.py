"""Bench of code_rotator: every amount, on words of codes that all differ, of corners and of noise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = (
    {"LANES": 5, "CODE_BITS": 3, "TO_BANKS": 0},
    {"LANES": 5, "CODE_BITS": 3, "TO_BANKS": 1},
    {"LANES": 1, "CODE_BITS": 2, "TO_BANKS": 1},
)


class RotatorModel:
    """Lanes by number, turned modulo their number."""

    def __init__(self, lanes: int, code_bits: int, to_banks: bool) -> None:
        self.lanes = lanes
        self.code_bits = code_bits
        self.to_banks = to_banks

    def turned(self, inputs: Values) -> Values:
        """Return the turned word."""
        codes = [inputs["in_data"] >> (lane * self.code_bits) for lane in range(self.lanes)]
        result = [0] * self.lanes
        for lane in range(self.lanes):
            bank = (lane + inputs["amount"]) % self.lanes
            if self.to_banks:
                result[bank] = codes[lane]
            else:
                result[lane] = codes[bank]
        return {"out_data": pack(result, self.code_bits)}


def words(rng: random.Random, lanes: int, code_bits: int) -> Iterator[dict[str, int]]:
    """Yield every amount, in an order of chance, with the lanes' numbers, with one bit alone, and with noise."""
    bits = lanes * code_bits
    numbers = pack(range(lanes), code_bits)
    for _ in range(4):
        for amount in rng.sample(range(lanes), lanes):
            for word in (numbers, 1 << rng.randrange(bits), rng.getrandbits(bits), rng.getrandbits(bits)):
                yield {"amount": amount, "in_data": word}


@cocotb.test()
async def every_amount(dut: Any) -> None:
    """Every lane comes from where the amount says."""
    lanes, code_bits = parameter(dut, "LANES"), parameter(dut, "CODE_BITS")
    model = RotatorModel(lanes, code_bits, bool(parameter(dut, "TO_BANKS")))
    await run_combinational(dut, model.turned, words(random.Random(1), lanes, code_bits))
