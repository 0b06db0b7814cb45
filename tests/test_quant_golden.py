"""The golden model against loops over single elements, exact fractions, and fxpmath's fixed-point numbers."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import floor

import numpy as np
import pytest
from fixed_point import raw_values
from hypothesis import given
from hypothesis import strategies as st
from networks import every_node_network, quantized, random_images, small_lenet
from strategies import affines, codes, input_node, layers, vectors

from quant.errors import BadInputError
from quant.float_network import Kind
from quant.golden import classify, compute, encode, layer_sums, requantize, trace
from quant.integer_network import (
    Affine,
    Argmax,
    Conv2d,
    Flatten,
    Grid,
    Input,
    IntArray,
    IntegerNetwork,
    Linear,
    MaxPool,
    SumPool,
)
from quant.widths import affine_bits, affine_range


def affine_step(affine: Affine, channel: int, acc: int, shortcut: int) -> int:
    """Rounded to nearest with ties up, in exact fractions."""
    total = (
        acc * int(affine.multiplier[channel]) + shortcut * affine.shortcut_multiplier + int(affine.constant[channel])
    )
    rounded = floor(Fraction(total, 2**affine.shift) + Fraction(1, 2))
    return rounded if affine.clamp_max is None else min(max(rounded, 0), affine.clamp_max)


def element(node: Conv2d | MaxPool | SumPool, zero: int, maps: IntArray, channel: int, row: int, column: int) -> int:
    """One element of a window node's output before the affine step, tap after tap."""
    kernel = node.weight.shape[2:] if isinstance(node, Conv2d) else node.kernel
    if isinstance(node, Conv2d):
        per_group = node.weight.shape[1]
        first = channel // (len(node.weight) // node.groups) * per_group
        inputs = range(first, first + per_group)
    else:
        inputs = range(channel, channel + 1)
    terms = []
    for c, i, j in itertools.product(inputs, range(kernel[0]), range(kernel[1])):
        y, x = row * node.stride[0] + i - node.padding[0], column * node.stride[1] + j - node.padding[1]
        inside = 0 <= y < maps.shape[1] and 0 <= x < maps.shape[2]
        if isinstance(node, MaxPool):
            terms += [int(maps[c, y, x])] if inside else []
            continue
        code = int(maps[c, y, x]) if inside else zero
        if isinstance(node, SumPool):
            terms.append(code)
            continue
        weight = int(node.weight[channel, c - inputs[0], i, j])
        terms.append(-abs(code - weight) if node.kind is Kind.ADDER else code * weight)
    return max(terms) if isinstance(node, MaxPool) else sum(terms)


@given(layers())
def test_every_window_node_equals_a_loop_over_its_taps(drawn: tuple[IntegerNetwork, IntArray]) -> None:
    network, batch = drawn
    node = network.nodes[1]
    assert isinstance(node, Conv2d | MaxPool | SumPool)
    result = trace(network, batch)["layer"]
    assert result.shape == (len(batch), *network.shapes["layer"])
    for index in np.ndindex(result.shape):
        image, channel, row, column = index
        expected = element(node, network.input.grid.zero, batch[image], channel, row, column)
        if not isinstance(node, MaxPool) and node.affine is not None:
            shortcut = int(batch[index]) if node.shortcut else 0
            expected = affine_step(node.affine, channel, expected, shortcut)
        assert result[index] == expected


@given(vectors())
def test_a_linear_layer_equals_a_loop_over_its_taps(drawn: tuple[Linear, Grid, IntArray]) -> None:
    node, grid, batch = drawn
    image = input_node((batch.shape[1], 1, 1), grid)
    network = IntegerNetwork("linear", (image, Flatten("flat", "image"), node))
    result = trace(network, batch[:, :, None, None])["layer"]
    for row, vector in enumerate(batch.tolist()):
        for channel, weights in enumerate(node.weight.tolist()):
            pairs = zip(vector, weights, strict=True)
            acc = sum(-abs(x - w) if node.kind is Kind.ADDER else x * w for x, w in pairs)
            assert result[row, channel] == affine_step(node.affine, channel, acc, 0)


@given(st.data())
def test_the_affine_step_equals_fractions(data: st.DataObject) -> None:
    affine = data.draw(affines(3, data.draw(st.sampled_from([None, 3, 255])), True))
    acc = codes(-(2**18), 2**18, (4, 3), data.draw(st.integers(0, 999)))
    shortcut = codes(0, 255, (4, 3), 1)
    result = requantize(affine, acc, shortcut)
    expected = [[affine_step(affine, c, int(acc[n, c]), int(shortcut[n, c])) for c in range(3)] for n in range(4)]
    assert result.tolist() == expected


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_affine_step_equals_fxpmath(bits: int) -> None:
    # The total is a number with `shift` fraction bits; a code is that number plus a half, floored and saturated.
    affine = Affine(np.array([7, -9]), np.array([100, -3]), 5, 2**bits - 1)
    acc = codes(-300, 300, (40, 2), 3)
    exact = (acc * affine.multiplier + affine.constant) / 2**affine.shift + 0.5
    assert requantize(affine, acc, None).ravel().tolist() == raw_values(exact.ravel(), False, bits, 0, "floor")


@pytest.mark.parametrize(("total", "code"), [(-3, -1), (-2, 0), (-1, 0), (1, 0), (2, 1), (5, 1), (6, 2)])
def test_ties_go_up(total: int, code: int) -> None:
    affine = Affine(np.array([1]), np.array([0]), 2, None)
    assert requantize(affine, np.array([[total]]), None).tolist() == [[code]]


def test_a_padded_tap_is_the_code_of_zero() -> None:
    # One 3x3 window over a single pixel: eight taps see code 8, the middle one 12; all weights are 5.
    image = input_node((1, 1, 1), Grid(4, 1.0, zero=8))
    affine = Affine(np.array([2]), np.array([0]), 1, None)
    layer = Conv2d(
        "layer", "image", Kind.ADDER, np.full((1, 1, 3, 3), 5), 4, affine, Grid(8, 1.0, signed=True), (1, 1), (1, 1)
    )
    network = IntegerNetwork("padding", (image, layer))
    assert trace(network, np.full((1, 1, 1, 1), 12))["layer"].tolist() == [[[[-(8 * 3 + 7)]]]]


def test_the_worked_example_of_the_specification() -> None:
    network = IntegerNetwork(
        "example",
        (
            Input("image", (1, 2, 2), Grid(4, 1 / 15), np.arange(256)[None] // 16),
            Conv2d(
                "conv",
                "image",
                Kind.ADDER,
                np.array([[[[1, 2], [3, 4]]]]),
                4,
                Affine(np.array([3]), np.array([40]), 2, 15),
                Grid(4, 0.1),
                stride=(2, 2),
                padding=(1, 1),
            ),
            SumPool("pool", "conv", (2, 2), (2, 2), Grid(6, 0.025)),
            Conv2d(
                "fc",
                "pool",
                Kind.DOT,
                np.array([3, -2]).reshape(2, 1, 1, 1),
                3,
                Affine(np.array([1, 1]), np.array([0, 5]), 1, None),
                Grid(8, 0.05, signed=True),
            ),
            Flatten("flatten", "fc"),
            Argmax("argmax", "flatten"),
        ),
    )
    image = np.array([[[[16, 32], [48, 255]]]], np.uint8)
    tensors = trace(network, encode(network, image))
    conv = network["conv"]
    assert isinstance(conv, Conv2d)
    assert layer_sums(network, conv, tensors["image"]).tolist() == [[[[-9, -8], [-9, -23]]]]
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {
        "image": [[[[1, 2], [3, 15]]]],
        "conv": [[[[3, 4], [3, 0]]]],
        "pool": [[[[10]]]],
        "fc": [[[[15]], [[-7]]]],
        "flatten": [[15, -7]],
        "argmax": [0],
    }
    assert (affine_range(network, conv), affine_bits(network, conv)) == ((-108, 42), 8)


def test_argmax_ties_go_to_the_lowest_index() -> None:
    network = IntegerNetwork(
        "ties", (input_node((4, 1, 1), Grid(8, 1.0)), Flatten("flat", "image"), Argmax("argmax", "flat"))
    )
    batch = np.array([[3, 9, 9, 1], [5, 5, 5, 5]])[:, :, None, None]
    assert trace(network, batch)["argmax"].tolist() == [1, 0]


def test_wide_dot_sums_are_exact() -> None:
    # 32-bit codes times 16-bit weights leave int32 far behind.
    image = input_node((1, 1, 1), Grid(8, 1.0))
    affine = Affine(np.array([1]), np.array([0]), 1, None)
    total = 2**24 * 255
    pool = SumPool("sum", "image", (1, 1), (1, 1), Grid(32, 1.0))
    layer = Conv2d("layer", "sum", Kind.DOT, np.full((1, 1, 1, 1), -(2**15)), 16, affine, Grid(32, 1.0, signed=True))
    with pytest.raises(BadInputError, match=r"grid of layer must hold every result, 47 bits, not have 32 bits"):
        IntegerNetwork("wide", (image, pool, layer))
    affine = Affine(np.array([1]), np.array([0]), 17, None)
    layer = Conv2d("layer", "sum", Kind.DOT, np.full((1, 1, 1, 1), -(2**15)), 16, affine, Grid(32, 1.0, signed=True))
    network = IntegerNetwork("wide", (image, pool, layer))
    assert compute(network, layer, {"sum": np.array([[[[total]]]])}).item() == -(total // 4)


def test_images_pass_through_the_table_channel_by_channel() -> None:
    network = quantized(every_node_network())
    images = random_images(network.input.shape, 3)
    expected = [
        [[[network.input.table[c, pixel] for pixel in row] for row in plane] for c, plane in enumerate(image)]
        for image in images.tolist()
    ]
    assert encode(network, images).tolist() == expected


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((1, 1, 12, 12), np.float32), r"float32 of shape \(1, 1, 12, 12\)"),
        (np.zeros((1, 12, 12), np.uint8), r"uint8 of shape \(1, 12, 12\)"),
        (np.zeros((2, 3, 12, 12), np.uint8), r"uint8 of shape \(2, 3, 12, 12\)"),
    ],
)
def test_wrong_images_are_refused(images: IntArray, found: str) -> None:
    network = quantized(small_lenet())
    with pytest.raises(BadInputError, match=rf"^images must be uint8 of shape \(N, 1, 12, 12\), not {found}$"):
        encode(network, images)  # type: ignore[arg-type]


def test_classes_do_not_depend_on_the_batch() -> None:
    network = quantized(small_lenet())
    images = random_images(network.input.shape, 10, 5)
    batches = [np.concatenate(list(classify(network, images, size))) for size in (1, 3, 10, 64)]
    assert all(batch.tolist() == batches[0].tolist() for batch in batches)


def test_a_network_without_argmax_cannot_classify() -> None:
    network = IntegerNetwork("open", (input_node((1, 1, 1), Grid(8, 1.0)), Flatten("flat", "image")))
    with pytest.raises(BadInputError, match=r"^network open must end in an argmax to classify, not in flat$"):
        list(classify(network, np.zeros((1, 1, 1, 1), np.uint8)))
