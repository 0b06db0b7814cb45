"""Bench of ram: random traffic with collisions on every word, and the words of its image before any write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"WIDTH": 8, "DEPTH": 5, "ADDRESS_BITS": 3, "INIT_FILE": "image.hex"},)
MUTATION_FILES = {"image.hex": "0a\n5f\nff\n00\n93\n"}


class RamModel:
    """Words by address; a read sees the word as it was before a write of the same clock."""

    def __init__(self, words: Mapping[int, int]) -> None:
        self.words = dict(words)
        self.latest: int | None = None  # the word last read, None while unknown

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return read_data where it is known."""
        return {} if self.latest is None else {"read_data": self.latest}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Read, then write."""
        if inputs["read_enable"]:
            self.latest = self.words.get(inputs["read_address"])
        if inputs["write_enable"]:
            self.words[inputs["write_address"]] = inputs["write_data"]


def access(rng: random.Random, depth: int, width: int) -> dict[str, int]:
    """Return one clock of random traffic: half of the time on one address, words of corners and noise."""
    write_address = rng.randrange(depth)
    return {
        "write_enable": rng.randrange(2),
        "write_address": write_address,
        "write_data": rng.choice([0, (1 << width) - 1, rng.getrandbits(width), rng.getrandbits(width)]),
        "read_enable": rng.randrange(2),
        "read_address": write_address if rng.randrange(2) else rng.randrange(depth),
    }


def traffic(rng: random.Random, depth: int, width: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a read of every word as it is, a write of every word, then random traffic."""
    silent = {"write_enable": 0, "write_address": 0, "write_data": 0, "read_enable": 0, "read_address": 0}
    for address in range(depth):
        yield silent | {"read_enable": 1, "read_address": address}
    yield silent
    for address in rng.sample(range(depth), depth):
        yield access(rng, depth, width) | {"write_enable": 1, "write_address": address, "read_enable": 0}
    for _ in range(clocks):
        yield access(rng, depth, width)


def image_words(dut: Any) -> dict[int, int]:
    """Return the words of the image that the design was built with, one hexadecimal word a line; none without one."""
    value = dut.INIT_FILE.value
    # Verilator has a string's characters as a vector, where an empty string is one zero.
    text = value if isinstance(value, bytes) else value.to_bytes(byteorder="big")
    path = text.decode().strip("\0")
    lines = Path(path).read_text(encoding="ascii").split() if path else []
    return {address: int(line, 16) for address, line in enumerate(lines)}


@cocotb.test()
async def every_word_reads_back(dut: Any) -> None:
    """Reads equal the model's under random traffic, with the image's words there from the start."""
    depth, width = parameter(dut, "DEPTH"), parameter(dut, "WIDTH")
    await run_lockstep(dut, RamModel(image_words(dut)), traffic(random.Random(1), depth, width, 600))
