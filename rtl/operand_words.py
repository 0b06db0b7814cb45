"""The words of operands that an adder layer's lanes get from the accelerator, clock after clock.

The walk goes pixel by pixel, for each through the groups of output channels, for each through the words of the window
(a *sweep*). Weights are those of the program's memory; codes are read from the layer's source as the descriptor says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError, MismatchError
from quant.float_network import Kind
from quant.golden import layer_sums
from quant.integer_network import Conv2d, IntArray, IntegerNetwork, Linear
from quant.taps import pad
from rtl.descriptor import Flag
from rtl.placement import stored_name
from rtl.program import Program
from rtl.weight_words import window_words


@dataclass(frozen=True, slots=True, eq=False)
class OperandWords:
    """Words of some sweeps of a layer, one a clock.

    Attributes:
        x: (words, in_lanes) codes.
        w: (out_lanes, words, in_lanes) codes; an output lane without a channel has 0.
        first: (words,) whether it is a sweep's first.
        begins: (words,) whether the sweep before it in here is not the one before it in the layer.
        taps: (out_lanes, words) input lanes that hold a tap; the others have x = w = 0.
    """

    x: IntArray
    w: IntArray
    first: NDArray[np.bool_]
    begins: NDArray[np.bool_]
    taps: IntArray


def adder_layer(network: IntegerNetwork, name: str) -> Conv2d | Linear:
    """The adder layer of a name; raises BadInputError, with the names there are, where it is none."""
    found = {node.name: node for node in network if isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER}
    if name not in found:
        names = ", ".join(found) or "it has none"
        raise BadInputError(f"layer must be an adder layer of {network.name} ({names}), not {name}")
    return found[name]


def sampled_words(
    network: IntegerNetwork, program: Program, name: str, codes: IntArray, windows: int, window_words: int
) -> OperandWords:
    """Words of an adder layer in evenly spaced windows, each of whole sweeps; all words where the windows fill it.

    Args:
        network: of the program.
        program: what the accelerator runs.
        name: of the layer.
        codes: (N, ...) of the layer's source.
        windows: how many.
        window_words: words of a window, at least; whole sweeps are taken.

    Raises:
        BadInputError: when there is no such adder layer, or nothing is sampled.
        MismatchError: when the words do not give the golden model's sums.
    """
    node = adder_layer(network, name)
    if windows < 1 or window_words < 1:
        raise BadInputError(f"windows must be at least 1 of at least 1 word, not {windows} of {window_words}")
    parts = [part for image in codes for part in _parts(network, program, node, image[None])]
    sweeps = [(part, index) for part in parts for index in range(part.sweeps)]
    length = -(-window_words // parts[0].count)
    if windows * length >= len(sweeps):
        chosen = np.arange(len(sweeps))
    else:
        starts = np.linspace(0, len(sweeps) - length, windows).round().astype(np.int64)
        chosen = np.unique(starts[:, None] + np.arange(length))
    x, w, taps = zip(*(part.sweep(index) for part, index in (sweeps[number] for number in chosen)), strict=True)
    count = parts[0].count
    first = np.tile(np.arange(count) == 0, len(chosen))
    apart = np.diff(chosen, prepend=-1) != 1
    apart[0] = True
    return OperandWords(
        np.concatenate(x), np.concatenate(w, axis=1), first, first & np.repeat(apart, count), np.concatenate(taps, 1)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A descriptor of the layer on an image.

    Attributes:
        x: (pixels, count, in_lanes).
        w: (groups, out_lanes, count, in_lanes).
        used: (count,) lanes that hold a tap.
        channels: of the descriptor.
    """

    x: IntArray
    w: IntArray
    used: IntArray
    channels: int

    @property
    def count(self) -> int:
        """Words of a sweep."""
        return len(self.used)

    @property
    def sweeps(self) -> int:
        """Pixels times groups."""
        return len(self.x) * len(self.w)

    def sweep(self, index: int) -> tuple[IntArray, IntArray, IntArray]:
        """x, w and taps of a sweep."""
        pixel, group = divmod(index, len(self.w))
        out_lanes = self.w.shape[1]
        filled = np.arange(out_lanes) < self.channels - group * out_lanes
        return self.x[pixel], self.w[group], filled[:, None] * self.used[None, :]


def _parts(network: IntegerNetwork, program: Program, node: Conv2d | Linear, codes: IntArray) -> list[_Part]:
    lanes, out_lanes = program.parameters["IN_LANES"], program.parameters["OUT_LANES"]
    if isinstance(node, Linear):
        channels, height, width = (*network.shapes[stored_name(network, node.source)], 1, 1)[:3]
        maps, kernel, stride = codes.reshape(1, channels, height, width), (height, width), (1, 1)
    else:
        maps = pad(codes, node.padding, network.grids[node.source].zero)
        kernel, stride = (node.weight.shape[2], node.weight.shape[3]), node.stride
    windows = np.lib.stride_tricks.sliding_window_view(maps[0], kernel, axis=(1, 2))
    windows = windows[:, :: stride[0], :: stride[1]].transpose(1, 2, 0, 3, 4).reshape(-1, len(maps[0]), *kernel)
    golden = layer_sums(network, node, codes)[0].reshape(len(node.weight), -1)
    parts = []
    for descriptor, layer in zip(program.descriptors[1:], program.layers, strict=True):
        if layer.node != node.name:
            continue
        span = Flag.SPAN in descriptor.flags
        channels = node.weight.shape[1] if isinstance(node, Conv2d) else windows.shape[1]
        begin = layer.first_channel // layer.channels * channels
        taps = windows[:, begin : begin + channels]
        x = window_words(taps, lanes, span=span, segments=descriptor.segments)
        used = window_words(np.ones((1, *taps.shape[1:]), np.int64), lanes, span=span, segments=descriptor.segments)
        groups, count = -(-layer.channels // out_lanes), x.shape[1]
        words = program.weights[descriptor.weight_base : descriptor.weight_base + groups * count].astype(np.int64)
        w = words.reshape(groups, count, out_lanes, lanes).transpose(0, 2, 1, 3)
        sums = -np.abs(x[:, None, None] - w[None]).sum(axis=(3, 4)).reshape(len(x), -1)[:, : layer.channels]
        if not np.array_equal(sums.T, golden[layer.first_channel : layer.first_channel + layer.channels]):
            raise MismatchError(f"words of {node.name} must give the golden model's sums, not others")
        parts.append(_Part(x, w, used[0].sum(axis=1), layer.channels))
    return parts
