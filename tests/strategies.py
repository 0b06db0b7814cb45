"""Hypothesis strategies for integer networks: shapes, windows, codes and affine steps that the format allows."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from quant.float_network import Kind, Pair
from quant.integer_network import (
    Affine,
    Conv2d,
    Grid,
    Input,
    IntArray,
    IntegerNetwork,
    IntegerNode,
    Linear,
    MaxPool,
    SumPool,
)


def codes(low: int, high: int, shape: tuple[int, ...], seed: int) -> IntArray:
    """Random integers of [low, high], the two ends more often than the rest."""
    rng = np.random.default_rng(seed)
    values = rng.integers(low, high, shape, endpoint=True)
    ends = rng.choice(np.array([low, high]), shape)
    return np.asarray(np.where(rng.random(shape) < 0.3, ends, values), dtype=np.int64)


def input_node(shape: tuple[int, int, int], grid: Grid) -> Input:
    """An input whose table is the identity as far as the grid goes."""
    return Input("image", shape, grid, np.tile(np.minimum(np.arange(256), grid.top), (shape[0], 1)))


@st.composite
def windows(draw: st.DrawFn) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding (smaller than the kernel)."""
    kernel = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    padding = (draw(st.integers(0, kernel[0] - 1)), draw(st.integers(0, kernel[1] - 1)))
    return kernel, (draw(st.integers(1, 3)), draw(st.integers(1, 3))), padding


@st.composite
def affines(draw: st.DrawFn, channels: int, clamp_max: int | None, with_shortcut: bool) -> Affine:
    """An affine step with multipliers and constants of either sign."""
    seed = draw(st.integers(0, 2**16))
    shift = draw(st.integers(1, 20))
    multiplier = codes(-(2**12), 2**12, (channels,), seed)
    constant = codes(-(2**22), 2**22, (channels,), seed + 1)
    return Affine(multiplier, constant, shift, clamp_max, draw(st.integers(-(2**16), 2**16)) if with_shortcut else 0)


@st.composite
def layers(draw: st.DrawFn) -> tuple[IntegerNetwork, IntArray]:
    """A network of one layer or pool behind its input (and a shortcut where drawn), with a batch of codes."""
    bits = draw(st.integers(2, 8))
    grid = Grid(bits, 0.5, draw(st.sampled_from([0, 1 << (bits - 1)])))
    kernel, stride, padding = draw(windows())
    groups = draw(st.integers(1, 2))
    channels = groups * draw(st.integers(1, 2))
    size = (draw(st.integers(kernel[0], 5)), draw(st.integers(kernel[1], 5)))
    seed = draw(st.integers(0, 2**16))
    image = input_node((channels, *size), grid)
    clamp = draw(st.sampled_from([1, 255, None]))
    output = Grid(32, 1.0, signed=True) if clamp is None else Grid(clamp.bit_length(), 1.0)
    node: IntegerNode
    if draw(st.booleans()):
        kind = draw(st.sampled_from(Kind))
        weight_bits = bits if kind is Kind.ADDER else draw(st.integers(2, 9))
        low, high = (0, grid.top) if kind is Kind.ADDER else (-(1 << (weight_bits - 1)), (1 << (weight_bits - 1)) - 1)
        filters = groups * draw(st.integers(1, 3))
        weight = codes(low, high, (filters, channels // groups, *kernel), seed)
        affine = draw(affines(filters, clamp, False))
        node = Conv2d("layer", "image", kind, weight, weight_bits, affine, output, stride, padding, groups)
    else:
        pool = draw(st.sampled_from([MaxPool, SumPool]))
        if pool is MaxPool:
            node = MaxPool("layer", "image", kernel, stride, padding)
        else:
            # A window of 1x1 keeps the shape, so the image itself can be the shortcut.
            same = kernel == stride == (1, 1)
            affine = draw(affines(channels, clamp, same))
            node = SumPool("layer", "image", kernel, stride, output, padding, affine, "image" if same else None)
    return IntegerNetwork("one layer", (image, node)), codes(0, grid.top, (2, channels, *size), seed + 2)


@st.composite
def vectors(draw: st.DrawFn) -> tuple[Linear, Grid, NDArray[np.int64]]:
    """A linear layer that reads `image` as a vector, its input's grid and a batch of codes (N, C)."""
    bits = draw(st.integers(2, 8))
    grid = Grid(bits, 0.25, draw(st.sampled_from([0, 1 << (bits - 1)])))
    kind = draw(st.sampled_from(Kind))
    seed = draw(st.integers(0, 2**16))
    low, high = (0, grid.top) if kind is Kind.ADDER else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    filters, channels = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    weight = codes(low, high, (filters, channels), seed)
    node = Linear("layer", "flat", kind, weight, bits, draw(affines(filters, 15, False)), Grid(4, 1.0))
    return node, grid, codes(0, grid.top, (3, channels), seed + 1)
