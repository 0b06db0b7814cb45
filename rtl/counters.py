"""What the accelerator's counters show for each layer of an image, predicted without simulating it.

All but the effective taps follow from the descriptors; those are counted in the golden model's tensors. Tests compare
every counter with simulations.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from quant.float_network import Kind
from quant.integer_network import Conv2d, IntArray, IntegerNetwork, Linear
from rtl.cycles import layer_clocks, sweeps_of_a_pixel
from rtl.descriptor import Descriptor, Flag
from rtl.driver import LayerCounts
from rtl.placement import stored_name
from rtl.program import Program, TracedLayer


def _live_passes(descriptor: Descriptor, parameters: Mapping[str, int], weight: IntArray, plane: int) -> IntArray:
    """In how many passes each weight's operand is not 0: its bits that are 1; in an adder layer the whole code."""
    if Flag.DOT not in descriptor.flags:
        return np.asarray(weight != 0, np.int64)
    bits = parameters["CODE_BITS"]
    if Flag.SPLIT in descriptor.flags:
        width = 2 * parameters["DOT_SPLIT"]
    else:
        width = descriptor.top_bit + 1 + bits * (descriptor.digit_words - 1)
    shifted = weight << bits * plane & (1 << width) - 1
    ones: IntArray = np.bitwise_count(shifted.astype(np.uint64)).astype(np.int64)
    return ones


def _effective_taps(
    network: IntegerNetwork,
    node: Conv2d | Linear,
    layer: TracedLayer,
    descriptor: Descriptor,
    parameters: Mapping[str, int],
    tensors: Mapping[str, IntArray],
    image: int,
    *,
    any_weight: bool = False,
) -> int:
    """Taps with both operands other than 0; with `any_weight`, of an adder layer, with such an activation."""
    source = stored_name(network, node.source)
    codes = tensors[source][image]
    codes = codes.reshape(codes.shape if codes.ndim == 3 else (-1, 1, 1))
    if isinstance(node, Linear):
        weight = node.weight.reshape(len(node.weight), *codes.shape)
        stride, padding = (1, 1), (0, 0)
    else:
        weight, stride, padding = node.weight, node.stride, node.padding
        first_source = layer.first_channel // (len(weight) // node.groups) * weight.shape[1]
        codes = codes[first_source : first_source + weight.shape[1]]
    weight = weight[layer.first_channel : layer.first_channel + layer.channels].astype(np.int64)
    pads = [(0, 0), (padding[0], padding[0]), (padding[1], padding[1])]
    padded = np.pad(codes.astype(np.int64), pads, constant_values=network.grids[source].zero)
    total = 0
    for plane in range(descriptor.source_planes):
        bits = parameters["CODE_BITS"]
        live = (padded >> bits * plane & (1 << bits) - 1) != 0
        windows = sliding_window_view(live, weight.shape[2:], axis=(1, 2))[:, :: stride[0], :: stride[1]]
        # How often each tap's activation is not 0, and in how many filters and passes its weight is not.
        often = windows[:, : layer.height, : layer.width].sum((1, 2), dtype=np.int64)
        passes = np.ones_like(weight) if any_weight else _live_passes(descriptor, parameters, weight, plane)
        total += int((often * passes.sum(0)).sum())
    return total


def count_active_taps(
    program: Program, network: IntegerNetwork, tensors: Mapping[str, IntArray], image: int = 0
) -> list[int]:
    """Taps of each layer for one image whose activation is not 0, whatever the weight; 0 for all but adder layers.

    No counter of the accelerator shows them. Arguments are those of `predict_counters`.
    """
    return [
        _effective_taps(network, node, layer, descriptor, program.parameters, tensors, image, any_weight=True)
        if isinstance(node := network[layer.node], Conv2d | Linear) and node.kind is Kind.ADDER
        else 0
        for descriptor, layer in zip(program.descriptors[1:], program.layers, strict=True)
    ]


def predict_counters(
    program: Program, network: IntegerNetwork, tensors: Mapping[str, IntArray], image: int = 0
) -> list[LayerCounts]:
    """Counters of every layer for one image, while neither stream gaps or presses back.

    Args:
        program: of the network.
        network: the integer network.
        tensors: the golden model's, of shape (N, C, H, W) or (N, C) (`quant.golden.trace`).
        image: which of the N.
    """
    parameters = program.parameters
    result = []
    for descriptor, layer in zip(program.descriptors[1:], program.layers, strict=True):
        node = network[layer.node]
        sweeps = sweeps_of_a_pixel(descriptor, parameters)
        pixels = descriptor.out_height * descriptor.out_width
        clocks = layer_clocks(descriptor, parameters)
        pool = Flag.POOL in descriptor.flags
        leaving = pixels * sum(sweep.leaving for sweep in sweeps)
        values = pixels * descriptor.out_channels
        result.append(
            LayerCounts(
                clocks=clocks.running,
                activation_reads=clocks.words,
                weight_reads=0 if pool else clocks.words,
                shortcut_reads=leaving if Flag.SHORTCUT in descriptor.flags else 0,
                affine_reads=leaving,
                activation_writes=0 if Flag.TO_STREAM in descriptor.flags else values * descriptor.target_planes,
                busy_lanes=pixels * sum(sweep.busy_lanes for sweep in sweeps),
                effective_taps=_effective_taps(network, node, layer, descriptor, parameters, tensors, image)
                if parameters["COUNTERS"] > 1 and isinstance(node, Conv2d | Linear)
                else 0,
            )
        )
    return result
