"""Places in an activation buffer for benches: code n is in bank n mod LANES of row n div LANES; rows wrap around."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Buffer:
    """The codes that rows of ADDRESS_BITS bits and LANES banks can hold, by number and by {row, bank}."""

    lanes: int
    address_bits: int

    @property
    def codes(self) -> int:
        """Return how many codes there are; a number is meant modulo that."""
        return self.lanes << self.address_bits

    @property
    def bank_bits(self) -> int:
        """Return the bits of a bank, at least one."""
        return max(1, (self.lanes - 1).bit_length())

    def row_and_bank(self, code: int) -> tuple[int, int]:
        """Return where a code stands."""
        return divmod(code % self.codes, self.lanes)

    def pattern(self, code: int) -> int:
        """Return the place {row, bank} of a code as a bit pattern."""
        row, bank = self.row_and_bank(code)
        return (row << self.bank_bits) | bank

    def code(self, pattern: int) -> int:
        """Return the number of the code at a place."""
        return (pattern >> self.bank_bits) * self.lanes + pattern % (1 << self.bank_bits)

    def any_place(self, rng: random.Random) -> int:
        """Return a place: the first and the last ones, near the end of a row, or any."""
        code = rng.randrange(self.codes)
        near = rng.choice([0, 1, self.codes - 1, code // self.lanes * self.lanes + self.lanes - 1, code, code])
        return self.pattern(near)
