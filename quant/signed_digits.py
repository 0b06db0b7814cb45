"""Multipliers with few non-zero signed digits, so that hardware multiplies by shifts and adds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError


def signed_digits(value: int) -> tuple[tuple[int, int], ...]:
    """The canonical signed digit form of an integer: (sign, exponent) pairs, lowest exponent first, no two adjacent.

    Example: 7 = 8 - 1 gives ((-1, 0), (1, 3)). Source: Reitwiesner, Binary Arithmetic, Advances in Computers 1, 1960.
    """
    digits = []
    exponent = 0
    while value:
        if value & 1:
            # value mod 4 is 1 or 3: taking +1 or -1 clears the next bit too, which keeps digits apart.
            sign = 2 - (value & 3)
            digits.append((sign, exponent))
            value -= sign
        value >>= 1
        exponent += 1
    return tuple(digits)


def keep_digits(value: int, digits: int) -> int:
    """The closest integer to `value` that its `digits` leading signed digits (with rounding of the rest) can express.

    Each step takes the power of two nearest to what is left, so the remainder shrinks to at most a third.

    Example: keep_digits(0b1011011, 3) = 92 = 64 + 32 - 4 where the exact 91 needs four digits.
    """
    total = 0
    for _ in range(digits):
        rest = value - total
        if rest == 0:
            break
        floor = 1 << (abs(rest).bit_length() - 1)
        power = floor * 2 if abs(rest) * 2 >= 3 * floor else floor
        total += power if rest > 0 else -power
    return total


def round_to_digits(values: NDArray[np.float64], digits: int) -> NDArray[np.int64]:
    """Round real multipliers to integers of at most `digits` signed digits; BadInputError unless that is at least 1."""
    if digits < 1:
        raise BadInputError(f"signed digits must be at least 1, not {digits}")
    rounded = np.rint(values).astype(np.int64)
    return np.array([keep_digits(int(value), digits) for value in rounded.ravel()], dtype=np.int64).reshape(
        values.shape
    )
