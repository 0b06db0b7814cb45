"""The integer network: the one description that the golden model computes, rtl prints, sim plays and energy counts.

It is specified in docs/integer-network.md. Tensors hold integers; `Grid` says what real number a stored integer means.
Nodes stand in topological order and refer to their sources by name; shapes leave the batch out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError
from quant.float_network import Kind, Pair, Shape, window_output

IntArray = NDArray[np.int64]

MAX_CODE_BITS = 8
"""Widest code that an adder layer, a pool or a shortcut reads; only dot layers read wider tensors."""
MAX_SUM_BITS = 32
"""Widest tensor of any kind (exact pooled sums, logits)."""
MAX_SHIFT = 31
MAX_WEIGHT_BITS = 16
MAX_STEP_BITS = 63
"""Width that no sum of an affine step may exceed, so that 64-bit integers compute it exactly."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise BadInputError(message)


def freeze(values: NDArray[np.generic]) -> IntArray:
    """A read-only int64 copy of an integer array, in row order whatever the order of the original."""
    array = np.array(values, dtype=np.int64, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class Grid:
    """How a tensor is stored: `real = (code - zero) * scale`.

    Unsigned codes lie in [0, 2**bits - 1]. `signed` marks the output of an unclamped layer (logits): two's complement
    and `zero` 0.
    """

    bits: int
    scale: float
    zero: int = 0
    signed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", float(self.scale))
        _require(1 <= self.bits <= MAX_SUM_BITS, f"grid bits must be 1 to {MAX_SUM_BITS}, not {self.bits}")
        _require(
            math.isfinite(self.scale) and self.scale > 0, f"grid scale must be positive and finite, not {self.scale}"
        )
        _require(not (self.signed and self.zero), f"zero of a signed grid must be 0, not {self.zero}")
        _require(0 <= self.zero <= self.top, f"grid zero must be a code of {self.bits} bits, not {self.zero}")

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << (self.bits - 1 if self.signed else self.bits)) - 1

    @property
    def bottom(self) -> int:
        """The smallest code."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def low(self) -> float:
        """The smallest real number on the grid."""
        return (self.bottom - self.zero) * self.scale

    @property
    def high(self) -> float:
        """The largest real number on the grid."""
        return (self.top - self.zero) * self.scale


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """`q = (acc * multiplier + shortcut * shortcut_multiplier + constant + 2**(shift - 1)) >> shift`, then the clamp.

    `multiplier` and `constant` have one entry per output channel; `>>` floors. With `clamp_max` the result is clamped
    to [0, clamp_max]; without, it is kept whole.
    """

    multiplier: IntArray
    constant: IntArray
    shift: int
    clamp_max: int | None
    shortcut_multiplier: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "multiplier", freeze(self.multiplier))
        object.__setattr__(self, "constant", freeze(self.constant))
        _require(
            self.multiplier.ndim == 1 and self.multiplier.shape == self.constant.shape,
            f"affine multiplier and constant must be vectors of one length, "
            f"not of shapes {self.multiplier.shape} and {self.constant.shape}",
        )
        _require(1 <= self.shift <= MAX_SHIFT, f"affine shift must be 1 to {MAX_SHIFT}, not {self.shift}")

    @property
    def rounding(self) -> int:
        """Half a unit of the result."""
        return 1 << (self.shift - 1)


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """The input quantiser: `code = table[channel, pixel]`, `table` of shape (C, 256)."""

    name: str
    shape: tuple[int, int, int]
    grid: Grid
    table: IntArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "table", freeze(self.table))
        _require(
            self.table.shape == (self.shape[0], 256),
            f"input table must be of shape {(self.shape[0], 256)}, not {self.table.shape}",
        )
        _require(
            self.table.min() >= 0 and self.table.max() <= self.grid.top,
            f"input table must hold codes of 0 to {self.grid.top}, not {self.table.min()} to {self.table.max()}",
        )


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d:
    """Tap layer on a map; weights (F, C / groups, kernel height, kernel width).

    Adder: unsigned codes on the source's grid, `acc = -sum |x - w|`. Dot: signed, `acc = sum x * w` on stored codes x.
    """

    name: str
    source: str
    kind: Kind
    weight: IntArray
    weight_bits: int
    affine: Affine
    grid: Grid
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    groups: int = 1
    shortcut: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", freeze(self.weight))


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Tap layer on a flat vector; weights (F, C), otherwise as `Conv2d`."""

    name: str
    source: str
    kind: Kind
    weight: IntArray
    weight_bits: int
    affine: Affine
    grid: Grid
    shortcut: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", freeze(self.weight))


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool:
    """Largest code in each window; padded taps count as code 0. The grid is the source's."""

    name: str
    source: str
    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class SumPool:
    """Exact sum of the codes in each window, padded taps counting as the code of real 0.

    With `affine` the sum is requantised (and may take a shortcut); without, it is stored whole and the divisor is in
    `grid.scale`. A 1x1 window makes it the elementwise step for a batch norm, ReLU or addition that no layer absorbs.
    """

    name: str
    source: str
    kernel: Pair
    stride: Pair
    grid: Grid
    padding: Pair = (0, 0)
    affine: Affine | None = None
    shortcut: str | None = None


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


IntegerNode = Input | Conv2d | Linear | MaxPool | SumPool | Flatten | Argmax
TapLayer = Conv2d | Linear


def sources(node: IntegerNode) -> tuple[str, ...]:
    """Names of the tensors that `node` reads; the shortcut comes second."""
    if isinstance(node, Input):
        return ()
    shortcut = getattr(node, "shortcut", None)
    return (node.source,) if shortcut is None else (node.source, shortcut)


def filters(node: TapLayer) -> int:
    """Number of output channels."""
    return int(node.weight.shape[0])


def taps(node: TapLayer) -> int:
    """Number of taps that one output sums over."""
    return int(np.prod(node.weight.shape[1:]))


@dataclass(frozen=True, slots=True, eq=False)
class IntegerNetwork:
    """A whole integer network; construction checks every rule of docs/integer-network.md that needs no data."""

    name: str
    nodes: tuple[IntegerNode, ...]
    shapes: dict[str, Shape] = field(init=False)
    grids: dict[str, Grid] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shapes", {})
        object.__setattr__(self, "grids", {})
        _require(
            bool(self.nodes) and isinstance(self.nodes[0], Input), f"network {self.name} must start with its input"
        )
        for position, node in enumerate(self.nodes):
            _require(node.name not in self.shapes, f"node names must be unique, not {node.name} twice")
            for source in sources(node):
                _require(source in self.shapes, f"source of {node.name} must be an earlier node, not {source}")
            _require(
                position == 0 or not isinstance(node, Input),
                f"network {self.name} must have one input, not {node.name} too",
            )
            _require(
                node is self.nodes[-1] or not isinstance(node, Argmax),
                f"argmax {node.name} must be the last node, not followed by others",
            )
            self.shapes[node.name] = self._shape(node)
            self.grids[node.name] = self._grid(node)
            self._check(node)

    def __iter__(self) -> Iterator[IntegerNode]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> IntegerNode:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    @property
    def input(self) -> Input:
        """The input node."""
        node = self.nodes[0]
        assert isinstance(node, Input)
        return node

    @property
    def output(self) -> str:
        """Name of the tensor that leaves the accelerator: the last node, or what its `Argmax` reads."""
        last = self.nodes[-1]
        return last.source if isinstance(last, Argmax) else last.name

    @property
    def layers(self) -> tuple[IntegerNode, ...]:
        """The nodes that compute a tensor (everything but the input, `Flatten` and `Argmax`)."""
        return tuple(node for node in self.nodes if not isinstance(node, Input | Flatten | Argmax))

    def consumers(self, name: str) -> tuple[IntegerNode, ...]:
        """The nodes that read the tensor `name`, in order."""
        return tuple(node for node in self.nodes if name in sources(node))

    def _shape(self, node: IntegerNode) -> Shape:
        if isinstance(node, Input):
            return node.shape
        shape = self.shapes[node.source]
        if isinstance(node, Flatten):
            return (int(np.prod(shape)),)
        if isinstance(node, Argmax):
            _require(len(shape) == 1, f"input of {node.name} must be a flat vector, not of shape {shape}")
            return ()
        if isinstance(node, Linear):
            _require(
                len(shape) == 1 and node.weight.ndim == 2 and node.weight.shape[1] == shape[0],
                f"weights of {node.name} must match an input of shape {shape}, not be of shape {node.weight.shape}",
            )
            return (filters(node),)
        if isinstance(node, SumPool) and len(shape) == 1:
            _require(node.kernel == (1, 1), f"window of {node.name} must be (1, 1) on a vector, not {node.kernel}")
            return shape
        _require(len(shape) == 3, f"input of {node.name} must be a feature map (C, H, W), not of shape {shape}")
        if isinstance(node, Conv2d):
            _require(
                node.weight.ndim == 4
                and node.groups >= 1
                and node.weight.shape[1] * node.groups == shape[0]
                and filters(node) % node.groups == 0,
                f"weights of {node.name} must match {shape[0]} input channels in {node.groups} groups, "
                f"not be of shape {node.weight.shape}",
            )
            channels, kernel = filters(node), (int(node.weight.shape[2]), int(node.weight.shape[3]))
        else:
            channels, kernel = shape[0], node.kernel
        _require(
            min(node.stride) >= 1 and min(node.padding) >= 0 and min(kernel) >= 1,
            f"window of {node.name} must have kernel and stride of at least 1 and padding of at least 0, "
            f"not kernel {kernel}, stride {node.stride}, padding {node.padding}",
        )
        _require(
            max(p - k for p, k in zip(node.padding, kernel, strict=True)) < 0,
            f"padding of {node.name} must be smaller than its kernel {kernel}, not {node.padding}",
        )
        size = window_output((shape[1], shape[2]), kernel, node.stride, node.padding)
        _require(min(size) >= 1, f"kernel of {node.name} must fit its padded input, not be {kernel} on {shape[1:]}")
        return (channels, *size)

    def _grid(self, node: IntegerNode) -> Grid:
        if isinstance(node, Input | Conv2d | Linear | SumPool):
            return node.grid
        return self.grids[node.source]

    def _check(self, node: IntegerNode) -> None:
        if isinstance(node, Input | Flatten | Argmax):
            return
        grid = self.grids[node.source]
        narrow = not grid.signed and grid.bits <= MAX_CODE_BITS
        wide = isinstance(node, Conv2d | Linear) and node.kind is Kind.DOT and not grid.signed
        _require(
            narrow or wide,
            f"source of {node.name} must hold unsigned codes of at most {MAX_CODE_BITS} bits"
            f" (a dot layer's: any unsigned width), "
            f"not {'signed' if grid.signed else 'unsigned'} ones of {grid.bits} bits",
        )
        if isinstance(node, Conv2d | Linear):
            self._check_weights(node, grid)
        if isinstance(node, MaxPool):
            return
        if node.affine is not None:
            self._check_affine(node, node.affine)
        else:
            _require(
                node.shortcut is None and self._holds_sums(node, grid),
                f"grid of {node.name} must hold every sum of its window, not have {node.grid.bits} bits",
            )

    def _holds_sums(self, node: SumPool, source: Grid) -> bool:
        return not node.grid.signed and node.grid.top >= source.top * node.kernel[0] * node.kernel[1]

    def _check_weights(self, node: TapLayer, source: Grid) -> None:
        if node.kind is Kind.ADDER:
            low, high = 0, source.top
            _require(
                node.weight_bits == source.bits,
                f"weight bits of adder layer {node.name} must be its input's {source.bits}, not {node.weight_bits}",
            )
        else:
            _require(
                1 <= node.weight_bits <= MAX_WEIGHT_BITS,
                f"weight bits of {node.name} must be 1 to {MAX_WEIGHT_BITS}, not {node.weight_bits}",
            )
            low, high = -(2 ** (node.weight_bits - 1)), 2 ** (node.weight_bits - 1) - 1
        _require(
            bool(node.weight.size) and node.weight.min() >= low and node.weight.max() <= high,
            f"weights of {node.name} must be codes of {low} to {high}, not {node.weight.min()} to {node.weight.max()}",
        )

    def _check_affine(self, node: Conv2d | Linear | SumPool, affine: Affine) -> None:
        shape = self.shapes[node.name]
        _require(
            affine.multiplier.shape[0] == shape[0],
            f"affine step of {node.name} must have {shape[0]} channels, not {affine.multiplier.shape[0]}",
        )
        if affine.clamp_max is None:
            _require(node.grid.signed, f"grid of {node.name} must be signed without a clamp, not unsigned")
        else:
            _require(
                not node.grid.signed and affine.clamp_max == node.grid.top,
                f"clamp of {node.name} must be its grid's largest code {node.grid.top}, not {affine.clamp_max}",
            )
        if node.shortcut is not None:
            shortcut = self.grids[node.shortcut]
            _require(
                self.shapes[node.shortcut] == shape and not shortcut.signed and shortcut.bits <= MAX_CODE_BITS,
                f"shortcut of {node.name} must be unsigned codes of shape {shape}, "
                f"not {shortcut.bits} bits of shape {self.shapes[node.shortcut]}",
            )
        # Python's integers: the bound itself must not overflow where the rule is broken.
        reach = self._largest_sum(node) * int(max(abs(int(m)) for m in affine.multiplier))
        reach += max(abs(int(c)) for c in affine.constant) + affine.rounding
        reach += 0 if node.shortcut is None else self.grids[node.shortcut].top * abs(affine.shortcut_multiplier)
        _require(
            reach < 2 ** (MAX_STEP_BITS - 1),
            f"affine step of {node.name} must fit {MAX_STEP_BITS} bits, not need {reach.bit_length() + 1}",
        )
        if affine.clamp_max is None:
            # It builds on this module.
            from quant.widths import output_range, signed_bits

            bits = signed_bits(*output_range(self, node))
            _require(
                node.grid.bits >= bits,
                f"grid of {node.name} must hold every result, {bits} bits, not have {node.grid.bits} bits",
            )

    def _largest_sum(self, node: Conv2d | Linear | SumPool) -> int:
        """A bound of `|acc|` from the number of taps and the widths alone."""
        top = self.grids[node.source].top
        if isinstance(node, SumPool):
            return top * node.kernel[0] * node.kernel[1]
        return top * taps(node) * (1 if node.kind is Kind.ADDER else 1 << (node.weight_bits - 1))
