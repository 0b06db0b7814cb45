"""Sums over taps, shared by the float model and the golden model: windows as a matrix, then one pass per tap.

Nothing of the size filters x taps x positions is ever built: a block holds `taps x positions` and `filters x positions`
of a few thousand positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quant.float_network import Pair, window_output

Number = TypeVar("Number", bound=np.number)
"""The element type: every function returns the one it is given."""

_BLOCK_POSITIONS = 2048
"""Keeps a block of 64 filters in int32 inside 512 KB, so that the three passes per tap stay in the L2 cache."""


def pad(maps: NDArray[Number], padding: Pair, value: float | int) -> NDArray[Number]:
    """(N, C, H, W) maps with `value` around them."""
    if padding == (0, 0):
        return maps
    (top, left) = padding
    return np.pad(maps, ((0, 0), (0, 0), (top, top), (left, left)), constant_values=value)


def window_taps(padded: NDArray[Number], kernel: Pair, stride: Pair) -> Iterator[NDArray[Number]]:
    """One (N, C, OH, OW) view per tap of a window, row by row; for pooling."""
    height, width = window_output((padded.shape[2], padded.shape[3]), kernel, stride, (0, 0))
    for row in range(kernel[0]):
        for column in range(kernel[1]):
            yield padded[
                :, :, row : row + stride[0] * height : stride[0], column : column + stride[1] * width : stride[1]
            ]


def _blocks(padded: NDArray[Number], kernel: Pair, stride: Pair) -> Iterator[tuple[slice, NDArray[Number]]]:
    """The window matrix (C * KH * KW, block positions) of a few images at a time; positions run over (N, OH, OW)."""
    height, width = window_output((padded.shape[2], padded.shape[3]), kernel, stride, (0, 0))
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    images_per_block = max(1, _BLOCK_POSITIONS // (height * width))
    for first in range(0, padded.shape[0], images_per_block):
        block = windows[first : first + images_per_block]
        yield (
            slice(first, first + images_per_block),
            np.ascontiguousarray(block.transpose(1, 4, 5, 0, 2, 3)).reshape(-1, block.shape[0] * height * width),
        )


def _adder(matrix: NDArray[Number], weights: NDArray[Number]) -> NDArray[Number]:
    total = np.zeros((weights.shape[0], matrix.shape[1]), dtype=matrix.dtype)
    difference = np.empty_like(total)
    for tap in range(matrix.shape[0]):
        np.subtract(matrix[tap][None, :], weights[:, tap][:, None], out=difference)
        np.abs(difference, out=difference)
        np.subtract(total, difference, out=total)
    return total


def tap_sums(
    padded: NDArray[Number], weights: NDArray[Number], stride: Pair, groups: int, *, adder: bool
) -> NDArray[Number]:
    """`-sum |x - w|` or `sum x * w` over every window.

    Args:
        padded: (N, C, H, W) maps, padding already in place; its dtype must hold every sum.
        weights: (F, C / groups, KH, KW) of the same dtype.
        stride: rows and columns between windows.
        groups: number of channel groups.
        adder: which of the two sums.

    Returns:
        (N, F, OH, OW) sums in the dtype of `padded`.
    """
    count, channels = padded.shape[:2]
    filters = weights.shape[0]
    kernel = (weights.shape[2], weights.shape[3])
    height, width = window_output((padded.shape[2], padded.shape[3]), kernel, stride, (0, 0))
    result = np.empty((count, filters, height, width), dtype=padded.dtype)
    for group in range(groups):
        mine = slice(group * filters // groups, (group + 1) * filters // groups)
        flat = np.ascontiguousarray(weights[mine].reshape(filters // groups, -1))
        theirs = padded[:, group * channels // groups : (group + 1) * channels // groups]
        for images, matrix in _blocks(theirs, kernel, stride):
            sums = _adder(matrix, flat) if adder else flat @ matrix
            result[images, mine] = sums.reshape(filters // groups, -1, height, width).transpose(1, 0, 2, 3)
    return result
