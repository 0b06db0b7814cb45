"""Bench of descriptor_check: legal descriptors of both kinds, and one or two things wrong with each."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = (
    {"SIGNATURE": 0x12345678, "COUNT_BITS": 16},
    {"SIGNATURE": 0, "COUNT_BITS": 5},
)
LAYER_COUNTS = ("kernel_height", "segments", "out_height", "out_width", "digit_words")
"""What a layer counts down, besides the codes of a segment, which a pool has none of."""
BUFFERS = (0, 2, 3)
MOST_PLANES = 8


def complaints(inputs: Values, signature: int) -> Iterator[str]:
    """Yield everything that is wrong with a descriptor."""
    if inputs["sum"] != signature:
        yield "made for another design, or damaged"
    if inputs["beyond"]:
        yield "not in the memory"
    if inputs["out_channels"] == 0:
        yield "out_channels"
    if inputs["target_planes"] not in range(1, MOST_PLANES + 1):
        yield "target_planes"
    if inputs["first"]:
        if inputs["load_length"] == 0:
            yield "load_length"
        return
    yield from (name for name in LAYER_COUNTS if inputs[name] == 0)
    if inputs["source_planes"] not in range(1, MOST_PLANES + 1):
        yield "source_planes"
    if not inputs["layer_pool"] and inputs["segment_codes"] == 0:
        yield "segment_codes"
    yield from (name for name in ("source_buffer", "shortcut_buffer") if inputs[name] not in BUFFERS)


def descriptors(rng: random.Random, signature: int, count_bits: int) -> Iterator[Mapping[str, int]]:
    """Yield descriptors that are legal, and each again with every single fault, and with two faults."""
    top = (1 << count_bits) - 1

    def size(bits: int = count_bits) -> int:
        return rng.choice([1, 1 << rng.randrange(bits), (1 << bits) - 1, rng.randint(1, (1 << bits) - 1)])

    for number in range(60):
        sound = {name: size() for name in (*LAYER_COUNTS, "segment_codes", "out_channels")}
        sound |= {name: rng.choice([1, MOST_PLANES, rng.randint(1, 8)]) for name in ("source_planes", "target_planes")}
        sound |= {name: rng.choice(BUFFERS) for name in ("source_buffer", "shortcut_buffer")}
        sound |= {"first": number % 2, "beyond": 0, "sum": signature, "layer_pool": rng.randrange(2)}
        sound |= {"load_length": size(32)}
        too_many = [MOST_PLANES + 1, top, rng.randint(MOST_PLANES + 1, top)]
        faults: list[dict[str, int]] = [{name: 0} for name in (*LAYER_COUNTS, "segment_codes", "out_channels")]
        faults += [{name: 0} for name in ("source_planes", "target_planes", "load_length")]
        faults += [{name: planes} for name in ("source_planes", "target_planes") for planes in too_many]
        faults += [{"source_buffer": 1}, {"shortcut_buffer": 1}, {"beyond": 1}]
        faults += [{"sum": signature ^ 1 << bit} for bit in range(32)] + [{"sum": rng.getrandbits(32)}]
        yield sound
        for fault in faults:
            yield sound | fault
        for _ in range(10):
            yield sound | rng.choice(faults) | rng.choice(faults)


@cocotb.test()
async def legal_is_what_nothing_is_wrong_with(dut: Any) -> None:
    """A descriptor is legal exactly when there is no complaint about it."""
    signature = parameter(dut, "SIGNATURE") % (1 << 32)
    stimulus = descriptors(random.Random(1), signature, parameter(dut, "COUNT_BITS"))
    await run_combinational(dut, lambda inputs: {"legal": int(not any(complaints(inputs, signature)))}, stimulus)
