"""Random small integer networks, made without the quantizer: widths, slices and windows that training never meets."""

from __future__ import annotations

import numpy as np

from quant.float_network import Kind, Pair
from quant.integer_network import (
    Affine,
    Argmax,
    Conv2d,
    Flatten,
    Grid,
    Input,
    IntegerNetwork,
    IntegerNode,
    Linear,
    MaxPool,
    SumPool,
)
from quant.signed_digits import keep_digits
from quant.widths import signed_bits

SHIFT = 10


class Chain:
    """A network in the making: each method appends a node that reads the last one."""

    def __init__(self, seed: int, input_bits: int, shape: tuple[int, int, int]) -> None:
        self.rng = np.random.default_rng(seed)
        grid = Grid(input_bits, 1.0, int(self.rng.integers(0, 1 << input_bits)))
        table = self.rng.integers(0, 1 << input_bits, (shape[0], 256))
        self.nodes: list[IntegerNode] = [Input("image", shape, grid, table)]

    @property
    def network(self) -> IntegerNetwork:
        return IntegerNetwork("chain", tuple(self.nodes))

    @property
    def last(self) -> str:
        return self.nodes[-1].name

    def append(self, node: IntegerNode) -> None:
        self.nodes.append(node)

    def affine(self, low: int, high: int, channels: int, bits: int | None, shortcut: bool) -> Affine:
        """A step that spreads sums of [low, high] a little beyond the codes of `bits`; None keeps them whole."""
        top = 40 if bits is None else (1 << bits) - 1
        gain = self.rng.uniform(0.5, 4, channels) * self.rng.choice([-1, 1], channels)
        ideal = gain * top * (1 << SHIFT) / max(high - low, 1)
        multiplier = np.array([keep_digits(round(value) or 1, 3) for value in ideal])
        # A width is proven from the ends of the range, so the constants need not be realistic.
        constant = (top << SHIFT) // 2 - multiplier * ((low + high) // 2) + self.rng.integers(-99, 99, channels)
        shortcut_multiplier = keep_digits(int(self.rng.integers(-1500, 1500)), 3) if shortcut else 0
        return Affine(multiplier, constant, SHIFT, None if bits is None else top, shortcut_multiplier)

    def random_grid(self, bits: int) -> Grid:
        return Grid(bits, 1.0, int(self.rng.integers(0, 1 << bits)))

    def weights(self, kind: Kind, source: Grid, shape: tuple[int, ...], weight_bits: int) -> np.ndarray:
        if kind is Kind.ADDER:
            return self.rng.integers(0, source.top + 1, shape)
        return self.rng.integers(-(1 << weight_bits - 1), 1 << weight_bits - 1, shape)

    def layer_parts(
        self, kind: Kind, shape: tuple[int, ...], bits: int | None, weight_bits: int, shortcut: str | None
    ) -> tuple[np.ndarray, int, Affine, Grid]:
        """Weights, their width, the affine step and the grid of a layer that reads the last node."""
        source = self.network.grids[self.last]
        weight_bits = source.bits if kind is Kind.ADDER else weight_bits
        weight = self.weights(kind, source, shape, weight_bits)
        flat = weight.reshape(shape[0], -1)
        if kind is Kind.ADDER:
            low, high = -int(np.maximum(flat, source.top - flat).sum(1).max()), 0
        else:
            low = int(np.minimum(flat, 0).sum(1).min()) * source.top
            high = int(np.maximum(flat, 0).sum(1).max()) * source.top
        affine = self.affine(low, high, shape[0], bits, shortcut is not None)
        if bits is not None:
            return weight, weight_bits, affine, self.random_grid(bits)
        reach = max(abs(low), abs(high)) * int(np.abs(affine.multiplier).max()) + int(np.abs(affine.constant).max())
        return weight, weight_bits, affine, Grid(signed_bits(-2 * reach, 2 * reach) - SHIFT, 1.0, signed=True)

    def conv(
        self,
        name: str,
        kind: Kind,
        filters: int,
        kernel: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        groups: int = 1,
        bits: int | None = 4,
        weight_bits: int = 5,
        shortcut: str | None = None,
    ) -> None:
        channels = self.network.shapes[self.last][0]
        shape = (filters, channels // groups, *kernel)
        weight, weight_bits, affine, grid = self.layer_parts(kind, shape, bits, weight_bits, shortcut)
        self.append(Conv2d(name, self.last, kind, weight, weight_bits, affine, grid, stride, padding, groups, shortcut))

    def linear(self, name: str, kind: Kind, filters: int, bits: int | None = None, weight_bits: int = 5) -> None:
        shape = (filters, self.network.shapes[self.last][0])
        self.append(Linear(name, self.last, kind, *self.layer_parts(kind, shape, bits, weight_bits, None)))

    def max_pool(self, name: str, kernel: Pair, stride: Pair, padding: Pair = (0, 0)) -> None:
        self.append(MaxPool(name, self.last, kernel, stride, padding))

    def sum_pool(
        self,
        name: str,
        kernel: Pair,
        stride: Pair,
        padding: Pair = (0, 0),
        bits: int | None = None,
        shortcut: str | None = None,
    ) -> None:
        """With `bits` the sum becomes codes, without it is stored whole."""
        channels = self.network.shapes[self.last][0]
        high = self.network.grids[self.last].top * kernel[0] * kernel[1]
        affine = None if bits is None else self.affine(0, high, channels, bits, shortcut is not None)
        grid = Grid(high.bit_length(), 1.0, 0) if bits is None else self.random_grid(bits)
        self.append(SumPool(name, self.last, kernel, stride, grid, padding, affine, shortcut))


def random_network(seed: int) -> IntegerNetwork:
    """Up to five layers of any kind with any window, ending in a map, a vector, or the index of its largest element."""
    rng = np.random.default_rng(seed)

    def pick(*values: int) -> int:
        return int(rng.choice(values))

    shape = (pick(1, 2, 3, 4, 6), pick(4, 5, 7), pick(4, 6))
    bits = pick(2, 3, 4, 6)
    wide = bool(rng.integers(2))  # the image is wider than the lanes
    chain = Chain(seed + 1, 8 if wide else bits, shape)
    for index in range(pick(1, 2, 3, 4)):
        name = f"layer{index}"
        channels, height, width = chain.network.shapes[chain.last]
        grid = chain.network.grids[chain.last]
        narrow = grid.bits <= bits
        kernel = (min(pick(1, 2, 3), height), min(pick(1, 2, 3), width))
        stride = (pick(1, 1, 2), pick(1, 1, 2))
        padding = (pick(*range(kernel[0])), pick(*range(kernel[1])))
        kind = Kind.ADDER if narrow and rng.integers(3) else Kind.DOT
        action = pick(0, 0, 0, 1, 2, 3, 4, 5) if narrow else 0
        if action == 0:
            groups = pick(*(count for count in (1, 2, 3) if channels % count == 0))
            chain.conv(
                name, kind, groups * pick(1, 2, 3), kernel, stride, padding, groups, bits, weight_bits=pick(1, 4, 8, 9)
            )
        elif action == 1:
            chain.max_pool(name, kernel, stride, padding)
        elif action == 2:
            chain.sum_pool(name, kernel, stride, padding, bits)
        elif action == 3 and grid.bits > 1:
            chain.sum_pool(name, kernel, stride, padding)
        elif action == 4:
            chain.conv(name, kind, channels, (3, 3), padding=(1, 1), bits=bits, shortcut=chain.last)
        else:
            chain.sum_pool(name, (1, 1), (1, 1), bits=bits, shortcut=chain.last)
    kind = Kind.DOT if chain.network.grids[chain.last].bits > bits else Kind.ADDER
    end = pick(0, 1, 2)
    if end == 0:
        channels, *size = chain.network.shapes[chain.last]
        groups = channels if size == [1, 1] else 1  # the output of several groups is a vector
        chain.conv("end", kind, groups * pick(1, 2, 5), (1, 1), groups=groups, bits=None)
    else:
        chain.append(Flatten("flatten", chain.last))
        if end == 2:
            chain.linear("hidden", kind, pick(3, 5), bits=bits)
        elif rng.integers(2):
            # A map of one pixel, flattened.
            chain.nodes.pop()
            _, height, width = chain.network.shapes[chain.last]
            chain.conv("hidden", kind, pick(3, 5), (height, width), bits=bits)
            chain.append(Flatten("flatten", chain.last))
        chain.linear("end", Kind.DOT, pick(2, 5))
        chain.append(Argmax("argmax", "end"))
    return chain.network
