"""Unsigned codes for benches: pairs and words with the corners in them, and lane words as one bit pattern."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def pack(values: Sequence[int], bits: int) -> int:
    """Return the word whose lane i, at bits [(i+1)*bits-1 : i*bits], is `values[i]` modulo 2^bits."""
    return sum((value % (1 << bits)) << (lane * bits) for lane, value in enumerate(values))


@dataclass(frozen=True, slots=True)
class Lanes:
    """A word of which only some lanes are fixed; the others may be anything."""

    values: Mapping[int, int]
    """By lane, at bits [(lane+1)*bits-1 : lane*bits]."""
    bits: int


def shown(actual: Any, expected: int | Lanes) -> object:
    """Return the value of an output as what `expected` equals if it is right: a number, or the fixed lanes.

    Bits that are unknown show as text.
    """
    text = str(actual)
    if isinstance(expected, Lanes):
        lanes = {lane: text[len(text) - (lane + 1) * expected.bits :][: expected.bits] for lane in expected.values}
        return Lanes({lane: _number(bits) for lane, bits in lanes.items()}, expected.bits)
    return _number(text)


def _number(bits: str) -> Any:
    return int(bits, 2) if set(bits) <= {"0", "1"} else bits


def code_pairs(rng: random.Random, bits: int) -> Iterator[tuple[int, int]]:
    """Yield pairs (x, w): every one up to 4 bits; above, every pair of corners, neighbours of each bit, and noise."""
    top = (1 << bits) - 1
    if bits <= 4:
        yield from ((x, w) for x in range(top + 1) for w in range(top + 1))
        return
    corners = sorted({0, top} | {near for bit in range(bits) for near in ((1 << bit) - 1, 1 << bit, (1 << bit) + 1)})
    yield from ((x, w) for x in corners for w in corners)
    for _ in range(300):
        x = rng.randint(0, top)
        yield x, rng.choice([x, max(x - 1, 0), min(x + 1, top), top - x, rng.randint(0, top)])


def tap_word(rng: random.Random, lanes: int, bits: int) -> tuple[list[int], list[int]]:
    """Return activations and weights of one word: all-min, all-max, opposite ends, x = w, single lanes, or noise."""
    top = (1 << bits) - 1
    noise = [rng.randint(0, top) for _ in range(lanes)]
    other = [rng.choice([0, top, rng.randint(0, top), rng.randint(0, top)]) for _ in range(lanes)]
    ends = [rng.choice([0, top]) for _ in range(lanes)]
    single = [0] * lanes
    single[rng.randrange(lanes)] = rng.choice([1, top])
    return rng.choice(
        [
            ([0] * lanes, noise),
            ([top] * lanes, [top] * lanes),
            ([top] * lanes, [0] * lanes),
            ([0] * lanes, [top] * lanes),
            (ends, [top - end for end in ends]),
            (noise, noise),
            (single, [top] * lanes),
            (noise, single),
            (noise, other),
            (noise, other),
            (other, noise),
            (noise, noise[::-1]),
        ]
    )
