"""Bits that a word of operands writes into registers of the accelerator's lanes (`rtl/library/tree_pipeline.v`)."""

from __future__ import annotations

from collections.abc import Mapping

from energy.accelerator import Lanes


def lane_registers(parameters: Mapping[str, int], lanes: Lanes, sum_bits: int, *, has_sum_of_x: bool) -> dict[str, int]:
    """Bits by the registers' purpose, over all output lanes and the sum of x; valid bits and flags are left out.

    Lanes that multiply have the same registers for values twice as wide, and no splitting trees, which only a dot
    product computed bit by bit has use for.

    Args:
        parameters: of the accelerator.
        lanes: what the array computes with.
        sum_bits: of an accumulator.
        has_sum_of_x: whether the word's activations are summed beside the lanes.
    """
    columns, bits = parameters["OUT_LANES"], parameters["CODE_BITS"]
    word_bits = parameters["IN_LANES"] * bits
    shared = _tree(parameters, bits, split=0, carries=0) if has_sum_of_x else (0, 0)
    if lanes is Lanes.ADDER:
        tree = _tree(parameters, bits, split=parameters["DOT_SPLIT"], carries=1 - parameters["MIN_FORM"])
    else:
        tree = _tree(parameters, 2 * bits, split=0, carries=0)
    return {
        "operands": word_bits,
        "weight register": parameters["WEIGHT_REGISTER"] * columns * word_bits,
        "stages of trees": columns * tree[0] + shared[0],
        "sums of trees": columns * tree[1] + shared[1],
        "accumulators": (columns + has_sum_of_x) * sum_bits,
    }


def _tree(parameters: Mapping[str, int], value_bits: int, *, split: int, carries: int) -> tuple[int, int]:
    """Bits between the levels of one tree, and of its sum.

    A value that a stage holds is the sum of 2^level lanes, beside it a carry where the lanes have any. A tree that
    splits keeps each half's lanes apart.
    """
    lanes = parameters["IN_LANES"]
    depth = (lanes - 1).bit_length()
    levels = (depth // 3, 3 * depth // 4)[: parameters["TREE_STAGES"]]
    halves = (lanes // 2, lanes - lanes // 2) if split else (lanes,)
    stages = sum(-(-half >> level) * (value_bits + level + carries) for half in halves for level in levels)
    return stages, value_bits + depth + (split + 1 if split else 0)
