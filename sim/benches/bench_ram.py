"""Bench of ram: random traffic on slices with collisions on every word, and its image's words before any write."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cocotb

from sim.benches.codes import Lanes
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = tuple(
    {"WIDTH": 8, "DEPTH": 5, "ADDRESS_BITS": 3, "SLICES": slices, "INIT_FILE": "image.hex", "STYLE": style}
    for style, slices in enumerate((4, 2, 8))
)
MUTATION_FILES = {"image.hex": "0a\n5f\nff\n00\n93\n"}


class RamModel:
    """Slices of words by address; a read sees the word as it was before a write of the same clock."""

    def __init__(self, slices: int, slice_bits: int, words: Mapping[int, int]) -> None:
        self.slices = slices
        self.slice_bits = slice_bits
        self.words = {address: dict(enumerate(self.cut(word))) for address, word in words.items()}
        self.latest: Mapping[int, int] = {}  # of the word last read, the slices that are known

    def cut(self, word: int) -> list[int]:
        """Return the slices of a word, lowest first."""
        return [word >> index * self.slice_bits & ((1 << self.slice_bits) - 1) for index in range(self.slices)]

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, Lanes]:
        """Return the slices of read_data that are known."""
        return {"read_data": Lanes(self.latest, self.slice_bits)}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Read, then write."""
        if inputs["read_enable"]:
            self.latest = dict(self.words.get(inputs["read_address"], {}))
        for index, value in enumerate(self.cut(inputs["write_data"])):
            if inputs["write_enable"] >> index & 1:
                self.words.setdefault(inputs["write_address"], {})[index] = value


def access(rng: random.Random, depth: int, width: int, slices: int) -> dict[str, int]:
    """Return one clock of random traffic: half of the time on one address, words of corners and noise."""
    write_address = rng.randrange(depth)
    return {
        "write_enable": rng.choice([0, (1 << slices) - 1, 1 << rng.randrange(slices), rng.getrandbits(slices)]),
        "write_address": write_address,
        "write_data": rng.choice([0, (1 << width) - 1, rng.getrandbits(width), rng.getrandbits(width)]),
        "read_enable": rng.randrange(2),
        "read_address": write_address if rng.randrange(2) else rng.randrange(depth),
    }


def traffic(rng: random.Random, depth: int, width: int, slices: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a read of every word as it is, random traffic on what is known in part, then on all."""
    silent = {"write_enable": 0, "write_address": 0, "write_data": 0, "read_enable": 0, "read_address": 0}
    for address in range(depth):
        yield silent | {"read_enable": 1, "read_address": address}
    yield silent
    for _ in range(depth):
        yield access(rng, depth, width, slices)
    whole_word = (1 << slices) - 1
    for address in rng.sample(range(depth), depth):
        yield access(rng, depth, width, slices) | {"write_enable": whole_word, "write_address": address}
    for _ in range(clocks):
        yield access(rng, depth, width, slices)


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
    depth, width, slices = (parameter(dut, name) for name in ("DEPTH", "WIDTH", "SLICES"))
    model = RamModel(slices, width // slices, image_words(dut))
    await run_lockstep(dut, model, traffic(random.Random(1), depth, width, slices, 600))
