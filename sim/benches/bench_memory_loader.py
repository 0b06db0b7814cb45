"""Bench of memory_loader: packets of every kind of end into memories of unlike shapes, each slice told by its place."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

# Slices narrower than a beat, as wide, no whole number of beats, of several; the longest row and the widest slice in
# another memory each time.
MUTATION_PARAMETERS = (
    {
        "DATA_BITS": 8,
        "WIDTH_1": 11,
        "SLICES_1": 1,
        "DEPTH_1": 3,
        "WIDTH_2": 8,
        "SLICES_2": 3,
        "DEPTH_2": 2,
        "WIDTH_3": 20,
        "SLICES_3": 2,
        "DEPTH_3": 5,
    },
    {
        "DATA_BITS": 16,
        "WIDTH_1": 70,
        "SLICES_1": 2,
        "DEPTH_1": 4,
        "WIDTH_2": 5,
        "SLICES_2": 1,
        "DEPTH_2": 1,
        "WIDTH_3": 33,
        "SLICES_3": 4,
        "DEPTH_3": 2,
    },
    {
        "DATA_BITS": 8,
        "WIDTH_1": 8,
        "SLICES_1": 4,
        "DEPTH_1": 3,
        "WIDTH_2": 30,
        "SLICES_2": 1,
        "DEPTH_2": 4,
        "WIDTH_3": 16,
        "SLICES_3": 1,
        "DEPTH_3": 2,
    },
)
QUIET = {"rst": 0, "start": 0, "memory": 0, "address": 0, "idle": 0, "s_axis_tvalid": 0, "s_axis_tdata": 0}
QUIET |= {"s_axis_tlast": 0}


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a memory: words of slices of bits."""

    bits: int
    slices: int
    depth: int
    beats: int
    """Of a slice."""


@dataclass(frozen=True, slots=True)
class Write:
    """Of one slice of one word."""

    memory: int
    address: int
    slice: int
    value: int


class LoaderModel:
    """The packet as far as it has come, from which everything follows by division."""

    def __init__(self, dut: Any) -> None:
        self.data_bits = parameter(dut, "DATA_BITS")
        self.shapes: dict[int, Shape] = {}
        for memory in (1, 2, 3):
            bits, slices, depth = (parameter(dut, f"{name}_{memory}") for name in ("WIDTH", "SLICES", "DEPTH"))
            self.shapes[memory] = Shape(bits, slices, depth, -(-bits // self.data_bits))
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.memory: int | None = None  # asked for
        self.address = 0
        self.packet: list[int] | None = None  # beats that have come; None while the port has not opened
        self.closed = False
        self.write: Write | None = None
        self.words = 0
        self.error = False
        self.accepted = False

    @property
    def port_is_open(self) -> bool:
        """Whether a beat is taken if one is there."""
        return self.packet is not None and not self.closed

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the state and, where one is written, the slice."""
        outputs = {
            "busy": int(self.memory is not None),
            "waiting": int(self.memory is not None and self.packet is None),
            "hold": int(self.packet is not None),
            "s_axis_tready": int(self.port_is_open),
            "words": self.words,
            "error": int(self.error),
        }
        outputs |= {f"write_enable_{memory}": 0 for memory in self.shapes}
        if self.write is not None:
            outputs["write_address"] = self.write.address
            outputs[f"write_enable_{self.write.memory}"] = 1 << self.write.slice
            outputs[f"write_data_{self.write.memory}"] = self.write.value
        return outputs

    def take(self, beat: int, last: bool) -> None:
        """Take the packet's next beat."""
        assert self.memory is not None
        assert self.packet is not None
        shape = self.shapes[self.memory]
        self.packet.append(beat)
        slices, beats_beyond = divmod(len(self.packet), shape.beats)
        words, slices_beyond = divmod(slices, shape.slices)
        address = self.address + (len(self.packet) - 1) // (shape.beats * shape.slices)
        exists = address < shape.depth
        if exists and beats_beyond == 0:
            own = self.packet[-shape.beats :]
            value = sum(part << index * self.data_bits for index, part in enumerate(own)) % (1 << shape.bits)
            self.write = Write(self.memory, address, (slices - 1) % shape.slices, value)
        self.words = max(0, min(words, shape.depth - self.address))
        self.error |= not exists or (last and (beats_beyond, slices_beyond) != (0, 0))
        self.closed = last

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Take a request up, open the port, take a beat, or close."""
        if inputs["rst"]:
            self.reset()
            return
        self.write = None
        self.accepted = bool(inputs["s_axis_tvalid"]) and self.port_is_open
        if self.memory is None:
            if inputs["start"]:
                self.memory, self.address = inputs["memory"], inputs["address"]
                self.words, self.error = 0, False
        elif self.packet is None:
            if inputs["idle"]:
                self.packet = []
        elif self.closed:
            self.memory, self.packet, self.closed = None, None, False
        elif self.accepted:
            self.take(inputs["s_axis_tdata"], bool(inputs["s_axis_tlast"]))


def packet_beats(rng: random.Random, shape: Shape, address: int) -> int:
    """Return how long a packet is: to the memory's end, whole words, too long by little or much, or any number."""
    word = shape.beats * shape.slices
    there = max(0, shape.depth - address)
    return max(
        1,
        rng.choice(
            [
                there * word,
                rng.randint(0, there) * word,
                rng.randint(0, there) * word + rng.randrange(shape.slices) * shape.beats,
                there * word + rng.choice([1, word, 2 * word]),
                rng.randint(1, (there + 1) * word),
            ]
        ),
    )


def first_word(rng: random.Random, shape: Shape) -> int:
    """Return an address: mostly of a word that exists, else little or far beyond, one high bit more among them."""
    inside = rng.randrange(shape.depth)
    high_bit = rng.choice([31, rng.randrange(8, 32)])
    beyond = rng.choice([shape.depth, shape.depth + 1, inside | 1 << high_bit, (1 << 32) - 1])
    return rng.choice([0, inside, inside, beyond])


def session(rng: random.Random, model: LoaderModel, memory: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield one request and its packet; what does not count is noise. Ends when nothing is on its way, or earlier."""
    shape = model.shapes[memory]
    address = first_word(rng, shape)
    left = packet_beats(rng, shape, address)
    offered_share, idle_share = rng.choice([1.0, 1.0, 0.5]), rng.choice([1.0, 0.5, 0.05])
    start_at = rng.choice([0, 0, 1, 5])
    offered = False
    beat = 0
    for clock in range(clocks):
        if clock > start_at and model.memory is None:
            return
        if model.accepted:
            left -= 1
            offered = False
        if not offered:
            beat = rng.getrandbits(model.data_bits)
            offered = rng.random() < offered_share
        late_start = rng.random() < 0.2 if clock > start_at else clock == start_at
        yield {
            "rst": 0,
            "start": int(late_start),
            "memory": memory if clock == start_at else rng.randint(1, 3),
            "address": address if clock == start_at else rng.getrandbits(2),
            "idle": int(rng.random() < idle_share),
            "s_axis_tvalid": int(offered),
            "s_axis_tdata": beat,
            "s_axis_tlast": int(left <= 1) if offered and model.port_is_open else rng.randrange(2),
        }


def rest(rng: random.Random, clocks: int) -> Iterator[dict[str, int]]:
    """Yield clocks without a request: nothing on the stream or at idle matters."""
    for _ in range(clocks):
        noise = {name: rng.randrange(2) for name in ("idle", "s_axis_tvalid", "s_axis_tdata", "s_axis_tlast")}
        yield QUIET | noise


@cocotb.test()
async def packets_of_every_end(dut: Any) -> None:
    """Every slice in its place, no other is written; words, error, hold and the handshake by the clock."""
    rng, model = random.Random(1), LoaderModel(dut)

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | {"rst": 1}
        for _ in range(30):
            for memory in rng.sample((1, 2, 3), 3):
                yield from session(rng, model, memory, 2000)
                yield from rest(rng, rng.choice([0, 0, 1, 4]))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def reset_within_a_packet(dut: Any) -> None:
    """rst drops the request and the packet wherever it falls, and clears the count and the error."""
    rng, model = random.Random(2), LoaderModel(dut)

    def stimulus() -> Iterator[dict[str, int]]:
        for clocks in (*range(1, 20), *(rng.randint(1, 60) for _ in range(10))):
            offered = QUIET | {"s_axis_tvalid": 1, "s_axis_tlast": rng.randrange(2), "idle": rng.randrange(2)}
            yield offered | {"rst": 1, "start": rng.randrange(2), "memory": 1}
            yield from rest(rng, rng.choice([0, 2]))
            yield from session(rng, model, rng.randint(1, 3), clocks)

    await run_lockstep(dut, model, stimulus())
