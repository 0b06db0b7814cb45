"""How many clocks the accelerator takes, to the clock, from the descriptors alone.

Counted from the clock in which a layer begins (`begin_layer`) to the clock in which the next one does. The numbers in
here are those of the pipeline in rtl/library/accelerator.v; tests compare them with simulations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rtl.descriptor import DESCRIPTOR_WORDS, Descriptor, Flag
from rtl.program import Program

_FETCH_CLOCKS = DESCRIPTOR_WORDS + 2
"""From the layer's beginning to the next descriptor's last word."""
_CAPTURE_TO_DRAINED = 6
"""From a sweep's last word to its first sums leaving."""
_DRAINED_TO_ACCEPTED = 4
"""From sums leaving to their results accepted."""


@dataclass(frozen=True, slots=True)
class LayerClocks:
    """Clocks of one descriptor.

    Attributes:
        clocks: from its beginning to the next layer's.
        words: clocks in which a word of operands is issued.
    """

    clocks: int
    words: int


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Words that a sweep issues, and clocks its sums take to leave."""

    words: int
    drain: int


def _sweeps_of_a_pixel(descriptor: Descriptor, parameters: Mapping[str, int]) -> list[_Sweep]:
    lanes, planes = parameters["IN_LANES"], descriptor.target_planes
    pool = Flag.POOL in descriptor.flags
    group = min(lanes, parameters["OUT_LANES"]) if pool else parameters["OUT_LANES"]
    values = 1 if Flag.TO_STREAM in descriptor.flags else parameters["DRAIN_LANES"]
    passes = descriptor.source_planes
    if Flag.DOT in descriptor.flags:
        passes *= descriptor.top_bit + 1 + parameters["CODE_BITS"] * (descriptor.digit_words - 1)
    runs = 1 if Flag.SPAN in descriptor.flags else descriptor.kernel_height * descriptor.segments
    sweeps = []
    for first in range(0, descriptor.out_channels, group):
        channels = min(group, descriptor.out_channels - first)
        codes = channels if pool else descriptor.segment_codes
        sweeps.append(_Sweep(passes * runs * -(-codes // lanes), -(-channels // values) * planes))
    return sweeps


def layer_clocks(descriptor: Descriptor, parameters: Mapping[str, int]) -> LayerClocks:
    """Clocks of one layer while neither stream gaps or presses back.

    Args:
        descriptor: of a layer, not descriptor 0.
        parameters: of the accelerator.
    """
    sweeps = _sweeps_of_a_pixel(descriptor, parameters)
    pixels = descriptor.out_height * descriptor.out_width
    words = pixels * sum(sweep.words for sweep in sweeps)
    planes = descriptor.target_planes
    if Flag.SERIAL in descriptor.flags:
        # The next sweep begins in the clock behind the last sums' leaving, for all sweeps but the last.
        between = pixels * sum(_CAPTURE_TO_DRAINED + sweep.drain - planes for sweep in sweeps)
        last_word = words + between - (_CAPTURE_TO_DRAINED + sweeps[-1].drain - planes)
    else:
        # A sweep's last word is held back until the sums of the one before have left; the first waits for none.
        pace = descriptor.drain_clocks
        last_word = pixels * sum(max(sweep.words, pace) for sweep in sweeps) - max(0, pace - sweeps[0].words)
    accepted = last_word + _CAPTURE_TO_DRAINED + sweeps[-1].drain - planes + _DRAINED_TO_ACCEPTED
    done = accepted + 1 if Flag.TO_STREAM in descriptor.flags else accepted + planes + 1
    if Flag.LAST in descriptor.flags:
        done += 1  # the image is released before the next one is looked for
    return LayerClocks(max(done, _FETCH_CLOCKS) + 1, words)


def image_clocks(program: Program) -> int:
    """Clocks from image to image while the next image is always there."""
    return sum(layer_clocks(descriptor, program.parameters).clocks for descriptor in program.descriptors[1:])
