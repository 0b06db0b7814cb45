"""Times of several ways to compute the same, taken in turn so that a busy machine slows all of them alike."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch


@dataclass(frozen=True, slots=True)
class Timing:
    """Median milliseconds of one form, and the median over the rounds of its time over the baseline's."""

    form: str
    ms: float
    ratio: float


def timings(forms: Mapping[str, Callable[[], object]], baseline: str, rounds: int) -> list[Timing]:
    """Every form twice a round, the second time on the clock: a form that frees gigabytes leaves its neighbour to fault
    them in again. One thread is timed by the processor time it took, several by the clock on the wall."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds):
        for name, form in forms.items():
            form()
            start = clock()
            form()
            seconds[name].append(clock() - start)
    base = seconds[baseline]
    return [
        Timing(
            name,
            1e3 * statistics.median(times),
            statistics.median(one / other for one, other in zip(times, base, strict=True)),
        )
        for name, times in seconds.items()
    ]


def use_threads(count: int) -> None:
    """Compute with so many threads; a single one stays on one processor."""
    torch.set_num_threads(count)
    processors = sorted(ALL_PROCESSORS)
    os.sched_setaffinity(0, processors[-1:] if count == 1 else processors)


def machine() -> str:
    """What was measured on, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    cpu = {name.strip(): value.strip() for name, value in fields.items()}
    return (
        f"{cpu['model name']} (family {cpu['cpu family']}, model {cpu['model']}), {len(ALL_PROCESSORS)} processors, "
        f"Python {platform.python_version()}, torch {torch.__version__}"
    )


ALL_PROCESSORS = os.sched_getaffinity(0)
