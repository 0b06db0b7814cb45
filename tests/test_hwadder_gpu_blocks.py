"""Every block is one that a GPU can run, covers the layer, and wastes little of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwadder.gpu_blocks import INSTRUCTIONS_A_TAP, Blocks, channels_a_step, choose_blocks
from quant.errors import BadInputError


@given(st.integers(1, 1 << 22), st.integers(1, 1 << 12), st.integers(1, 256))
def test_a_block_fits_the_machine_and_the_layer(positions: int, filters: int, multiprocessors: int) -> None:
    blocks = choose_blocks(positions, filters, multiprocessors)
    assert all(each & (each - 1) == 0 for each in (blocks.positions, blocks.filters, blocks.warps))
    assert 1 <= blocks.warps <= 4
    assert 2 <= blocks.thread_m <= 8
    # No block is wider than the layer needs, and at most one is partly empty.
    assert blocks.filters < 2 * filters
    full_blocks = (positions // blocks.positions) * (filters // blocks.filters)
    assert full_blocks <= blocks.count(positions, filters)


@given(st.integers(1, 1 << 22), st.integers(1, 1 << 12))
def test_large_layers_keep_their_registers_full(positions: int, filters: int) -> None:
    blocks = choose_blocks(positions, filters, 132)
    assert blocks.thread_m == 8 or blocks.count(positions, filters) < 2 * 132


@pytest.mark.parametrize(
    ("positions", "filters", "expected"),
    [
        (256 * 32 * 32, 16, (256, 16)),
        (256 * 16 * 16, 32, (256, 32)),
        (64 * 28 * 28, 256, (128, 64)),
        (256 * 8 * 8, 64, (64, 64)),  # 128 positions would make 128 blocks, fewer than the 132 multiprocessors
        (1 << 20, 10, (256, 16)),
        (1 << 20, 48, (256, 16)),
        (1 << 20, 96, (256, 32)),
        (1 << 20, 3, (256, 4)),
        (1 << 20, 1, (256, 1)),
    ],
)
def test_blocks_follow_the_shape(positions: int, filters: int, expected: tuple[int, int]) -> None:
    blocks = choose_blocks(positions, filters, 132)
    assert (blocks.positions, blocks.filters) == expected


def test_each_width_of_a_block_is_offered_once() -> None:
    assert [each.filters for each in INSTRUCTIONS_A_TAP] == [64, 32, 16, 8, 4, 2, 1]


def test_blocks_that_cover_a_layer_are_counted() -> None:
    assert Blocks(16, 8, 8, 8).count(129, 65) == 4


@pytest.mark.parametrize(
    ("channels", "expected"), [(1, 1), (3, 3), (6, 6), (7, 7), (10, 5), (13, 8), (16, 8), (60, 6), (64, 8), (2051, 7)]
)
def test_a_step_divides_the_channels_where_it_can(channels: int, expected: int) -> None:
    assert channels_a_step(channels) == expected


def test_an_empty_layer_has_no_block() -> None:
    with pytest.raises(
        BadInputError, match=r"^positions, filters and multiprocessors must be at least 1, not 0, 16 and 132$"
    ):
        choose_blocks(0, 16, 132)
