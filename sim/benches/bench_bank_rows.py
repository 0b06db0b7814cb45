"""Bench of bank_rows: the row of every lane's code, from every bank; lines begin at any lane or not at all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any

import cocotb

from sim.benches.codes import pack
from sim.benches.combinational import Values, run_combinational
from sim.benches.lockstep import parameter

MUTATION_PARAMETERS = (
    {"LANES": 5, "CROSSINGS": 2, "ADDRESS_BITS": 4},
    {"LANES": 4, "CROSSINGS": 1, "ADDRESS_BITS": 3},
    {"LANES": 3, "CROSSINGS": 0, "ADDRESS_BITS": 2},
    {"LANES": 1, "CROSSINGS": 1, "ADDRESS_BITS": 2},
)
MOST_CASES = 400


def field(word: int, number: int, bits: int) -> int:
    """Return field `number` of a word of fields."""
    return (word >> (number * bits)) % (1 << bits)


class RowsModel:
    """Each lane has a line and a bank, and so its bank has a row."""

    def __init__(self, lanes: int, crossings: int, address_bits: int) -> None:
        self.lanes = lanes
        self.crossings = crossings
        self.address_bits = address_bits

    def rows(self, inputs: Values) -> Values:
        """Return the row of every bank."""
        starts = [0] + [field(inputs["crossings"], j, self.lanes.bit_length()) for j in range(self.crossings)]
        rows = [0] * self.lanes
        for lane in range(self.lanes):
            line = max(number for number, start in enumerate(starts) if start <= lane)
            further, bank = divmod(inputs["bank"] + lane, self.lanes)
            rows[bank] = field(inputs["line_rows"], line, self.address_bits) + further
        return {"rows": pack(rows, self.address_bits)}


def windows(rng: random.Random, lanes: int, crossings: int, address_bits: int) -> Iterator[dict[str, int]]:
    """Yield every bank with crossings that do not fall, all of them if they are few; some rows are the last."""
    count_bits, top = lanes.bit_length(), (1 << address_bits) - 1
    cases = [
        (bank, starts) for bank in range(lanes) for starts in combinations_with_replacement(range(lanes + 1), crossings)
    ]
    chosen = cases * (1 + MOST_CASES // len(cases)) if len(cases) < MOST_CASES else rng.sample(cases, MOST_CASES)
    for bank, starts in chosen:
        rows = [rng.choice([top, rng.randint(0, top), rng.randint(0, top)]) for _ in range(crossings + 1)]
        unused = rng.getrandbits(count_bits)  # the port stays where there are no crossings
        yield {
            "bank": bank,
            "line_rows": pack(rows, address_bits),
            "crossings": pack(starts, count_bits) if crossings else unused,
        }


@cocotb.test()
async def every_bank_reads_its_row(dut: Any) -> None:
    """Rows of one line, of two, and of lines of no lane."""
    names = ("LANES", "CROSSINGS", "ADDRESS_BITS")
    lanes, crossings, address_bits = (parameter(dut, name) for name in names)
    model = RowsModel(lanes, crossings, address_bits)
    await run_combinational(dut, model.rows, windows(random.Random(1), lanes, crossings, address_bits))
