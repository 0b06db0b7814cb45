"""The layer descriptor: the words that the sequencer of rtl/library/accelerator.v reads, in their order."""

from __future__ import annotations

import enum
from dataclasses import dataclass

WORD_MASK = 0xFFFFFFFF
_BANK_BITS = 8
_ROW_MASK = 0xFFFFFF


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
    """The next descriptor is the first layer's, of the next image."""
    SPAN = 1 << 7
    """A window is one run of codes: where one of its lines ends, the next goes on in the banks."""
    SERIAL = 1 << 8
    """A sweep begins when the one before is drained."""
    SPLIT = 1 << 9
    """A dot layer whose window fills at most half the lanes: the upper half takes the weights' upper bits."""


class Buffer(enum.IntEnum):
    """Which memory a tensor lies in."""

    IMAGE = 0
    A = 2
    B = 3


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a code stands, or how far it is to another: code n is in bank n mod lanes of row n div lanes."""

    row: int = 0
    bank: int = 0

    def word(self) -> int:
        """{row[23:0], bank[7:0]}, a negative row in two's complement."""
        return (self.row & _ROW_MASK) << _BANK_BITS | self.bank


def place_of(codes: int, lanes: int) -> Place:
    """The place of code number `codes`, which may be negative."""
    return Place(*divmod(codes, lanes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """One layer, or one group of a grouped layer; descriptor 0 tells where images go and uses the fields so marked (0).

    Sizes inside a line are in codes, sizes of planes in rows of banks; places and steps are `Place`.

    Attributes:
        flags: what the descriptor does.
        source_origin: the first window's first code, padding included.
        source_height, line_codes: lines of the map, and codes of a line, beyond which a window is padded.
        source_planes, plane_rows: planes of CODE_BITS bits that a source value is split into, and their distance.
        line_step: from line to line of the map.
        pad_value: what a padded tap reads, all planes.
        kernel_height, kernel_codes: lines of the window, and codes from one of its lines' first to their last.
        segments, segment_codes, segment_step, segment_step_codes: runs of codes in a line of the window, their length,
            and from one to the next; with SPAN one run that holds the whole window.
        first_code: where the channel slice begins in a pixel.
        crossing_rows: rows added where a run goes on in the window's next line (SPAN).
        stride_y, pad_y: in lines; column_codes, pad_codes: stride and padding along a line.
        window_column_step, window_line_step: from window to window.
        out_height, out_width, out_channels: what the descriptor produces; (0) channels: codes of an image's line.
        weight_base: address of the first weight word.
        digit_words: weight words per tap of a dot layer (CODE_BITS bits of each weight in each), 1 for others.
        top_bit: index of the sign bit in the first of them, 0 for others.
        affine_base: address of the first word of multipliers and constants.
        shift: the affine step's n.
        clamp_max: the largest code.
        target_origin, target_pixel_step, target_line_step, target_planes, target_plane_rows: where results go; (0) the
            image.
        length: values of the output's stream; 0 where a grouped output goes on with its next group.
        shortcut_origin, shortcut_pixel_step, shortcut_line_step: where the shortcut is.
        shortcut_digits_low, shortcut_digits_high: signed digits of its multiplier.
        drain_clocks: clocks that the sums of a sweep take to leave.
        buffers: source, shortcut << 2, target is B << 4.
        load_length: (0) values of an image.
    """

    flags: Flag
    source_origin: Place = Place()
    source_height: int = 0
    line_codes: int = 0
    source_planes: int = 0
    plane_rows: int = 0
    line_step: Place = Place()
    pad_value: int = 0
    kernel_height: int = 0
    kernel_codes: int = 0
    segments: int = 1
    segment_codes: int = 0
    segment_step: Place = Place()
    segment_step_codes: int = 0
    first_code: int = 0
    crossing_rows: int = 0
    stride_y: int = 0
    pad_y: int = 0
    column_codes: int = 0
    pad_codes: int = 0
    window_column_step: Place = Place()
    window_line_step: Place = Place()
    out_height: int = 0
    out_width: int = 0
    out_channels: int = 0
    weight_base: int = 0
    digit_words: int = 1
    top_bit: int = 0
    affine_base: int = 0
    shift: int = 0
    clamp_max: int = 0
    target_origin: Place = Place()
    target_pixel_step: Place = Place()
    target_line_step: Place = Place()
    target_planes: int = 1
    target_plane_rows: int = 0
    length: int = 0
    shortcut_origin: Place = Place()
    shortcut_pixel_step: Place = Place()
    shortcut_line_step: Place = Place()
    shortcut_digits_low: int = 0
    shortcut_digits_high: int = 0
    drain_clocks: int = 1
    buffers: int = 0
    load_length: int = 0

    def words(self, signature: int) -> tuple[int, ...]:
        """The 32-bit words as they lie in memory; negative numbers in two's complement.

        The last one makes their sum the signature of the parameters that the descriptor is made for, modulo 2**32.
        """
        values = (getattr(self, name) for name in self.__dataclass_fields__)
        words = tuple(value.word() if isinstance(value, Place) else int(value) & WORD_MASK for value in values)
        return (*words, (signature - sum(words)) & WORD_MASK)


DESCRIPTOR_WORDS = len(Descriptor(flags=Flag(0)).words(0))
