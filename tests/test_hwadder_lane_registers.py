"""Registers of the lanes, worked by hand after the header of rtl/library/tree_pipeline.v."""

from __future__ import annotations

import pytest

from energy.accelerator import Lanes
from hwadder.lane_registers import lane_registers


def parameters(**changes: int) -> dict[str, int]:
    size = {"IN_LANES": 16, "OUT_LANES": 2, "CODE_BITS": 8, "MIN_FORM": 1, "DOT_SPLIT": 0, "TREE_STAGES": 0}
    return size | {"WEIGHT_REGISTER": 0} | changes


def test_all_registers() -> None:
    # Two lanes and the sum of x: sums of 8 + 4 bits, accumulators of 20.
    expected = {"operands": 128, "weight register": 0, "stages of trees": 0, "sums of trees": 36, "accumulators": 60}
    assert lane_registers(parameters(), Lanes.ADDER, 20, has_sum_of_x=True) == expected
    without = {"sums of trees": 24, "accumulators": 40}
    assert lane_registers(parameters(), Lanes.ADDER, 20, has_sum_of_x=False) == expected | without
    # Products of 16 bits.
    wide = {"sums of trees": 40, "accumulators": 48}
    assert lane_registers(parameters(), Lanes.ONE_PASS, 24, has_sum_of_x=False) == expected | wide
    weights = lane_registers(parameters(WEIGHT_REGISTER=1), Lanes.ADDER, 20, has_sum_of_x=True)
    assert weights == expected | {"weight register": 256}


@pytest.mark.parametrize(
    ("changes", "stages", "sums"),
    [
        # 16 lanes: registers behind levels 1 and 3, 8 values of 9 bits and 2 of 11.
        ({"TREE_STAGES": 1}, 3 * 72, 3 * 12),
        ({"TREE_STAGES": 2}, 3 * (72 + 22), 3 * 12),
        # Differences leave a carry beside each value; there is no sum of x.
        ({"TREE_STAGES": 2, "MIN_FORM": 0}, 2 * (80 + 24), 2 * 12),
        # Halves of 8 lanes have as many values; the lanes' sums grow by 4 + 1 bits, the sum of x stays.
        ({"TREE_STAGES": 1, "DOT_SPLIT": 4}, 3 * 72, 2 * 17 + 12),
        # 5 lanes: level 1; 3 values of 9 bits, halves of 2 and 3 lanes have 1 and 2.
        ({"TREE_STAGES": 1, "IN_LANES": 5}, 3 * 27, 3 * 11),
        ({"TREE_STAGES": 1, "IN_LANES": 5, "DOT_SPLIT": 4}, 3 * 27, 2 * 16 + 11),
        # 7 lanes: 4 values, halves of 3 and 4 lanes have 2 each.
        ({"TREE_STAGES": 1, "IN_LANES": 7, "DOT_SPLIT": 4}, 3 * 36, 2 * 16 + 11),
        # 6 lanes: 3 values, halves of 3 lanes have 2 each; the sum of x has no halves.
        ({"TREE_STAGES": 1, "IN_LANES": 6, "DOT_SPLIT": 4}, 2 * 36 + 27, 2 * 16 + 11),
    ],
)
def test_trees(changes: dict[str, int], stages: int, sums: int) -> None:
    size = parameters(**changes)
    found = lane_registers(size, Lanes.ADDER, 20, has_sum_of_x=bool(size["MIN_FORM"]))
    assert (found["stages of trees"], found["sums of trees"]) == (stages, sums)


def test_multipliers_split_nothing() -> None:
    size = parameters(TREE_STAGES=1, DOT_SPLIT=4, MIN_FORM=0)
    found = lane_registers(size, Lanes.MULTIPLIER, 20, has_sum_of_x=False)
    assert (found["stages of trees"], found["sums of trees"]) == (2 * 8 * 17, 2 * 20)
