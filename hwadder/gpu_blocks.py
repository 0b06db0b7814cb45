"""How the positions and filters of an adder layer are cut into blocks of GPU threads: a pure function of the shape.

A thread owns a rectangle of sums in registers, 8 x 8 wherever the layer has 8 filters or more: the larger it is, the
more sums share the copy of one tap. Which block a layer gets changes its speed alone: each sum is one thread's, over
the taps in their order, so every choice gives the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from quant.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Blocks:
    """A block of threads: `lanes_m` x `lanes_n` of them, each with `thread_m` positions x `thread_n` filters.

    All are powers of two; the threads fill one, two or four warps.
    """

    lanes_m: int
    lanes_n: int
    thread_m: int
    thread_n: int

    @property
    def positions(self) -> int:
        """Output positions of a block."""
        return self.lanes_m * self.thread_m

    @property
    def filters(self) -> int:
        """Filters of a block."""
        return self.lanes_n * self.thread_n

    @property
    def warps(self) -> int:
        """Warps of 32 threads."""
        return self.lanes_m * self.lanes_n // 32

    def count(self, positions: int, filters: int) -> int:
        """Blocks that cover so many positions and filters."""
        return -(-positions // self.positions) * -(-filters // self.filters)


INSTRUCTIONS_A_TAP = {
    Blocks(16, 8, 8, 8): 2.31,
    Blocks(32, 4, 8, 8): 2.38,
    Blocks(32, 2, 8, 8): 2.53,
    Blocks(32, 1, 8, 8): 2.85,
    Blocks(32, 1, 8, 4): 3.64,
    Blocks(32, 1, 8, 2): 5.30,
    Blocks(32, 1, 8, 1): 8.58,
}
"""The blocks to choose from, with what the forward's inner loop takes (benchmarks/gpu_instructions.py counts it)."""
MOST_CHANNELS_A_STEP = 8


def choose_blocks(positions: int, filters: int, multiprocessors: int) -> Blocks:
    """The block for a layer of `positions` (images x rows x columns) x `filters` (of one group).

    The one with the fewest instructions, lanes beyond the last filter included; then fewer positions a thread, until
    every multiprocessor has a block or a thread two positions.
    """
    if min(positions, filters, multiprocessors) < 1:
        raise BadInputError(
            "positions, filters and multiprocessors must be at least 1, "
            f"not {positions}, {filters} and {multiprocessors}"
        )
    blocks = min(
        INSTRUCTIONS_A_TAP, key=lambda each: -(-filters // each.filters) * each.filters * INSTRUCTIONS_A_TAP[each]
    )
    while blocks.thread_m > 2 and blocks.count(positions, filters) < multiprocessors:
        blocks = Blocks(blocks.lanes_m, blocks.lanes_n, blocks.thread_m // 2, blocks.thread_n)
    return blocks


def channels_a_step(channels: int) -> int:
    """Channels that one step of the inner loop takes: a divisor near 8, or 8 with a masked rest where there is none."""
    divisors = (each for each in range(MOST_CHANNELS_A_STEP, 0, -1) if channels % each == 0)
    return next((each for each in divisors if 2 * each > min(channels, MOST_CHANNELS_A_STEP)), MOST_CHANNELS_A_STEP)
