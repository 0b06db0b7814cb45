"""The float network: what the torch bridge hands over, as immutable plain data.

Nodes stand in topological order and refer to their sources by name. Shapes leave the batch out: (C, H, W) for
feature maps, (C,) after `Flatten` and `Linear`. The last node is the network's output.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError

FloatArray = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, ...]


class Kind(enum.StrEnum):
    """What a layer sums over its taps."""

    ADDER = "adder"
    """`-sum |x - w|` (AdderNet, arXiv 1912.13200, eq. 2)."""
    DOT = "dot"
    """`sum x * w`."""


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """A uint8 image; the network sees `(pixel / 255 - mean) / std` per channel."""

    name: str
    shape: tuple[int, int, int]
    mean: FloatArray
    std: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d:
    """Adder or dot-product layer over (F, C / groups, kernel height, kernel width) weights; padded taps see x = 0."""

    name: str
    source: str
    kind: Kind
    weight: FloatArray
    bias: FloatArray | None = None
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Adder or dot-product layer over (F, C) weights on a flat vector."""

    name: str
    source: str
    kind: Kind
    weight: FloatArray
    bias: FloatArray | None = None


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """`gamma * (x - mean) / sqrt(variance + epsilon) + beta` per channel, with the running statistics."""

    name: str
    source: str
    gamma: FloatArray
    beta: FloatArray
    mean: FloatArray
    variance: FloatArray
    epsilon: float

    @property
    def scale(self) -> FloatArray:
        """`gamma / sqrt(variance + epsilon)`, shape (C,)."""
        return np.asarray(self.gamma / np.sqrt(self.variance + self.epsilon), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Relu:
    """`max(x, 0)`."""

    name: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Add:
    """Elementwise sum of two tensors of one shape (the residual connection)."""

    name: str
    source: str
    other: str


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool:
    """Largest value in each window; padded taps never win."""

    name: str
    source: str
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class AveragePool:
    """Mean over each window, padded taps counted as zeros; a global pool is one whose kernel is the whole map."""

    name: str
    source: str
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Flatten:
    """(C, H, W) to (C * H * W,), channel slowest."""

    name: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Argmax:
    """Index of the largest element of a flat vector; ties go to the lowest index."""

    name: str
    source: str


FloatNode = Input | Conv2d | Linear | BatchNorm | Relu | Add | MaxPool | AveragePool | Flatten | Argmax


def sources(node: FloatNode) -> tuple[str, ...]:
    """Names of the tensors that `node` reads."""
    if isinstance(node, Input):
        return ()
    if isinstance(node, Add):
        return (node.source, node.other)
    return (node.source,)


def window_output(size: Pair, kernel: Pair, stride: Pair, padding: Pair) -> Pair:
    """(H, W) of a sliding window's output: `floor((size + 2 * padding - kernel) / stride) + 1` on each axis."""
    height, width = ((n + 2 * p - k) // s + 1 for n, k, s, p in zip(size, kernel, stride, padding, strict=True))
    return height, width


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(message)


def _map_shape(node: FloatNode, shape: Shape) -> tuple[int, int, int]:
    _require(len(shape) == 3, f"input of {node.name} must be a feature map (C, H, W), not of shape {shape}")
    return shape[0], shape[1], shape[2]


def _window_shape(node: Conv2d | MaxPool | AveragePool, channels: int, size: Pair, kernel: Pair) -> Shape:
    _require(
        min(node.stride) >= 1 and min(node.padding) >= 0 and min(kernel) >= 1,
        f"window of {node.name} must have kernel and stride of at least 1 and padding of at least 0, "
        f"not kernel {kernel}, stride {node.stride}, padding {node.padding}",
    )
    _require(
        all(p < k for p, k in zip(node.padding, kernel, strict=True)),
        f"padding of {node.name} must be smaller than its kernel {kernel}, not {node.padding}",
    )
    output = window_output(size, kernel, node.stride, node.padding)
    _require(min(output) >= 1, f"kernel of {node.name} must fit its padded input, not be {kernel} on {size}")
    return (channels, *output)


def output_shape(node: FloatNode, inputs: tuple[Shape, ...]) -> Shape:
    """Shape of a node's output from its inputs' shapes; raises BadInputError when they do not fit."""
    if isinstance(node, Input):
        channels = node.shape[0]
        _require(
            node.mean.shape == node.std.shape == (channels,),
            f"mean and std of {node.name} must have {channels} entries, "
            f"not shapes {node.mean.shape} and {node.std.shape}",
        )
        _require(bool((node.std > 0).all()), f"std of {node.name} must be positive, not {node.std.min()}")
        return node.shape
    shape = inputs[0]
    if isinstance(node, Conv2d | Linear):
        axes = 4 if isinstance(node, Conv2d) else 2
        _require(
            node.weight.ndim == axes and node.weight.size > 0,
            f"weights of {node.name} must have {axes} axes and not be empty, not be of shape {node.weight.shape}",
        )
        if node.bias is not None:
            _require(
                node.bias.shape == node.weight.shape[:1],
                f"bias of {node.name} must have {node.weight.shape[0]} entries, not shape {node.bias.shape}",
            )
    if isinstance(node, Conv2d):
        channels, height, width = _map_shape(node, shape)
        filters, per_group, kernel_height, kernel_width = node.weight.shape
        _require(
            node.groups >= 1 and per_group * node.groups == channels and filters % node.groups == 0,
            f"weights of {node.name} must match {channels} input channels in {node.groups} groups, "
            f"not be of shape {node.weight.shape}",
        )
        return _window_shape(node, filters, (height, width), (kernel_height, kernel_width))
    if isinstance(node, Linear):
        _require(
            len(shape) == 1 and node.weight.shape[1] == shape[0],
            f"weights of {node.name} must match an input of shape {shape}, not be of shape {node.weight.shape}",
        )
        return (node.weight.shape[0],)
    if isinstance(node, BatchNorm):
        for attribute in ("gamma", "beta", "mean", "variance"):
            found = getattr(node, attribute).shape
            _require(found == shape[:1], f"{attribute} of {node.name} must have {shape[0]} entries, not shape {found}")
        _require(
            bool((node.variance + node.epsilon > 0).all()),
            f"variance of {node.name} must be positive with its epsilon {node.epsilon}, not {node.variance.min()}",
        )
        return shape
    if isinstance(node, Add):
        _require(inputs[0] == inputs[1], f"inputs of {node.name} must have one shape, not {inputs[0]} and {inputs[1]}")
        return shape
    if isinstance(node, MaxPool | AveragePool):
        channels, height, width = _map_shape(node, shape)
        return _window_shape(node, channels, (height, width), node.kernel)
    if isinstance(node, Flatten):
        return (int(np.prod(shape)),)
    if isinstance(node, Argmax):
        _require(len(shape) == 1, f"input of {node.name} must be a flat vector, not of shape {shape}")
        return ()
    return shape


_ARRAYS = ("mean", "std", "weight", "bias", "gamma", "beta", "variance")


@dataclass(frozen=True, slots=True, eq=False)
class FloatNetwork:
    """A float network; construction checks names, order, shapes and that every number is finite."""

    name: str
    nodes: tuple[FloatNode, ...]
    shapes: dict[str, Shape] = field(init=False)

    def __post_init__(self) -> None:
        _require(
            bool(self.nodes) and isinstance(self.nodes[0], Input), f"network {self.name} must start with its input"
        )
        shapes: dict[str, Shape] = {}
        for node in self.nodes:
            _require(
                node is self.nodes[0] or not isinstance(node, Input),
                f"network {self.name} must have one input, not {node.name} too",
            )
            _require(
                node is self.nodes[-1] or not isinstance(node, Argmax),
                f"argmax {node.name} must be the last node, not followed by others",
            )
            _require(node.name not in shapes, f"node names must be unique, not {node.name} twice")
            for source in sources(node):
                _require(source in shapes, f"source of {node.name} must be an earlier node, not {source}")
            for attribute in _ARRAYS:
                array = getattr(node, attribute, None)
                if array is not None:
                    bad = int(np.size(array) - np.isfinite(array).sum())
                    _require(
                        bad == 0, f"{attribute} of {node.name} must be finite, not hold {bad} NaN or infinite values"
                    )
            shapes[node.name] = output_shape(node, tuple(shapes[source] for source in sources(node)))
        object.__setattr__(self, "shapes", shapes)

    def __iter__(self) -> Iterator[FloatNode]:
        return iter(self.nodes)

    @property
    def input(self) -> Input:
        """The input node."""
        node = self.nodes[0]
        assert isinstance(node, Input)
        return node

    def consumers(self, name: str) -> tuple[FloatNode, ...]:
        """The nodes that read the tensor `name`, in order."""
        return tuple(node for node in self.nodes if name in sources(node))
