"""Widths against the extremes that real inputs reach, found by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import every_node_network, quantized, random_images, small_resnet
from strategies import codes, input_node

from quant.float_network import Kind
from quant.golden import compute, encode, layer_sums, trace
from quant.integer_network import Affine, Conv2d, Flatten, Grid, IntegerNetwork, Linear, SumPool
from quant.widths import (
    accumulator_bits,
    accumulator_range,
    affine_bits,
    affine_range,
    output_range,
    signed_bits,
    tap_count_bound_bits,
    unsigned_bits,
)


@given(st.integers(-(2**40), 2**40), st.integers(0, 2**20))
def test_signed_width_holds_the_range_and_no_narrower_one_does(low: int, span: int) -> None:
    high = low + span

    def holds(bits: int) -> bool:
        return -(1 << (bits - 1)) <= low and high <= (1 << (bits - 1)) - 1

    bits = signed_bits(low, high)
    assert holds(bits)
    assert bits == 1 or not holds(bits - 1)


@given(st.integers(0, 2**40))
def test_unsigned_width_holds_the_range_and_no_narrower_one_does(high: int) -> None:
    bits = unsigned_bits(high)
    assert high < 2**bits
    assert bits == 1 or high >= 2 ** (bits - 1)


@pytest.mark.parametrize("kind", Kind)
@given(seed=st.integers(0, 10**6))
def test_ranges_are_what_all_inputs_reach(kind: Kind, seed: int) -> None:
    # Three taps of 2-bit codes: all 64 inputs are tried.
    weight = codes(0 if kind is Kind.ADDER else -2, 3 if kind is Kind.ADDER else 1, (2, 3), seed)
    affine = Affine(codes(-40, 40, (2,), seed + 1), codes(-90, 90, (2,), seed + 2), 3, None)
    layer = Linear("layer", "flat", kind, weight, 2, affine, Grid(32, 1.0, signed=True))
    network = IntegerNetwork("all inputs", (input_node((3, 1, 1), Grid(2, 1.0)), Flatten("flat", "image"), layer))
    inputs = np.array(list(itertools.product(range(4), repeat=3)))
    acc = layer_sums(network, layer, inputs)
    low, high = accumulator_range(network, layer)
    assert low.tolist() == acc.min(axis=0).tolist()
    # An adder layer's bound above is 0, which inputs reach exactly where they equal the weights.
    assert high.tolist() == acc.max(axis=0).tolist()
    totals = acc * affine.multiplier + affine.constant + affine.rounding
    assert affine_range(network, layer) == (totals.min(), totals.max())
    results = compute(network, layer, {"flat": inputs})
    assert output_range(network, layer) == (results.min(), results.max())
    assert accumulator_bits(network, layer) <= tap_count_bound_bits(network, layer)


def test_a_shortcut_widens_the_step_on_the_side_of_its_sign() -> None:
    def step(multiplier: int) -> tuple[int, int]:
        affine = Affine(np.array([1]), np.array([0]), 1, 255, multiplier)
        pool = SumPool("sum", "image", (1, 1), (1, 1), Grid(8, 1.0), affine=affine, shortcut="image")
        return affine_range(IntegerNetwork("shortcut", (input_node((1, 1, 1), Grid(8, 1.0)), pool)), pool)

    assert step(2) == (1, 255 + 510 + 1)
    assert step(-2) == (1 - 510, 255 + 1)


def test_a_full_layer_of_resnet20_needs_19_bits() -> None:
    # 64 channels x 3x3 taps x 255 = 146,880 < 2**18, and a sign.
    weight = np.zeros((1, 64, 3, 3), np.int64)
    affine = Affine(np.array([1]), np.array([0]), 1, 255)
    layer = Conv2d("layer", "image", Kind.ADDER, weight, 8, affine, Grid(8, 1.0))
    network = IntegerNetwork("bound", (input_node((64, 3, 3), Grid(8, 1.0)), layer))
    assert (tap_count_bound_bits(network, layer), accumulator_bits(network, layer)) == (19, 19)


def test_weights_in_the_middle_need_a_bit_less() -> None:
    weight = np.full((1, 64, 3, 3), 128)
    affine = Affine(np.array([1]), np.array([0]), 1, 255)
    layer = Conv2d("layer", "image", Kind.ADDER, weight, 8, affine, Grid(8, 1.0))
    network = IntegerNetwork("middle", (input_node((64, 3, 3), Grid(8, 1.0)), layer))
    assert (tap_count_bound_bits(network, layer), accumulator_bits(network, layer)) == (19, 18)


@pytest.mark.parametrize("bits", [2, 5, 8])
def test_every_layer_stays_inside_its_proven_widths(bits: int) -> None:
    for network in (quantized(small_resnet(), bits), quantized(every_node_network(), bits)):
        tensors = trace(network, encode(network, random_images(network.input.shape, 20, 77)))
        for node in network.layers:
            grid, result = network.grids[node.name], tensors[node.name]
            assert grid.bottom <= result.min()
            assert result.max() <= grid.top
            if isinstance(node, Conv2d | Linear | SumPool):
                acc = layer_sums(network, node, tensors[node.source])
                assert signed_bits(int(acc.min()), int(acc.max())) <= accumulator_bits(network, node)
            if isinstance(node, Conv2d | Linear):
                assert accumulator_bits(network, node) <= tap_count_bound_bits(network, node)
                assert affine_bits(network, node) <= 40
