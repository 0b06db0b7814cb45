"""Bench of code_writer: values split into planes of codes, each at the place that the formula of the slice gives."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_channel_cursor import CursorModel, random_slice
from sim.benches.lockstep import parameter, run_lockstep

MOST_PLANES = 8
MUTATION_PARAMETERS = ({"LANES": 3, "CODE_BITS": 2, "VALUE_BITS": 15, "ADDRESS_BITS": 6, "COUNT_BITS": 3},)


class WriterModel:
    """The codes that are accepted and not yet written, in a queue; one leaves every clock."""

    def __init__(self, lanes: int, code_bits: int, address_bits: int) -> None:
        self.code_bits = code_bits
        self.cursor = CursorModel(lanes, address_bits)
        self.slice: Mapping[str, int] = {}
        self.writes: deque[tuple[int, int, int]] = deque()  # (address, lane, code)
        self.accepted = False

    def ready(self) -> bool:
        """Return whether a value may come in: nothing waits, or only the code that leaves in this clock."""
        return len(self.writes) <= 1

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the handshake and, while there is one, the write."""
        state = {"in_ready": int(self.ready()), "busy": int(bool(self.writes)), "write_enable": int(bool(self.writes))}
        if not self.writes:
            return state
        address, lane, code = self.writes[0]
        return state | {"write_address": address, "write_lane": lane, "write_code": code}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Write a code, take a value, take a slice."""
        self.accepted = bool(inputs["in_valid"]) and self.ready() and not inputs["rst"]
        if self.writes:
            self.writes.popleft()
        if inputs["load"]:
            self.slice = dict(inputs)
            self.cursor.clock(inputs)
        if inputs["rst"]:
            self.writes.clear()
        elif self.accepted:
            self.take(inputs["in_value"])

    def take(self, value: int) -> None:
        """Queue the codes of a value, low plane first, and go to the next place."""
        word, lane = self.cursor.place()
        for plane in range(self.slice["planes"]):
            code = (value >> (plane * self.code_bits)) % (1 << self.code_bits)
            self.writes.append(((word + plane * self.slice["plane_stride"]) % self.cursor.words, lane, code))
        self.cursor.steps += 1


def traffic(rng: random.Random, model: WriterModel, widths: Mapping[str, int], slices: int) -> Iterator[dict[str, int]]:
    """Yield slices of values: with gaps and without, loaded in the clock of their first value or before, reset between.

    The description is noise except in the clock of load, a value is noise except while it is offered.
    """
    lanes, address_bits, count_bits, value_bits = (
        widths[name] for name in ("LANES", "ADDRESS_BITS", "COUNT_BITS", "VALUE_BITS")
    )

    def clock(**inputs: int) -> dict[str, int]:
        described = random_slice(rng, lanes, address_bits, count_bits) | {
            "planes": rng.randint(1, MOST_PLANES),
            "plane_stride": rng.getrandbits(address_bits),
        }
        value = rng.choice([0, (1 << value_bits) - 1, rng.getrandbits(value_bits), rng.getrandbits(value_bits)])
        return described | {"in_value": value, "in_valid": 0, "load": 0, "rst": 0} | inputs

    for number in range(slices):
        if number % 8 == 0:  # every eighth slice, with codes of the one before still waiting
            yield clock(rst=1, in_valid=rng.randrange(2))
            yield clock()
        offered = rng.random()  # the share of clocks in which a value is offered
        if offered < 0.3:
            offered = 1.0
        while not model.ready():
            yield clock(in_valid=0)
        described = clock(load=1, in_valid=rng.randrange(2), planes=1 + number % MOST_PLANES)
        yield described
        for _ in range(rng.choice([4, described["channels"] * described["planes"] + 12])):
            inputs = clock(in_valid=int(rng.random() < offered))
            yield inputs
            while inputs["in_valid"] and not model.accepted:
                yield clock(in_valid=1, in_value=inputs["in_value"])


@cocotb.test()
async def every_code_goes_to_its_place(dut: Any) -> None:
    """Handshake, address, lane and code equal the model's in every clock."""
    names = ("LANES", "CODE_BITS", "VALUE_BITS", "ADDRESS_BITS", "COUNT_BITS")
    widths = {name: parameter(dut, name) for name in names}
    model = WriterModel(widths["LANES"], widths["CODE_BITS"], widths["ADDRESS_BITS"])
    await run_lockstep(dut, model, traffic(random.Random(1), model, widths, 64))
