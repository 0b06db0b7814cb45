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
"""From a sweep's last word to its first sums leaving, without the registers in the lanes' trees."""
_DRAINED_TO_ACCEPTED = 7
"""From sums leaving to their results accepted."""


@dataclass(frozen=True, slots=True)
class LayerClocks:
    """Clocks of one descriptor.

    Attributes:
        clocks: from its beginning to the next layer's.
        running: of these, those to its end: an image's last layer ends before the next image is taken up.
        words: clocks in which a word of operands is issued.
    """

    clocks: int
    running: int
    words: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep does.

    Attributes:
        words: that it issues.
        leaving: portions in which its sums leave, each with a word of affine records.
        drain: clocks they take to.
        busy_lanes: lanes with a tap, summed over its words.
    """

    words: int
    leaving: int
    drain: int
    busy_lanes: int


def sweeps_of_a_pixel(descriptor: Descriptor, parameters: Mapping[str, int]) -> list[Sweep]:
    """The sweeps of an output pixel, one for each group of output channels."""
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
        taps = codes if pool else codes * channels
        if Flag.SPLIT in descriptor.flags:
            taps *= 2
        leaving = -(-channels // values)
        sweeps.append(Sweep(passes * runs * -(-codes // lanes), leaving, leaving * planes, passes * runs * taps))
    return sweeps


def layer_clocks(descriptor: Descriptor, parameters: Mapping[str, int]) -> LayerClocks:
    """Clocks of one layer while neither stream gaps or presses back.

    Args:
        descriptor: of a layer, not descriptor 0.
        parameters: of the accelerator.
    """
    sweeps = sweeps_of_a_pixel(descriptor, parameters)
    pixels = descriptor.out_height * descriptor.out_width
    words = pixels * sum(sweep.words for sweep in sweeps)
    planes = descriptor.target_planes
    to_drained = _CAPTURE_TO_DRAINED + (0 if Flag.POOL in descriptor.flags else parameters["TREE_STAGES"])
    if Flag.SERIAL in descriptor.flags:
        # The next sweep begins in the clock behind the last sums' leaving, for all sweeps but the last.
        between = pixels * sum(to_drained + sweep.drain - planes for sweep in sweeps)
        last_word = words + between - (to_drained + sweeps[-1].drain - planes)
    else:
        # A sweep's last word is held back until the sums of the one before have left; the first waits for none.
        pace = descriptor.drain_clocks
        last_word = pixels * sum(max(sweep.words, pace) for sweep in sweeps) - max(0, pace - sweeps[0].words)
    accepted = last_word + to_drained + sweeps[-1].drain - planes + _DRAINED_TO_ACCEPTED
    done = accepted + 1 if Flag.TO_STREAM in descriptor.flags else accepted + planes + 1
    if Flag.LAST in descriptor.flags:
        # The image is released before the next one is looked for.
        return LayerClocks(max(done + 1, _FETCH_CLOCKS) + 1, done + 1, words)
    clocks = max(done, _FETCH_CLOCKS) + 1
    return LayerClocks(clocks, clocks, words)


def image_clocks(program: Program) -> int:
    """Clocks from image to image while the next image is always there."""
    return sum(layer_clocks(descriptor, program.parameters).clocks for descriptor in program.descriptors[1:])
