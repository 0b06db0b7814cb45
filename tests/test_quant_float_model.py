"""The float model against definitions written tap by tap in float64."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from networks import every_node_network, random_images
from numpy.typing import NDArray
from strategies import windows

from quant import float_network as fn
from quant.float_model import evaluate
from quant.float_network import FloatNetwork, Kind, Pair


def image_node(shape: tuple[int, int, int]) -> fn.Input:
    return fn.Input("image", shape, np.full(shape[0], 0.4), np.full(shape[0], 0.3))


def window_values(
    maps: NDArray[np.float32], node: fn.Conv2d | fn.MaxPool | fn.AveragePool, kernel: Pair, empty: float
) -> dict[tuple[int, int], NDArray[np.float64]]:
    """Each position's window (N, C, KH, KW), `empty` outside the map."""
    count, channels, height, width = maps.shape
    rows = (height + 2 * node.padding[0] - kernel[0]) // node.stride[0] + 1
    columns = (width + 2 * node.padding[1] - kernel[1]) // node.stride[1] + 1
    found = {}
    for row, column in itertools.product(range(rows), range(columns)):
        window = np.full((count, channels, *kernel), empty)
        for i, j in itertools.product(range(kernel[0]), range(kernel[1])):
            y, x = row * node.stride[0] + i - node.padding[0], column * node.stride[1] + j - node.padding[1]
            if 0 <= y < height and 0 <= x < width:
                window[:, :, i, j] = maps[:, :, y, x]
        found[row, column] = window
    return found


@given(windows(), st.sampled_from(Kind), st.integers(0, 999))
def test_layers_and_pools_equal_their_definitions(window: tuple[Pair, Pair, Pair], kind: Kind, seed: int) -> None:
    kernel, stride, padding = window
    rng = np.random.default_rng(seed)
    weight, bias = rng.normal(0, 1, (4, 1, *kernel)), rng.normal(0, 1, 4)
    nodes: list[fn.Conv2d | fn.MaxPool | fn.AveragePool] = [
        fn.Conv2d("conv", "image", kind, weight, bias, stride, padding, groups=2),
        fn.MaxPool("max", "image", kernel, stride, padding),
        fn.AveragePool("mean", "image", kernel, stride, padding),
    ]
    network = FloatNetwork("windows", (image_node((2, 5, 4)), *nodes))
    values = {node.name: value for node, value in evaluate(network, random_images((2, 5, 4), 3, seed))}
    empty = {"conv": 0.0, "max": -np.inf, "mean": 0.0}
    for node in nodes:
        for (row, column), taps in window_values(values["image"], node, kernel, empty[node.name]).items():
            if isinstance(node, fn.MaxPool):
                expected = taps.max(axis=(2, 3))
            elif isinstance(node, fn.AveragePool):
                expected = taps.mean(axis=(2, 3))
            else:
                mine = taps[:, [0, 0, 1, 1]]
                terms = -np.abs(mine - weight[:, 0]) if kind is Kind.ADDER else mine * weight[:, 0]
                expected = terms.sum(axis=(2, 3)) + bias
            np.testing.assert_allclose(values[node.name][:, :, row, column], expected, rtol=1e-4, atol=1e-4)


def test_pixels_are_normalised() -> None:
    network = FloatNetwork("image", (image_node((1, 1, 2)),))
    ((_, value),) = evaluate(network, np.array([[[[0, 255]]]], np.uint8))
    np.testing.assert_allclose(value, [[[[-0.4 / 0.3, 0.6 / 0.3]]]], rtol=1e-6)


def test_vectors_and_the_rest_equal_their_definitions() -> None:
    rng = np.random.default_rng(3)
    weight = rng.normal(0, 1, (4, 6))
    gamma, beta, mean, variance = rng.uniform(0.5, 2, (4, 4))
    norm = fn.BatchNorm("norm", "adder", gamma, beta, mean, variance, 0.1)
    network = FloatNetwork(
        "vectors",
        (
            image_node((2, 3, 1)),
            fn.Flatten("flat", "image"),
            fn.Linear("adder", "flat", Kind.ADDER, weight),
            fn.Linear("dot", "flat", Kind.DOT, weight, np.arange(4.0)),
            norm,
            fn.Add("add", "norm", "dot"),
            fn.Relu("relu", "add"),
            fn.Argmax("class", "relu"),
        ),
    )
    values = {node.name: value for node, value in evaluate(network, random_images((2, 3, 1), 5))}
    x = values["image"].reshape(5, 6).astype(np.float64)
    adder = -np.abs(x[:, None] - weight).sum(axis=2)
    dot = x @ weight.T + np.arange(4)
    total = (adder - norm.mean) / np.sqrt(norm.variance + 0.1) * norm.gamma + norm.beta + dot
    np.testing.assert_allclose(values["adder"], adder, rtol=1e-4)
    np.testing.assert_allclose(values["relu"], np.where(total > 0, total, 0), rtol=1e-4, atol=1e-4)
    assert values["class"].tolist() == values["relu"].argmax(axis=1).tolist()


def test_every_node_comes_once_in_order() -> None:
    network = every_node_network()
    names = [node.name for node, _ in evaluate(network, random_images(network.input.shape, 2))]
    assert names == [node.name for node in network]
