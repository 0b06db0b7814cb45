"""fxpmath as the second opinion on fixed-point numbers: far too slow for data, exact on small arrays."""

from __future__ import annotations

import numpy as np
from fxpmath.objects import Fxp
from numpy.typing import NDArray


def raw_values(
    values: NDArray[np.float64], signed: bool, width_bits: int, fraction_bits: int, rounding: str
) -> list[int]:
    """The stored integers of real values in the format `fxp-<s or u><width>/<fraction>`, saturated."""
    number = Fxp(values, signed, width_bits, fraction_bits, rounding=rounding, overflow="saturate")  # type: ignore[no-untyped-call]
    return [int(value) for value in np.asarray(number.val)]
