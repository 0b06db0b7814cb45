"""Words of the affine memory: multiplier and constant of each output channel, as the requantizers read them."""

from __future__ import annotations

from dataclasses import dataclass

from quant.errors import BadInputError
from quant.signed_digits import signed_digits

DIGIT_BITS = 7
_MAX_EXPONENT = 31


def encode_digits(multiplier: int, digits: int, what: str) -> int:
    """Signed digits as the requantizer reads them: {nonzero, negative, exponent[4:0]} each, the first lowest."""
    found = signed_digits(multiplier)
    if len(found) > digits or any(exponent > _MAX_EXPONENT for _, exponent in found):
        raise BadInputError(
            f"multiplier of {what} must have at most {digits} signed digits of at most 2**{_MAX_EXPONENT}, "
            f"not be {multiplier}"
        )
    word = 0
    for position, (sign, exponent) in enumerate(found):
        word |= (1 << 6 | (sign < 0) << 5 | exponent) << DIGIT_BITS * position
    return word


@dataclass(frozen=True, slots=True)
class Records:
    """Multipliers (as digits) and constants of a descriptor's channels, and how many of them leave at once.

    Attributes:
        multipliers, constants: one per channel.
        group: channels of a sweep.
        values: results a clock.
    """

    multipliers: tuple[int, ...]
    constants: tuple[int, ...]
    group: int
    values: int

    def chunks(self) -> list[range]:
        """Channels of each word: a sweep's channels `values` at a time."""
        channels = len(self.constants)
        return [
            range(first, min(first + self.values, start + self.group, channels))
            for start in range(0, channels, self.group)
            for first in range(start, min(start + self.group, channels), self.values)
        ]

    def words(self, digits: int, const_bits: int) -> list[int]:
        """One word a chunk: records of its channels, the first lowest, multiplier above constant."""
        record_bits = DIGIT_BITS * digits + const_bits
        result = []
        for chunk in self.chunks():
            word = 0
            for position, channel in enumerate(chunk):
                constant = self.constants[channel] & (2**const_bits - 1)
                word |= (self.multipliers[channel] << const_bits | constant) << record_bits * position
            result.append(word)
        return result
