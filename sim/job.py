"""What a player of printed designs is asked, and what it answers, whichever simulator it plays on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from quant.integer_network import IntArray
from rtl.design import Design
from rtl.driver import COUNTERS, LayerCounts

PROGRESS_FILE = "progress"
"""In a job's folder; grows by one byte a layer, so that a reader never meets half of an entry."""
STALL_CLOCKS = 5_000_000
"""Clocks without progress after which a design hangs: above the longest layer of any network that fits."""
TIMEOUT_S = 6 * 3600.0
"""Wall-clock limit of a job, for logic that oscillates for ever."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first element in which the simulated design differs from the golden model."""

    image: int
    layer: str
    channel: int
    row: int
    column: int
    expected: int
    actual: int | str
    waveform: str | None

    def sentence(self) -> str:
        """What a person needs to find it."""
        return (
            f"layer {self.layer} must equal the golden model, not differ in image {self.image} at channel "
            f"{self.channel}, row {self.row}, column {self.column}: expected {self.expected}, actual {self.actual}; "
            f"waveform: {self.waveform}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Some of the images, played back to back in one simulator.

    Attributes:
        folder: where everything that the job writes goes; it must not exist yet.
        codes: input codes (N, C, H, W).
        first_image: number of the first of them, for messages.
        gap_percent: share of clocks in which either stream pauses.
        waves: keep a waveform.
    """

    folder: Path
    codes: IntArray
    first_image: int
    gap_percent: int
    waves: bool

    @property
    def layers_done(self) -> int:
        """Layers compared so far, over all images."""
        file = self.folder / PROGRESS_FILE
        return file.stat().st_size if file.is_file() else 0


@dataclass(frozen=True, slots=True)
class Played:
    """What a job showed.

    Attributes:
        values_compared: values that were equal.
        cycles: of each image that came to its end, clocks from its first layer's beginning to its last output accepted.
        classes: argmax of each image; None when the network has none.
        mismatch: the first difference, its waveform left open; None when all values are equal.
        waveform: where it lies, when one was asked for.
        counters: of every layer of the last image, as read from the registers; empty when it did not come to its end.
    """

    values_compared: int
    cycles: tuple[int, ...]
    classes: tuple[int, ...] | None
    mismatch: Mismatch | None
    waveform: Path | None
    counters: tuple[LayerCounts, ...]


def layer_counts(words: Sequence[int]) -> tuple[LayerCounts, ...]:
    """Counters of the layers, which stand beside each other in `words`."""
    return tuple(LayerCounts(*words[first : first + len(COUNTERS)]) for first in range(0, len(words), len(COUNTERS)))


class Player(Protocol):
    """A design on a simulator, ready to play; jobs may be played in several threads at once."""

    def play(self, job: Job) -> Played:
        """Play a job to its end or its first difference.

        Raises MismatchError when the design fails in a way that names no element: it hangs, or a stream breaks its
        protocol.
        """
        ...


def prepare_folder(design: Design, folder: Path) -> Path:
    """Make a folder to run a design in, which reads its memory images relative to it; returns its absolute path."""
    folder.mkdir(parents=True)
    (folder / "memory").symlink_to((design.folder / "memory").resolve(), target_is_directory=True)
    return folder.resolve()
