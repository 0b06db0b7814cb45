"""Bench of activation_buffer: every bank reads and writes rows of its own, with collisions on every code."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 5, "CODE_BITS": 3, "DEPTH": 6, "ADDRESS_BITS": 3},
    {"LANES": 1, "CODE_BITS": 2, "DEPTH": 2, "ADDRESS_BITS": 1},
)


class BufferModel:
    """Codes by (row, bank); a read sees the codes as they were before the writes of the same clock."""

    def __init__(self, lanes: int, code_bits: int, address_bits: int) -> None:
        self.lanes = lanes
        self.code_bits = code_bits
        self.address_bits = address_bits
        self.codes: dict[tuple[int, int], int] = {}
        self.latest: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the codes last read."""
        return {} if self.latest is None else {"read_data": self.latest}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Read a code of every bank, then write those that are enabled."""

        def place(rows: int, bank: int) -> tuple[int, int]:
            return (rows >> (bank * self.address_bits)) % (1 << self.address_bits), bank

        if inputs["read_enable"]:
            read = [self.codes[place(inputs["read_rows"], bank)] for bank in range(self.lanes)]
            self.latest = pack(read, self.code_bits)
        for bank in range(self.lanes):
            if inputs["write_enable"] >> bank & 1:
                code = (inputs["write_data"] >> (bank * self.code_bits)) % (1 << self.code_bits)
                self.codes[place(inputs["write_rows"], bank)] = code


def traffic(rng: random.Random, model: BufferModel, depth: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a write of every code, rows in another order in each bank, then random traffic, half of it collisions."""
    orders = [rng.sample(range(depth), depth) for _ in range(model.lanes)]
    every_bank = (1 << model.lanes) - 1
    for number in range(depth + clocks):
        filling = number < depth
        written = [order[number] for order in orders] if filling else rng.choices(range(depth), k=model.lanes)
        yield {
            "write_enable": every_bank if filling else rng.choice([0, every_bank, rng.getrandbits(model.lanes)]),
            "write_rows": pack(written, model.address_bits),
            "write_data": rng.getrandbits(model.lanes * model.code_bits),
            "read_enable": 0 if filling else rng.randrange(2),
            "read_rows": pack([rng.choice([row, rng.randrange(depth)]) for row in written], model.address_bits),
        }


@cocotb.test()
async def every_code_reads_back_in_its_bank(dut: Any) -> None:
    """Reads equal the model's under random traffic."""
    names = ("LANES", "CODE_BITS", "ADDRESS_BITS", "DEPTH")
    lanes, code_bits, address_bits, depth = (parameter(dut, name) for name in names)
    model = BufferModel(lanes, code_bits, address_bits)
    await run_lockstep(dut, model, traffic(random.Random(1), model, depth, 500))
