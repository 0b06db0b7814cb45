"""Bench of activation_buffer: codes written one by one, read a word at a time, with collisions on every word."""

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
    """Codes by (address, lane); a read sees the codes as they were before a write of the same clock."""

    def __init__(self, lanes: int, code_bits: int) -> None:
        self.lanes = lanes
        self.code_bits = code_bits
        self.codes: dict[tuple[int, int], int] = {}
        self.latest: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the word last read."""
        return {} if self.latest is None else {"read_data": self.latest}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Read a word, then write a code."""
        if inputs["read_enable"]:
            word = [self.codes[inputs["read_address"], lane] for lane in range(self.lanes)]
            self.latest = pack(word, self.code_bits)
        if inputs["write_enable"]:
            self.codes[inputs["write_address"], inputs["write_lane"]] = inputs["write_code"]


def traffic(rng: random.Random, lanes: int, code_bits: int, depth: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a write of every code in random order, then random traffic, half of the reads on the address written."""
    places = [(address, lane) for address in range(depth) for lane in range(lanes)]
    for address, lane in rng.sample(places, len(places)):
        yield {
            "write_enable": 1,
            "write_address": address,
            "write_lane": lane,
            "write_code": rng.getrandbits(code_bits),
            "read_enable": 0,
            "read_address": 0,
        }
    for _ in range(clocks):
        address, lane = rng.choice(places)
        yield {
            "write_enable": rng.randrange(2),
            "write_address": address,
            "write_lane": lane,
            "write_code": rng.choice([0, (1 << code_bits) - 1, rng.getrandbits(code_bits)]),
            "read_enable": rng.randrange(2),
            "read_address": address if rng.randrange(2) else rng.randrange(depth),
        }


@cocotb.test()
async def every_code_reads_back_in_its_lane(dut: Any) -> None:
    """Reads equal the model's under random traffic."""
    lanes, code_bits, depth = (parameter(dut, name) for name in ("LANES", "CODE_BITS", "DEPTH"))
    await run_lockstep(dut, BufferModel(lanes, code_bits), traffic(random.Random(1), lanes, code_bits, depth, 600))
