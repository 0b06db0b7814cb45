"""Bench of layer_counters: layers of any length on every row, rows read at any time, resets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"ROWS": 4, "ROW_BITS": 2, "COUNTER_BITS": 6, "WRITE_BITS": 3, "LANE_BITS": 4},
    {"ROWS": 3, "ROW_BITS": 2, "COUNTER_BITS": 4, "WRITE_BITS": 1, "LANE_BITS": 4},
)
EVENTS = (
    "running",
    "activation_read",
    "weight_read",
    "shortcut_read",
    "affine_read",
    "activation_writes",
    "busy_lanes",
    "effective_taps",
)
"""Inputs that count, in the order of a row."""


class CountersModel:
    """The events of the layer so far, and the sums of the layers before by row."""

    def __init__(self, counter_bits: int) -> None:
        self.counter_bits = counter_bits
        self.events: Counter[str] = Counter()
        self.rows: dict[int, int] = {}
        self.read: int | None = None  # the row last read, None while unknown

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the row read last."""
        return {} if self.read is None else {"read_data": self.read}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Read first: in the clock of end_layer the row is still the one before."""
        if inputs["read_enable"]:
            self.read = self.rows.get(inputs["read_row"])
        self.events.update({name: inputs[name] for name in EVENTS})
        if inputs["end_layer"]:
            self.rows[inputs["layer"]] = pack([self.events[name] for name in EVENTS], self.counter_bits)
        if inputs["end_layer"] or inputs["rst"]:
            self.events.clear()


def layers(
    rng: random.Random, rows: int, write_bits: int, lane_bits: int, layer_count: int
) -> Iterator[dict[str, int]]:
    """Yield layers of 1 clock and more behind one another or with pauses; half of the reads are of the layer's row."""
    bits = {"activation_writes": write_bits, "busy_lanes": lane_bits, "effective_taps": lane_bits}
    row = 0
    for number in range(layer_count):
        # Most often the row read while the layer ends, and in the clock behind, is the one that it gets or got.
        row = rng.choice([row, rng.randrange(rows), rng.randrange(rows)])
        share = rng.choice([0.1, 0.5, 1.0])
        cut = rng.random() < 0.1
        for left in reversed(range(rng.choice([1, 1, 2, 3, rng.randint(4, 40)]))):
            clock = {name: (1 << bits.get(name, 1)) - 1 if rng.random() < share else 0 for name in EVENTS}
            clock |= {name: rng.getrandbits(bits[name]) for name in bits if rng.random() < 0.5}
            yield clock | {
                "rst": int(number == 0 or (cut and rng.random() < 0.5)),
                "end_layer": int(left == 0),
                "layer": row if left == 0 else rng.randrange(rows),
                "read_enable": rng.randrange(2),
                "read_row": rng.choice([row, rng.randrange(rows)]),
            }


@cocotb.test()
async def every_event_of_a_layer_counts_once(dut: Any) -> None:
    """A row holds the sums of its latest layer's clocks, modulo what a counter can hold."""
    names = ("ROWS", "COUNTER_BITS", "WRITE_BITS", "LANE_BITS")
    rows, counter_bits, write_bits, lane_bits = (parameter(dut, name) for name in names)
    model = CountersModel(counter_bits)
    await run_lockstep(dut, model, layers(random.Random(1), rows, write_bits, lane_bits, 400))
