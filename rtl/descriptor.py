"""The layer descriptor: the words that the sequencer of rtl/library/accelerator.v reads, in their order."""

from __future__ import annotations

import enum
from dataclasses import astuple, dataclass

WORD_MASK = 0xFFFFFFFF


class Flag(enum.IntFlag):
    """Bits of the first word."""

    DOT = 1 << 0
    """The taps are dot products, one weight bit a pass."""
    POOL = 1 << 1
    """The pool unit works instead of the lanes."""
    POOL_SUM = 1 << 2
    """The pool sums; otherwise it takes the maximum."""
    SHORTCUT = 1 << 3
    """A shortcut's code enters the affine step."""
    TO_STREAM = 1 << 4
    """Results leave through the output stream."""
    CLAMP = 1 << 5
    """Results are clamped to [0, clamp_max]."""
    LAST = 1 << 6
    """The next descriptor is the first one, of the next image."""
    LOAD = 1 << 7
    """An image is taken from the input stream; only the target's fields and `length` count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One layer (or group of a grouped layer) or load; addresses count words of their memory, steps may wrap around.

    Attributes:
        flags: what the descriptor does.
        source_origin: address of the first window's first tap, padding included.
        source_height, source_width: size of the map, beyond which taps are padded.
        source_words: words that hold the channel slice, per plane and pixel.
        source_planes: planes of CODE_BITS bits that a source value is split into.
        plane_step, pixel_step, row_step: words from plane to plane, column to column, row to row.
        pad_value: what a padded tap reads, all planes.
        kernel_height, kernel_width, stride_y, stride_x, pad_y, pad_x: the window.
        window_row_step, window_column_step: words from window to window.
        out_height, out_width, out_channels: what the descriptor produces.
        lanes: first lane of the slice in its first word, and last lane in its last word << 16.
        weight_base: address of the first weight word.
        digit_words: weight words per tap of a dot layer (CODE_BITS bits of each weight in each), 1 for others.
        top_bit: index of the sign bit in the first of them, 0 for others.
        affine_base: address of the first channel's multiplier and constant.
        shift: the affine step's n.
        clamp_max: the largest code.
        target_base: address of the first result's word.
        target: first lane of the target's slice, and planes << 28.
        target_pixel_step: words from pixel to pixel of the target.
        length: values of the stream that is loaded or sent; 0 where a grouped output goes on with its next group.
        shortcut_base, shortcut_pixel_step: the same for the shortcut, whose first lane is the target's.
        shortcut_digits_low, shortcut_digits_high: signed digits of its multiplier.
        target_plane_step: words from plane to plane of the target.
    """

    flags: Flag
    source_origin: int = 0
    source_height: int = 0
    source_width: int = 0
    source_words: int = 0
    source_planes: int = 0
    plane_step: int = 0
    pixel_step: int = 0
    row_step: int = 0
    pad_value: int = 0
    kernel_height: int = 0
    kernel_width: int = 0
    stride_y: int = 0
    stride_x: int = 0
    pad_y: int = 0
    pad_x: int = 0
    window_row_step: int = 0
    window_column_step: int = 0
    out_height: int = 0
    out_width: int = 0
    out_channels: int = 0
    lanes: int = 0
    weight_base: int = 0
    digit_words: int = 1
    top_bit: int = 0
    affine_base: int = 0
    shift: int = 0
    clamp_max: int = 0
    target_base: int = 0
    target: int = 0
    target_pixel_step: int = 0
    length: int = 0
    shortcut_base: int = 0
    shortcut_pixel_step: int = 0
    shortcut_digits_low: int = 0
    shortcut_digits_high: int = 0
    target_plane_step: int = 0

    def words(self) -> tuple[int, ...]:
        """The 32-bit words as they lie in memory; negative addresses in two's complement."""
        return tuple(int(value) & WORD_MASK for value in astuple(self))


DESCRIPTOR_WORDS = len(Descriptor(flags=Flag(0)).words())
