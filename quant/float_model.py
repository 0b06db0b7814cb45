"""The float network computed in numpy (float32): what the quantizer calibrates on, with no torch underneath."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from quant.float_network import (
    Add,
    Argmax,
    AveragePool,
    BatchNorm,
    Conv2d,
    Flatten,
    FloatNetwork,
    FloatNode,
    Input,
    Kind,
    Linear,
    MaxPool,
    Relu,
    sources,
)
from quant.taps import pad, tap_sums, window_taps

Array = NDArray[np.float32]


def normalise(network: FloatNetwork, images: NDArray[np.uint8]) -> Array:
    """`(pixel / 255 - mean) / std` of uint8 images (N, C, H, W)."""
    mean = network.input.mean[:, None, None]
    std = network.input.std[:, None, None]
    return ((images / 255.0 - mean) / std).astype(np.float32)


def _per_channel(values: NDArray[np.float64], like: Array) -> Array:
    return values.astype(np.float32).reshape((-1,) + (1,) * (like.ndim - 2))


def _layer(node: Conv2d | Linear, value: Array) -> Array:
    adder = node.kind is Kind.ADDER
    if isinstance(node, Linear):
        weight = node.weight.astype(np.float32)[:, :, None, None]
        sums = tap_sums(value[:, :, None, None], weight, (1, 1), 1, adder=adder)[:, :, 0, 0]
    else:
        padded = pad(value, node.padding, 0)
        sums = tap_sums(padded, node.weight.astype(np.float32), node.stride, node.groups, adder=adder)
    result: Array = sums.astype(np.float32)
    return result if node.bias is None else result + _per_channel(node.bias, result)


def _evaluate(node: FloatNode, inputs: list[Array]) -> Array:
    value = inputs[0]
    if isinstance(node, Conv2d | Linear):
        return _layer(node, value)
    if isinstance(node, BatchNorm):
        centred = value - _per_channel(node.mean, value)
        return centred * _per_channel(node.scale, value) + _per_channel(node.beta, value)
    if isinstance(node, Relu):
        return np.maximum(value, 0)
    if isinstance(node, Add):
        return value + inputs[1]
    if isinstance(node, MaxPool):
        return functools.reduce(np.maximum, window_taps(pad(value, node.padding, -np.inf), node.kernel, node.stride))
    if isinstance(node, AveragePool):
        total = functools.reduce(np.add, window_taps(pad(value, node.padding, 0), node.kernel, node.stride))
        return total / np.float32(node.kernel[0] * node.kernel[1])
    if isinstance(node, Flatten):
        return value.reshape(value.shape[0], -1)
    assert isinstance(node, Argmax)
    indices: NDArray[np.int64] = value.argmax(axis=1)
    return indices.astype(np.float32)


def evaluate(network: FloatNetwork, images: NDArray[np.uint8]) -> Iterator[tuple[FloatNode, Array]]:
    """Each node with its output (N, ...) for uint8 images, in order; a tensor is dropped after its last reader."""
    tensors: dict[str, Array] = {}
    readers = {node.name: len(network.consumers(node.name)) for node in network}
    for node in network:
        inputs = [tensors[source] for source in sources(node)]
        value = normalise(network, images) if isinstance(node, Input) else _evaluate(node, inputs)
        tensors[node.name] = value
        yield node, value
        for source in sources(node):
            readers[source] -= 1
            if readers[source] == 0:
                tensors.pop(source, None)
