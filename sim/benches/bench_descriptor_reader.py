"""Bench of descriptor_reader: descriptors behind one another in noise and past its end, rewinds, resets."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"WORDS": 5, "DEPTH": 16, "ADDRESS_BITS": 4},
    {"WORDS": 2, "DEPTH": 3, "ADDRESS_BITS": 2},
    {"WORDS": 4, "DEPTH": 12, "ADDRESS_BITS": 5},
)


class ReaderModel:
    """A descriptor read is a matter of how many clocks ago it was started."""

    def __init__(self, words: int, memory: list[int]) -> None:
        self.words = words
        self.memory = memory
        self.returned: int | None = None  # what the memory returns in this clock
        self.reset()

    def reset(self) -> None:
        """Nothing is started, the next descriptor is the first."""
        self.age: int | None = None  # clocks since start
        self.base = 0
        self.next_base = 0

    @property
    def is_reading(self) -> bool:
        """Whether a descriptor is on its way."""
        return self.age is not None and self.age < self.words + 2

    @property
    def is_beyond(self) -> bool:
        """Whether the descriptor's last word lies behind the memory's end."""
        return self.base + self.words > len(self.memory)

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the read port and done; the address counts in a read only, what was read from done on."""
        age = self.age if self.age is not None else -1
        outputs = {"read_enable": int(0 < age <= self.words), "done": int(age == self.words + 2)}
        if outputs["read_enable"] and self.base + age - 1 < len(self.memory):
            outputs["read_address"] = self.base + age - 1
        if age >= self.words + 2:
            outputs["beyond"] = int(self.is_beyond)
            if not self.is_beyond:
                words = self.memory[self.base : self.base + self.words]
                outputs |= {"fields": pack(words, 32), "sum": sum(words) % (1 << 32)}
        return outputs

    def clock(self, inputs: Mapping[str, int]) -> None:
        """The memory answers one clock after it was asked."""
        address = self.outputs(inputs).get("read_address")
        self.returned = None if address is None else self.memory[address]
        if inputs["rst"]:
            self.reset()
        elif inputs["start"]:
            self.base = self.words if inputs["rewind"] else self.next_base
            # Behind the end there is no next descriptor: only rewind or rst leads back.
            self.next_base = min(self.base + self.words, len(self.memory))
            self.age = 1
        elif self.age is not None:
            self.age += 1


def reads(rng: random.Random, model: ReaderModel, descriptors: int) -> Iterator[dict[str, int]]:
    """Yield starts as soon as allowed or later, some with a rewind, some cut off by rst; unasked data is noise."""

    def clock(**inputs: int) -> dict[str, int]:
        data = rng.getrandbits(32) if model.returned is None else model.returned
        return {"rst": 0, "start": 0, "rewind": rng.randrange(2), "read_data": data} | inputs

    yield clock(rst=1, start=1)
    for _ in range(descriptors):
        for _ in range(rng.choice([0, 0, 1, 3])):
            yield clock()
        yield clock(start=1, rewind=int(rng.random() < 0.2))
        cut = rng.choice([None, None, rng.randrange(model.words + 2)])
        played = 0
        while model.is_reading and played != cut:
            yield clock()
            played += 1
        if model.is_reading or rng.random() < 0.1:
            yield clock(rst=1, start=rng.randrange(2))


@cocotb.test()
async def descriptors_in_order(dut: Any) -> None:
    """Each start brings the next descriptor, 1 after a rewind, 0 after a reset, and done comes with its fields."""
    rng, words = random.Random(1), parameter(dut, "WORDS")
    model = ReaderModel(words, [rng.getrandbits(32) for _ in range(parameter(dut, "DEPTH"))])
    await run_lockstep(dut, model, reads(rng, model, 200))
