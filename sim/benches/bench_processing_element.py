"""Bench of processing_element: random words of both kinds clock by clock, whole layers against their definitions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cocotb

from sim.benches.bench_accumulator import AccumulatorModel
from sim.benches.codes import pack, tap_word
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"IN_LANES": 3, "CODE_BITS": 4, "ACC_BITS": 10, "MIN_FORM": 1},
    {"IN_LANES": 3, "CODE_BITS": 4, "ACC_BITS": 10, "MIN_FORM": 0},
    {"IN_LANES": 4, "CODE_BITS": 4, "ACC_BITS": 12, "MIN_FORM": 0, "DOT_SPLIT": 1, "TREE_STAGES": 1},
)
FLAGS = ("rst", "in_valid", "in_dot", "in_bit_select", "in_split", "in_first", "in_double", "in_subtract")
IDLE = dict.fromkeys(FLAGS, 0)


def unpack(word: int, lanes: int, bits: int) -> list[int]:
    """Return the codes of a lane word."""
    return [(word >> (lane * bits)) % (1 << bits) for lane in range(lanes)]


class ProcessingElementModel:
    """The word's contribution by its definition, one clock late and one more a tree stage, into an accumulator."""

    def __init__(
        self, lanes: int, code_bits: int, acc_bits: int, min_form: bool, dot_split: int = 0, tree_stages: int = 0
    ) -> None:
        self.dot_split = dot_split
        self.lanes = lanes
        self.code_bits = code_bits
        self.min_form = min_form
        self.accumulator = AccumulatorModel(acc_bits)
        # The words in flight, the last in first.
        self.stages: list[dict[str, int]] = [{"in_valid": 0}] * (1 + tree_stages)

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return acc where it is known."""
        return self.accumulator.outputs(inputs)

    def contribution(self, inputs: Mapping[str, int]) -> int:
        """Return what one word adds: selected activations, minima or absolute differences."""
        xs = unpack(inputs["in_x"], self.lanes, self.code_bits)
        ws = unpack(inputs["in_w"], self.lanes, self.code_bits)
        if inputs["in_dot"] and inputs["in_split"] and self.dot_split:
            chosen = [x if w & inputs["in_bit_select"] else 0 for x, w in zip(xs, ws, strict=True)]
            upper = sum(chosen[self.lanes // 2 :]) << self.dot_split
            return sum(chosen[: self.lanes // 2]) + (-upper if inputs["in_subtract"] else upper)
        if inputs["in_dot"]:
            return sum(x for x, w in zip(xs, ws, strict=True) if w & inputs["in_bit_select"])
        if self.min_form:
            return sum(min(x, w) for x, w in zip(xs, ws, strict=True))
        return sum(abs(x - w) for x, w in zip(xs, ws, strict=True))

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Pass the words in flight on and take the next."""
        self.accumulator.clock({**self.stages[-1], "rst": inputs["rst"]})
        word = {**inputs, "in_sum": self.contribution(inputs)}
        if inputs["in_split"] and self.dot_split:
            word["in_subtract"] = 0
        self.stages = [word, *self.stages[:-1]]
        if inputs["rst"]:
            self.stages = [{**word, "in_valid": 0} for word in self.stages]


def traffic(rng: random.Random, lanes: int, bits: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield a reset, then words of any kind in any order; between them gaps full of noise, now and then a reset."""
    for clock in range(clocks):
        xs, ws = tap_word(rng, lanes, bits)
        yield {
            "rst": int(clock == 0 or rng.random() < 0.02),
            "in_valid": int(rng.random() < 0.7),
            "in_dot": (dot := rng.randrange(2)),
            "in_bit_select": 1 << rng.randrange(bits),
            "in_split": dot & rng.randrange(2),
            "in_first": int(rng.random() < 0.1),
            "in_double": int(rng.random() < 0.1),
            "in_subtract": int(rng.random() < 0.2),
            "in_x": pack(xs, bits),
            "in_w": pack(ws, bits),
        }


def adder_layer(words: Sequence[tuple[Sequence[int], Sequence[int]]], bits: int) -> list[dict[str, int]]:
    """Return the clocks of one adder channel: every word once."""
    return [
        IDLE | {"in_valid": 1, "in_first": int(index == 0), "in_x": pack(xs, bits), "in_w": pack(ws, bits)}
        for index, (xs, ws) in enumerate(words)
    ]


def dot_layer(words: Sequence[tuple[Sequence[int], Sequence[int]]], bits: int) -> list[dict[str, int]]:
    """Return the clocks of one dot-product channel with two's-complement weights: every word once a weight bit."""
    return [
        IDLE
        | {
            "in_valid": 1,
            "in_dot": 1,
            "in_bit_select": 1 << bit,
            "in_first": int(index == 0 and bit == bits - 1),
            "in_double": int(index == 0 and bit < bits - 1),
            "in_subtract": int(bit == bits - 1),
            "in_x": pack(xs, bits),
            "in_w": pack(ws, bits),
        }
        for bit in reversed(range(bits))
        for index, (xs, ws) in enumerate(words)
    ]


def split_layer(codes: Sequence[tuple[int, int]], lanes: int, bits: int, half_bits: int) -> list[dict[str, int]]:
    """Return the clocks of a dot product of few (activation, weight of 2 * half_bits bits): two bits a pass."""
    half = lanes // 2
    padded = [*codes, *[(0, 0)] * (half - len(codes))]
    xs = [x for x, _ in padded] * 2 + [0] * (lanes % 2)
    ws = [w % (1 << half_bits) for _, w in padded] + [w >> half_bits for _, w in padded] + [0] * (lanes % 2)
    return [
        IDLE
        | {
            "in_valid": 1,
            "in_dot": 1,
            "in_split": 1,
            "in_bit_select": 1 << bit,
            "in_first": int(bit == half_bits - 1),
            "in_double": int(bit < half_bits - 1),
            "in_subtract": int(bit == half_bits - 1),
            "in_x": pack(xs, bits),
            "in_w": pack(ws, bits),
        }
        for bit in reversed(range(half_bits))
    ]


def signed(code: int, bits: int) -> int:
    """Return the number that a two's-complement code stands for."""
    return code - (1 << bits) if code >> (bits - 1) else code


def model_of(dut: Any) -> ProcessingElementModel:
    """Return the model with the design's parameters."""
    names = ("IN_LANES", "CODE_BITS", "ACC_BITS", "DOT_SPLIT", "TREE_STAGES")
    lanes, code_bits, acc_bits, split, stages = (parameter(dut, name) for name in names)
    return ProcessingElementModel(lanes, code_bits, acc_bits, bool(parameter(dut, "MIN_FORM")), split, stages)


@cocotb.test()
async def any_words_in_any_order(dut: Any) -> None:
    """acc equals the model's after every clock."""
    model = model_of(dut)
    await run_lockstep(dut, model, traffic(random.Random(1), model.lanes, model.code_bits, 1200))


@cocotb.test()
async def layers_equal_their_definitions(dut: Any) -> None:
    """After a whole channel acc is sum(min), sum |x - w| or sum x * w, cut to ACC_BITS."""
    model = model_of(dut)
    bits = model.code_bits
    rng = random.Random(2)
    modulus = 1 << parameter(dut, "ACC_BITS")
    for index in range(24):
        words = [tap_word(rng, model.lanes, bits) for _ in range(rng.randint(1, 4))]
        taps = [tap for xs, ws in words for tap in zip(xs, ws, strict=True)]
        half_bits = model.dot_split
        if half_bits and index % 3 == 0:
            few = [
                (rng.getrandbits(bits), rng.getrandbits(2 * half_bits)) for _ in range(rng.randint(1, model.lanes // 2))
            ]
            clocks = split_layer(few, model.lanes, bits, half_bits)
            expected = sum(x * signed(w, 2 * half_bits) for x, w in few)
        elif index % 2:
            clocks, expected = dot_layer(words, bits), sum(x * signed(w, bits) for x, w in taps)
        elif model.min_form:
            clocks, expected = adder_layer(words, bits), sum((x + w - abs(x - w)) // 2 for x, w in taps)
        else:
            clocks, expected = adder_layer(words, bits), sum(abs(x - w) for x, w in taps)
        noise = clocks[-1] | {"in_valid": 0, "in_first": 1, "in_x": rng.getrandbits(model.lanes * bits)}
        flush = [noise] * (2 + len(model.stages))
        await run_lockstep(dut, model, [IDLE | {"rst": 1, "in_x": 0, "in_w": 0}, *clocks, *flush])
        actual = int(dut.acc.value)
        assert actual == expected % modulus, f"acc must be {expected} modulo {modulus}, not {actual}; taps {taps}"
