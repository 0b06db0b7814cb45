"""Weight words of a layer in the order in which rtl/library/window_walker.v asks for them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Weights = NDArray[np.int64]


def window_words(weight: Weights, lanes: int, *, span: bool, segments: int) -> Weights:
    """Weights (F, C, KH, KW) as (F, words, lanes): codes of the window line by line, column by column, by channel.

    A word holds codes of one run; behind a run's last code its lanes are 0. The whole window is one run with `span`;
    otherwise each of its lines is `segments` of them.
    """
    filters, _, height, _ = weight.shape
    lines = weight.transpose(0, 2, 3, 1)
    runs = lines.reshape(filters, 1, -1) if span else lines.reshape(filters, height * segments, -1)
    words = -(-runs.shape[2] // lanes)
    padded = np.zeros((*runs.shape[:2], words * lanes), np.int64)
    padded[:, :, : runs.shape[2]] = runs
    return padded.reshape(filters, -1, lanes)


def weight_words(words: Weights, planes: int, digit_words: int, out_lanes: int, code_bits: int) -> Codes:
    """The memory's words (words, out_lanes * in_lanes): filter group, digit word, plane, word of the window.

    Args:
        words: (F, words, in_lanes) of `window_words`, signed for dot layers.
        planes: planes of the source; a weight counts 2**code_bits times as much on each further one.
        digit_words: groups of `code_bits` weight bits, the highest first.
        out_lanes: filters of a word; lanes without a filter are 0.
        code_bits: bits of a code.
    """
    filters, count, lanes = words.shape
    groups = -(-filters // out_lanes)
    full = np.zeros((groups * out_lanes, count, lanes), np.int64)
    full[:filters] = words
    by_group = full.reshape(groups, out_lanes, count, lanes).transpose(0, 2, 1, 3)
    result = np.empty((groups, digit_words, planes, count, out_lanes, lanes), np.uint8)
    for plane in range(planes):
        for digit in range(digit_words):
            shift = code_bits * (digit_words - 1 - digit)
            result[:, digit, plane] = ((by_group << code_bits * plane) >> shift) & (2**code_bits - 1)
    return result.reshape(-1, out_lanes * lanes)


def split_weights(weight: Weights, half_lanes: int, half_bits: int) -> Weights:
    """Weights (F, C, KH, KW) of a split dot layer as a window (F, 1, 1, 2 * half_lanes): its codes twice.

    The lower half holds the lower `half_bits` bits of each weight, the upper half the bits above, both unsigned.
    """
    filters = len(weight)
    codes = weight.transpose(0, 2, 3, 1).reshape(filters, -1)
    result = np.zeros((filters, 2, half_lanes), np.int64)
    mask = 2**half_bits - 1
    result[:, 0, : codes.shape[1]] = codes & mask
    result[:, 1, : codes.shape[1]] = (codes >> half_bits) & mask
    return result.reshape(filters, 1, 1, -1)
