"""Widths that are proven from the real weights, not assumed: ranges of every sum for any input the grids allow."""

from __future__ import annotations

import numpy as np

from quant.float_network import Kind
from quant.integer_network import Conv2d, IntArray, IntegerNetwork, Linear, SumPool, TapLayer


def signed_bits(low: int, high: int) -> int:
    """Width of the two's complement number that holds every value of [low, high]."""
    # A negative number needs as many bits as its one's complement, and either a sign.
    return max((value if value >= 0 else ~value).bit_length() for value in (int(low), int(high))) + 1


def unsigned_bits(high: int) -> int:
    """Width of the unsigned number that holds every value of [0, high]."""
    return max(1, int(high).bit_length())


def accumulator_range(network: IntegerNetwork, node: TapLayer | SumPool) -> tuple[IntArray, IntArray]:
    """Smallest and largest `acc` of each output channel, over all codes of the source's grid, which must be known."""
    top = network.grids[node.source].top
    if isinstance(node, SumPool):
        channels = network.shapes[node.source][0]
        return np.zeros(channels, np.int64), np.full(channels, top * node.kernel[0] * node.kernel[1], np.int64)
    weight = node.weight.reshape(node.weight.shape[0], -1)
    if node.kind is Kind.ADDER:
        nearest = np.zeros(weight.shape[0], np.int64)
        return -np.maximum(weight, top - weight).sum(axis=1), nearest
    return np.minimum(weight, 0).sum(axis=1) * top, np.maximum(weight, 0).sum(axis=1) * top


def tap_count_bound_bits(network: IntegerNetwork, node: TapLayer) -> int:
    """Accumulator width that serves any weights of this layer's tap count and widths."""
    count = int(np.prod(node.weight.shape[1:]))
    top = network.grids[node.source].top
    if node.kind is Kind.ADDER:
        return signed_bits(-count * top, 0)
    return signed_bits(-count * top * 2 ** (node.weight_bits - 1), count * top * (2 ** (node.weight_bits - 1) - 1))


def accumulator_bits(network: IntegerNetwork, node: TapLayer | SumPool) -> int:
    """Accumulator width that this layer's real weights need."""
    low, high = accumulator_range(network, node)
    return signed_bits(int(low.min()), int(high.max()))


def affine_range(network: IntegerNetwork, node: Conv2d | Linear | SumPool) -> tuple[int, int]:
    """Smallest and largest value before the shift, the rounding included."""
    assert node.affine is not None
    affine = node.affine
    low, high = accumulator_range(network, node)
    ends = np.stack([low * affine.multiplier, high * affine.multiplier])
    shortcut_low = shortcut_high = 0
    if node.shortcut is not None:
        reach = network.grids[node.shortcut].top * affine.shortcut_multiplier
        shortcut_low, shortcut_high = min(0, reach), max(0, reach)
    offset = affine.constant + affine.rounding
    return int((ends.min(axis=0) + offset).min()) + shortcut_low, int((ends.max(axis=0) + offset).max()) + shortcut_high


def affine_bits(network: IntegerNetwork, node: Conv2d | Linear | SumPool) -> int:
    """Width of the affine step's sum. In two's complement the total is exact when it fits, whatever partial sums do."""
    return signed_bits(*affine_range(network, node))


def output_range(network: IntegerNetwork, node: Conv2d | Linear | SumPool) -> tuple[int, int]:
    """Smallest and largest stored value of an unclamped layer."""
    assert node.affine is not None
    low, high = affine_range(network, node)
    return low >> node.affine.shift, high >> node.affine.shift
