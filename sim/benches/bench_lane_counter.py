"""Bench of lane_counter: words of every size in each kind of layer, gaps between them, resets with words in flight."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cocotb

from sim.benches.codes import pack, tap_word
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"IN_LANES": 5, "OUT_LANES": 3, "CODE_BITS": 3, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 2, "OUT_LANES": 2, "CODE_BITS": 2, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 8, "OUT_LANES": 2, "CODE_BITS": 8, "EFFECTIVE_TAPS": 1},
    {"IN_LANES": 3, "OUT_LANES": 4, "CODE_BITS": 2, "EFFECTIVE_TAPS": 0},
)
LATENCY = 3
NOTHING: Mapping[str, int] = {"busy_lanes": 0, "effective_taps": 0}


class CounterModel:
    """Each word's counts, worked out at once and shown three clocks later."""

    def __init__(self, in_lanes: int, out_lanes: int, code_bits: int, counts_taps: bool) -> None:
        self.in_lanes = in_lanes
        self.out_lanes = out_lanes
        self.code_bits = code_bits
        self.counts_taps = counts_taps
        self.in_flight = [NOTHING] * LATENCY

    def codes(self, word: int) -> Sequence[int]:
        """Return the codes of a packed word, the lowest first; what lies above those of in_x is 0."""
        digits = f"{word:0{self.in_lanes * self.out_lanes * self.code_bits}b}"[::-1]
        return [int(digits[at : at + self.code_bits][::-1], 2) for at in range(0, len(digits), self.code_bits)]

    def counts(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return what one word adds."""
        inputs_fed = inputs["in_codes"] + (inputs["in_codes"] if inputs["in_split"] else 0)
        if inputs["in_pool"]:
            return {"busy_lanes": inputs_fed, "effective_taps": 0}
        taps = 0
        activations = self.codes(inputs["in_x"])
        for tap, weight in enumerate(self.codes(inputs["in_w"]) if self.counts_taps else ()):
            operand = weight & inputs["in_bit_select"] if inputs["in_dot"] else weight
            taps += activations[tap % self.in_lanes] != 0 and operand != 0
        return {"busy_lanes": inputs_fed * inputs["in_channels"], "effective_taps": taps}

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the counts of the word of three clocks ago."""
        return self.in_flight[0]

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Take a word or a gap."""
        word = self.counts(inputs) if inputs["in_valid"] else NOTHING
        self.in_flight = [NOTHING] * LATENCY if inputs["rst"] else [*self.in_flight[1:], word]


def words(rng: random.Random, model: CounterModel, clocks: int) -> Iterator[dict[str, int]]:
    """Yield words of layers of a few words each, gaps of noise between, rst once in a while with and without a word."""
    layer: dict[str, int] = {}
    share = 1.0
    for number in range(clocks):
        if number == 0 or rng.random() < 0.2:
            dot = rng.randrange(2)
            split = int(dot and model.in_lanes > 1 and rng.randrange(2))
            layer = {"in_dot": dot, "in_split": split, "in_pool": int(not split and rng.random() < 0.3)}
            share = rng.choice([1.0, 0.7, 0.3])
        most = model.in_lanes // 2 if layer["in_split"] else model.in_lanes
        x, _ = tap_word(rng, model.in_lanes, model.code_bits)
        weights = [code for _ in range(model.out_lanes) for code in tap_word(rng, model.in_lanes, model.code_bits)[1]]
        yield layer | {
            "rst": int(number == 0 or rng.random() < 0.03),
            "in_valid": int(rng.random() < share),
            "in_bit_select": 1 << rng.randrange(model.code_bits),
            "in_codes": rng.choice([most, rng.randint(0, most)]),
            "in_channels": rng.choice([model.out_lanes, rng.randint(0, model.out_lanes)]),
            "in_x": pack(x, model.code_bits),
            "in_w": pack(weights, model.code_bits),
        }


@cocotb.test()
async def every_word_is_counted(dut: Any) -> None:
    """Each word's two counts appear three clocks behind it, and nothing else does."""
    names = ("IN_LANES", "OUT_LANES", "CODE_BITS", "EFFECTIVE_TAPS")
    in_lanes, out_lanes, code_bits, counts_taps = (parameter(dut, name) for name in names)
    model = CounterModel(in_lanes, out_lanes, code_bits, bool(counts_taps))
    await run_lockstep(dut, model, words(random.Random(1), model, 1500))
