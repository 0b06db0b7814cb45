"""The golden model: what every executor of an integer network must equal, bit for bit (docs/integer-network.md)."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError
from quant.float_network import Kind
from quant.integer_network import (
    Affine,
    Argmax,
    Flatten,
    Input,
    IntArray,
    IntegerNetwork,
    IntegerNode,
    Linear,
    MaxPool,
    SumPool,
    TapLayer,
)
from quant.taps import pad, tap_sums, window_taps
from quant.widths import accumulator_range


def encode(network: IntegerNetwork, images: NDArray[np.uint8]) -> IntArray:
    """Codes (N, C, H, W) of uint8 images (N, C, H, W), by the network's input table."""
    shape = network.input.shape
    if images.dtype != np.uint8 or images.shape[1:] != shape:
        raise BadInputError(
            f"images must be uint8 of shape (N, {', '.join(map(str, shape))}), "
            f"not {images.dtype} of shape {images.shape}"
        )
    return np.stack([network.input.table[channel][images[:, channel]] for channel in range(shape[0])], axis=1)


def requantize(affine: Affine, acc: IntArray, shortcut: IntArray | None) -> IntArray:
    """The affine step on sums of shape (N, F, ...); see `quant.integer_network.Affine`."""
    channel_last = (-1,) + (1,) * (acc.ndim - 2)
    total = acc * affine.multiplier.reshape(channel_last) + affine.constant.reshape(channel_last) + affine.rounding
    if shortcut is not None:
        total = total + shortcut * affine.shortcut_multiplier
    result = total >> affine.shift
    return result if affine.clamp_max is None else np.clip(result, 0, affine.clamp_max)


def _sums(network: IntegerNetwork, node: TapLayer, codes: IntArray) -> IntArray:
    zero = network.grids[node.source].zero
    if isinstance(node, Linear):
        maps, weight, stride, groups = codes[:, :, None, None], node.weight[:, :, None, None], (1, 1), 1
    else:
        maps, weight, stride, groups = pad(codes, node.padding, zero), node.weight, node.stride, node.groups
    low, high = accumulator_range(network, node)
    # Every partial sum lies between the extremes too, since all taps of an adder layer have one sign;
    # a dot layer's are bounded by the sum of the extremes' magnitudes.
    adder = node.kind is Kind.ADDER
    if int(high.max()) - int(low.min()) < 2**31:
        sums = tap_sums(maps.astype(np.int32), weight.astype(np.int32), stride, groups, adder=adder)
        result = sums.astype(np.int64)
    else:
        result = tap_sums(maps, weight, stride, groups, adder=adder)
    return result[:, :, 0, 0] if isinstance(node, Linear) else result


def _pooled(network: IntegerNetwork, node: MaxPool | SumPool, codes: IntArray) -> IntArray:
    maps = codes[:, :, None, None] if codes.ndim == 2 else codes
    if isinstance(node, MaxPool):
        return functools.reduce(np.maximum, window_taps(pad(maps, node.padding, 0), node.kernel, node.stride))
    zero = network.grids[node.source].zero
    total = functools.reduce(np.add, window_taps(pad(maps, node.padding, zero), node.kernel, node.stride))
    return total.reshape(codes.shape) if codes.ndim == 2 else total


def layer_sums(network: IntegerNetwork, node: TapLayer | SumPool, codes: IntArray) -> IntArray:
    """`acc` of a layer or pool (N, F, ...) for its source's codes."""
    return _pooled(network, node, codes) if isinstance(node, SumPool) else _sums(network, node, codes)


def compute(network: IntegerNetwork, node: IntegerNode, tensors: Mapping[str, IntArray]) -> IntArray:
    """One node's tensor (N, ...) from the tensors before it."""
    if isinstance(node, Input):
        return tensors[node.name]
    value = tensors[node.source]
    if isinstance(node, Flatten):
        return value.reshape(value.shape[0], -1)
    if isinstance(node, Argmax):
        indices: IntArray = value.argmax(axis=1)
        return indices
    if isinstance(node, MaxPool):
        return _pooled(network, node, value)
    acc = layer_sums(network, node, value)
    shortcut = None if node.shortcut is None else tensors[node.shortcut]
    return acc if node.affine is None else requantize(node.affine, acc, shortcut)


def trace(network: IntegerNetwork, codes: IntArray) -> dict[str, IntArray]:
    """Every tensor of the network for a batch of input codes (N, C, H, W), by node name."""
    tensors = {network.input.name: codes}
    for node in network:
        tensors[node.name] = compute(network, node, tensors)
    return tensors


def logits(network: IntegerNetwork, images: NDArray[np.uint8], batch: int = 64) -> Iterator[IntArray]:
    """What the network's `Argmax` reads, (n, classes) for uint8 images (N, C, H, W), batch after batch.

    Raises BadInputError when the network does not end in an `Argmax`.
    """
    last = network.nodes[-1]
    if not isinstance(last, Argmax):
        raise BadInputError(f"network {network.name} must end in an argmax to classify, not in {last.name}")
    for first in range(0, len(images), batch):
        yield trace(network, encode(network, images[first : first + batch]))[last.source]


def classify(network: IntegerNetwork, images: NDArray[np.uint8], batch: int = 64) -> Iterator[IntArray]:
    """Class index of each uint8 image, batch after batch; raises BadInputError when the network has no `Argmax`."""
    for each in logits(network, images, batch):
        yield each.argmax(axis=1)
