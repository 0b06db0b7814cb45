"""Bench of bank_scatter: every count from every bank; banks that are not written may be offered anything."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.codes import Lanes
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter
from sim.benches.places import Buffer

MUTATION_PARAMETERS = (
    {"LANES": 5, "VALUES": 3, "CODE_BITS": 3, "ADDRESS_BITS": 3},
    {"LANES": 4, "VALUES": 4, "CODE_BITS": 2, "ADDRESS_BITS": 2},
    {"LANES": 1, "VALUES": 1, "CODE_BITS": 2, "ADDRESS_BITS": 2},
)


def bank_writes(writes: Mapping[int, tuple[int, int]], buffer: Buffer, code_bits: int) -> dict[str, int | Lanes]:
    """Return the outputs that write to each bank of `writes` a code (row, code), and to no other."""
    return {
        "write_enable": sum(1 << bank for bank in writes),
        "write_rows": Lanes({bank: row for bank, (row, _) in writes.items()}, buffer.address_bits),
        "write_data": Lanes({bank: code for bank, (_, code) in writes.items()}, code_bits),
    }


class ScatterModel:
    """Codes that follow each other, each in the bank and row of its number."""

    def __init__(self, buffer: Buffer, code_bits: int) -> None:
        self.buffer = buffer
        self.code_bits = code_bits

    def scattered(self, inputs: Values) -> Mapping[str, int | Lanes]:
        """Return the writes."""
        writes = {}
        for number in range(inputs["count"] if inputs["enable"] else 0):
            row, bank = self.buffer.row_and_bank(self.buffer.code(inputs["place"]) + number)
            writes[bank] = row, (inputs["codes"] >> (number * self.code_bits)) % (1 << self.code_bits)
        return bank_writes(writes, self.buffer, self.code_bits)


def words(rng: random.Random, buffer: Buffer, values: int, code_bits: int) -> Iterator[dict[str, int]]:
    """Yield every bank and count, in the last row and in any, once in a while not enabled."""
    last_row = buffer.codes - buffer.lanes
    for bank in range(buffer.lanes):
        for count in range(values + 1):
            for row_start in (last_row, rng.randrange(0, buffer.codes, buffer.lanes), 0):
                yield {
                    "enable": int(rng.random() < 0.8),
                    "place": buffer.pattern(row_start + bank),
                    "count": count,
                    "codes": rng.getrandbits(values * code_bits),
                }


@cocotb.test()
async def every_code_goes_to_its_bank(dut: Any) -> None:
    """The first `count` codes are written, each to its place, and nothing else is."""
    buffer = Buffer(parameter(dut, "LANES"), parameter(dut, "ADDRESS_BITS"))
    values, code_bits = parameter(dut, "VALUES"), parameter(dut, "CODE_BITS")
    model = ScatterModel(buffer, code_bits)
    await run_combinational(dut, model.scattered, words(random.Random(1), buffer, values, code_bits))
