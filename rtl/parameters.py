"""Parameters of the accelerator that a network asks for: widths proven from its weights, depths of its memories."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quant.errors import BadInputError
from quant.float_network import Kind
from quant.integer_network import Affine, Conv2d, IntegerNetwork, IntegerNode, Linear, MaxPool, SumPool
from quant.signed_digits import signed_digits
from quant.widths import accumulator_range, affine_range, signed_bits

COUNT_BITS = 16
MAX_INDEX_BITS = 13
"""Rows of counters that the register map's addresses hold."""
MAX_PLANES = 8
MAX_DIGITS = 9
STREAM_BITS = 32


def code_bits(network: IntegerNetwork) -> int:
    """Width of the lanes: the widest code that an adder layer, a pool or a shortcut reads; dot layers read planes."""
    widths = [2]
    for node in network:
        if isinstance(node, MaxPool | SumPool) or (isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER):
            widths.append(network.grids[node.source].bits)
        shortcut = getattr(node, "shortcut", None)
        if shortcut is not None:
            widths.append(network.grids[shortcut].bits)
    return max(widths)


def digits(network: IntegerNetwork) -> int:
    """Signed digits of the requantizer: as many as the multiplier that needs most, as far as it may have them."""
    most = 1
    for node in network:
        affine: Affine | None = getattr(node, "affine", None)
        if affine is not None:
            for multiplier in (*affine.multiplier.tolist(), affine.shortcut_multiplier):
                most = max(most, len(signed_digits(multiplier)))
    return min(most, MAX_DIGITS)


def split_bits(code_bits: int) -> int:
    """Weight bits of each half of the lanes in a split dot product."""
    return code_bits // 2


def _acc_range(network: IntegerNetwork, node: IntegerNode) -> tuple[int, int]:
    """Range of the accelerator's sums; an adder layer's cover both lane forms and any weights of its tap count."""
    top = network.grids[node.source].top  # type: ignore[union-attr]
    if isinstance(node, MaxPool):
        return 0, top
    assert isinstance(node, Conv2d | Linear | SumPool)
    if isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER:
        reach = top * int(np.prod(node.weight.shape[1:]))
        return -reach, reach
    low, high = accumulator_range(network, node)
    return int(low.min()), int(high.max())


def widths(
    network: IntegerNetwork, in_lanes: int, constants: list[int], dot_split: int, reserve: Mapping[str, int]
) -> dict[str, int]:
    """Widths of sums, constants, affine sums and results, none of which can overflow.

    Args:
        network: the integer network.
        in_lanes: codes of a word, whose sum an accumulator takes at once.
        constants: every affine constant of the program, of the lane form that is printed.
        dot_split: weight bits by which the upper half of the lanes counts more in split dot products, 0 for none.
        reserve: widths to have at least, by parameter.

    Raises:
        BadInputError: when a result does not fit the output stream.
    """

    def at_least(name: str, bits: int) -> int:
        return max(bits, reserve.get(name, 0))

    nodes = network.layers
    bits = at_least("CODE_BITS", code_bits(network))
    ends = [_acc_range(network, node) for node in nodes]
    lane_sum_bits = bits + max(1, (in_lanes - 1).bit_length()) + 1 + (dot_split + 1 if dot_split else 0)
    acc_bits = at_least("ACC_BITS", max(lane_sum_bits, *(signed_bits(low, high) for low, high in ends)))
    const_bits = at_least("CONST_BITS", max(2, signed_bits(min(constants), max(constants))))
    input_bits = -(-at_least("INPUT_BITS", network.input.grid.bits) // 8) * 8
    out_bits = at_least("OUT_BITS", input_bits + 1)
    affine_bits = max(acc_bits, const_bits)
    for node in nodes:
        grid = network.grids[node.name]
        out_bits = max(out_bits, grid.bits if grid.signed else grid.bits + 1)
        if isinstance(node, Conv2d | Linear | SumPool) and node.affine is not None:
            affine_bits = max(affine_bits, signed_bits(*affine_range(network, node)), node.affine.shift + 1)
    affine_bits = at_least("AFFINE_BITS", max(affine_bits, out_bits + 1, bits + 1))
    if out_bits > STREAM_BITS:
        raise BadInputError(f"results of network {network.name} must fit {STREAM_BITS} bits, not need {out_bits}")
    return {
        "ACC_BITS": acc_bits,
        "DIGITS": at_least("DIGITS", digits(network)),
        "CONST_BITS": const_bits,
        "AFFINE_BITS": affine_bits,
        "OUT_BITS": out_bits,
        "INPUT_BITS": input_bits,
        "OUTPUT_BITS": STREAM_BITS,
    }


def address_bits(depth: int) -> int:
    """Bits of an address of a memory of `depth` words."""
    return max(1, (depth - 1).bit_length())
