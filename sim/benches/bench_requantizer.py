"""Bench of requantizer: exact rounding by fractions, values put beside every tie and clamp, stalls and resets."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"ACC_BITS": 10, "CODE_BITS": 4, "DIGITS": 3, "CONST_BITS": 32, "AFFINE_BITS": 34, "OUT_BITS": 9},
)
STAGES = 6
"""Clocks from a value's inputs to its outputs."""
NAMES = ("ACC_BITS", "CODE_BITS", "DIGITS", "CONST_BITS", "AFFINE_BITS", "OUT_BITS")


def wrapped(value: int, bits: int) -> int:
    """Return `value` modulo 2^bits, as a signed number."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def multiplier(digits: int, count: int) -> int:
    """Return the number that `count` signed digits {nonzero, negative, shift[4:0]} spell."""
    total = 0
    for index in range(count):
        digit = (digits >> (7 * index)) % 128
        if digit >= 64:
            total += (-1) ** (digit // 32 % 2) * 2 ** (digit % 32)
    return total


def requantized(inputs: Mapping[str, int], bits: Mapping[str, int]) -> int:
    """Return the rounded, shifted and clamped value as an unsigned pattern of OUT_BITS."""
    n = inputs["in_shift"]
    total = (
        wrapped(inputs["in_acc"], bits["ACC_BITS"]) * multiplier(inputs["in_multiplier"], bits["DIGITS"])
        + inputs["in_shortcut"] * multiplier(inputs["in_shortcut_multiplier"], bits["DIGITS"])
        + wrapped(inputs["in_constant"], bits["CONST_BITS"])
    )
    half = Fraction(1, 2) if n else Fraction(0)
    # The design's sum, half a unit included, is cut to AFFINE_BITS before the shift.
    rounded = Fraction(wrapped(int((Fraction(total, 2**n) + half) * 2**n), bits["AFFINE_BITS"]), 2**n)
    value = math.floor(rounded)
    if inputs["in_clamp"]:
        value = min(max(value, 0), inputs["in_clamp_max"])
    return value % (1 << bits["OUT_BITS"])


class RequantizerModel:
    """A place for each stage, which move on enable: what came in, unknown at first, and whether it was valid."""

    def __init__(self, bits: Mapping[str, int]) -> None:
        self.bits = bits
        self.values: list[int | None] = [None] * STAGES
        self.valid: list[int | None] = [None] * STAGES

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return what stands in the last place."""
        places = {"out_valid": self.valid[-1], "out_value": self.values[-1]}
        return {name: value for name, value in places.items() if value is not None}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Move on; a reset empties the places."""
        if inputs["enable"]:
            self.values = [requantized(inputs, self.bits), *self.values[:-1]]
            self.valid = [inputs["in_valid"], *self.valid[:-1]]
        if inputs["rst"]:
            self.valid = [0] * STAGES


def corner(rng: random.Random, bits: int) -> int:
    """Return a pattern of `bits` bits: 0, 1, -1, the most negative, the most positive, or noise."""
    top = (1 << bits) - 1
    return rng.choice([0, 1, top, top >> 1, (top >> 1) + 1, rng.randint(0, top), rng.randint(0, top)])


def digits(rng: random.Random, count: int, largest_shift: int) -> int:
    """Return `count` random signed digits; a digit that is zero keeps noise in its sign and shift."""
    return sum(
        (rng.choice([0, 64, 64]) + rng.choice([0, 32]) + rng.randint(0, largest_shift)) << (7 * index)
        for index in range(count)
    )


def word(rng: random.Random, bits: Mapping[str, int]) -> dict[str, int]:
    """Return one value to requantise: half of them anything, half put within one unit of a tie or of a clamp."""
    n = rng.randint(0, min(31, bits["AFFINE_BITS"] - 1))
    inputs = {
        "in_acc": corner(rng, bits["ACC_BITS"]),
        "in_multiplier": digits(rng, bits["DIGITS"], 31),
        "in_shortcut": corner(rng, bits["CODE_BITS"]),
        "in_shortcut_multiplier": digits(rng, bits["DIGITS"], 31),
        "in_constant": corner(rng, bits["CONST_BITS"]),
        "in_shift": n,
        "in_clamp": rng.randrange(2),
        "in_clamp_max": corner(rng, bits["OUT_BITS"]),
    }
    if rng.randrange(2):
        small = bits["AFFINE_BITS"] - bits["ACC_BITS"] - 4
        n = rng.randint(0, max(0, min(31, bits["AFFINE_BITS"] - bits["OUT_BITS"] - 3)))
        inputs["in_shift"] = n
        inputs["in_multiplier"] = digits(rng, bits["DIGITS"], max(0, min(31, small)))
        inputs["in_shortcut_multiplier"] = digits(rng, bits["DIGITS"], max(0, min(31, small)))
        start = wrapped(inputs["in_acc"], bits["ACC_BITS"]) * multiplier(inputs["in_multiplier"], bits["DIGITS"])
        start += inputs["in_shortcut"] * multiplier(inputs["in_shortcut_multiplier"], bits["DIGITS"])
        edge = rng.choice([0, -1, 1, inputs["in_clamp_max"], inputs["in_clamp_max"] + 1, inputs["in_clamp_max"] - 1])
        tie = edge * 2**n - (2 ** (n - 1) if n else 0)
        constant = tie + rng.choice([-1, 0, 1]) - start
        if constant == wrapped(constant, bits["CONST_BITS"]):
            inputs["in_constant"] = constant % (1 << bits["CONST_BITS"])
    return inputs


def traffic(rng: random.Random, words: Iterable[dict[str, int]]) -> Iterator[dict[str, int]]:
    """Yield a reset, then the words with bubbles and stalls between them, and now and then a reset."""
    first = True
    for inputs in words:
        yield inputs | {
            "rst": int(first or rng.random() < 0.02),
            "enable": int(rng.random() < 0.75),
            "in_valid": int(rng.random() < 0.75),
        }
        first = False


@cocotb.test()
async def every_value_through_stalls(dut: Any) -> None:
    """Both outputs equal the model's after every clock, in bubbles too."""
    bits = {name: parameter(dut, name) for name in NAMES}
    rng = random.Random(1)
    await run_lockstep(dut, RequantizerModel(bits), traffic(rng, [word(rng, bits) for _ in range(2500)]))
