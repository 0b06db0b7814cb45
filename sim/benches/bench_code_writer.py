"""Bench of code_writer: values split into planes of codes, each at the place that the formula of the slice gives."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_bank_scatter import bank_writes
from sim.benches.bench_place_cursor import SliceWalk, random_slice
from sim.benches.codes import Lanes, pack
from sim.benches.lockstep import parameter, run_lockstep
from sim.benches.places import Buffer

MOST_PLANES = 8
MUTATION_PARAMETERS = (
    {"LANES": 5, "VALUES": 5, "CODE_BITS": 2, "VALUE_BITS": 15, "ADDRESS_BITS": 5, "COUNT_BITS": 4},
    {"LANES": 1, "VALUES": 1, "CODE_BITS": 2, "VALUE_BITS": 5, "ADDRESS_BITS": 3, "COUNT_BITS": 2},
)


class WriterModel:
    """What is accepted and not yet written: a queue of clocks, each the codes (row, code) by bank."""

    def __init__(self, buffer: Buffer, values: int, code_bits: int, value_bits: int) -> None:
        self.buffer = buffer
        self.values = values
        self.code_bits = code_bits
        self.value_bits = value_bits
        self.walk: SliceWalk | None = None
        self.writes: deque[dict[int, tuple[int, int]]] = deque()
        self.accepted = False

    def ready(self) -> bool:
        """Return whether values may come in: nothing waits, or only the codes that leave in this clock."""
        return len(self.writes) <= 1

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int | Lanes]:
        """Return the handshake and the writes."""
        writes = self.writes[0] if self.writes else {}
        state = {"in_ready": int(self.ready()), "busy": int(bool(self.writes))}
        return state | bank_writes(writes, self.buffer, self.code_bits)

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Write codes, take a slice, take values."""
        self.accepted = bool(inputs["in_valid"]) and self.ready() and not inputs["rst"]
        if self.writes:
            self.writes.popleft()
        if inputs["load"]:
            self.walk = SliceWalk(self.buffer, inputs)
        if inputs["rst"]:
            self.writes.clear()
            self.walk = None
        elif self.accepted:
            self.take(inputs["in_count"], inputs["in_values"])

    def take(self, count: int, word: int) -> None:
        """Queue the codes of some values, low plane first, and go to the next place."""
        assert self.walk is not None
        first, described = self.walk.code(), self.walk.described
        for plane in range(described["planes"]):
            writes = {}
            for number in range(count):
                value = (word >> (number * self.value_bits)) % (1 << self.value_bits)
                code = (value >> (plane * self.code_bits)) % (1 << self.code_bits)
                rows = plane * described["plane_rows"] * self.buffer.lanes
                row, bank = self.buffer.row_and_bank(first + number + rows)
                writes[bank] = row, code
            self.writes.append(writes)
        self.walk.passed += count


def traffic(rng: random.Random, model: WriterModel, count_bits: int, slices: int) -> Iterator[dict[str, int]]:
    """Yield slices of values: with gaps and without, loaded with their first values or before them, reset between.

    The description is noise except in the clock of load, values are noise except while they are offered.
    """
    top = (1 << model.value_bits) - 1

    def clock(**inputs: int) -> dict[str, int]:
        values = [rng.choice([0, top, rng.randint(0, top), rng.randint(0, top)]) for _ in range(model.values)]
        quiet = {
            "planes": rng.randint(1, MOST_PLANES),
            "plane_rows": rng.getrandbits(model.buffer.address_bits),
            "in_count": rng.randint(1, model.values),
            "in_values": pack(values, model.value_bits),
            "in_valid": 0,
            "load": 0,
            "rst": 0,
        }
        return random_slice(rng, model.buffer, count_bits) | quiet | inputs

    def count(left: int) -> int:
        most = min(model.values, left)
        return rng.choice([most, most, rng.randint(1, most)])

    for number in range(slices):
        if number % 8 == 0:  # every eighth slice, with codes of the one before still waiting
            yield clock(rst=1, in_valid=rng.randrange(2))
            yield clock()
        while model.writes:
            yield clock()
        offered_share = rng.choice([1.0, 0.4, 0.8])
        described = clock(load=1, in_valid=rng.randrange(2), planes=1 + number % MOST_PLANES)
        described["in_count"] = count(described["channels"])
        yield described
        for _ in range(rng.choice([3, 12, 24])):
            assert model.walk is not None
            inputs = clock(in_valid=int(rng.random() < offered_share))
            if inputs["in_valid"]:
                inputs["in_count"] = count(model.walk.left())
            yield inputs
            while inputs["in_valid"] and not model.accepted:
                yield clock(in_valid=1, in_values=inputs["in_values"], in_count=inputs["in_count"])


@cocotb.test()
async def every_code_goes_to_its_place(dut: Any) -> None:
    """Handshake, banks, rows and codes equal the model's in every clock."""
    names = ("VALUES", "CODE_BITS", "VALUE_BITS")
    buffer = Buffer(parameter(dut, "LANES"), parameter(dut, "ADDRESS_BITS"))
    model = WriterModel(buffer, *(parameter(dut, name) for name in names))
    await run_lockstep(dut, model, traffic(random.Random(1), model, parameter(dut, "COUNT_BITS"), 48))
