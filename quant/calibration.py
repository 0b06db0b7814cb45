"""Choosing clip points: the one of a fixed list of candidates with the least squared error on calibration data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError
from quant.integer_network import Grid

_SAMPLES = 1 << 18
"""Values that a clip search looks at; more change the choice no further and cost time."""


def quantise(values: NDArray[np.floating], grid: Grid) -> NDArray[np.int64]:
    """Codes of real values: rounded half to even, then saturated to the grid."""
    codes: NDArray[np.floating] = np.rint(values / grid.scale) + grid.zero
    return codes.clip(grid.bottom, grid.top).astype(np.int64)


def unsigned_grid(clip: float, bits: int) -> Grid:
    """Grid of [0, clip]."""
    return Grid(bits, clip / (2**bits - 1))


def offset_grid(clip: float, bits: int) -> Grid:
    """Grid of [-clip, clip], its codes offset by 2**(bits - 1) to be unsigned; below lies one step more than above."""
    return Grid(bits, clip / (2 ** (bits - 1) - 1) if bits > 1 else clip, zero=2 ** (bits - 1))


def _squared_error(values: NDArray[np.floating], grid: Grid) -> float:
    return float(np.mean(((quantise(values, grid) - grid.zero) * grid.scale - values) ** 2))


def search_grid(
    values: NDArray[np.floating],
    bits: int,
    candidates: int,
    *,
    signed: bool,
    weights: Sequence[NDArray[np.floating]] = (),
) -> Grid:
    """The grid with the least mean squared error over `candidates` clip points.

    The candidates are evenly spaced from a fifth of the largest magnitude to all of it. An adder layer reads
    activations and weights on one grid, and `|x - w|` errs by the sum of their errors: so the mean squared error of its
    weights counts too. Weights outside the grid are clipped without loss and err by nothing.

    Args:
        values: real values, any shape; a fixed stride thins them out to about 2**18.
        bits: width of the codes.
        candidates: number of clip points tried.
        signed: whether negative values occur; if not the grid is [0, clip].
        weights: weights of the adder layers that read these values.

    Raises:
        BadInputError: when every value is zero, so that no scale can be chosen.
    """
    flat = values.ravel()
    sample = flat[:: max(1, flat.size // _SAMPLES)].astype(np.float64)
    # The largest magnitude is taken over all values: a sample may miss it.
    largest = float(max(flat.max(), -flat.min() if signed else 0.0))
    if largest <= 0:
        raise BadInputError("calibration values must not all be zero: this tensor carries no signal")

    def error(grid: Grid) -> float:
        rounding = [_squared_error(np.clip(weight, grid.low, grid.high), grid) for weight in weights]
        return _squared_error(sample, grid) + (float(np.mean(rounding)) if rounding else 0.0)

    make = offset_grid if signed else unsigned_grid
    return min((make(largest * fraction, bits) for fraction in np.linspace(0.2, 1.0, candidates)), key=error)
