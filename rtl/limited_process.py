"""A program in a process of its own: it is followed line by line, and ended, children included, at a time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended: its exit code, all that it printed, and whether the time limit ended it."""

    code: int
    log: str
    timed_out: bool


def _end(process: subprocess.Popen[str]) -> None:
    """End the whole session: what was started may have started others."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_limited(command: Sequence[str], where: Path, time_limit_s: float, follow: Callable[[str], None]) -> Ended:
    """Run a program and wait for it.

    Args:
        command: the program and its arguments.
        where: its current folder, which its temporary files go to as well.
        time_limit_s: seconds until it and its children are ended.
        follow: told each line of stdout and stderr as it is printed.
    """
    process = subprocess.Popen(
        command,
        cwd=where,
        # Temporary files in the caller's folder, which it removes: they would stay behind when the process is ended.
        env={**os.environ, "TMPDIR": str(where)},
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    timed_out = threading.Event()

    def expire() -> None:
        timed_out.set()
        _end(process)

    timer = threading.Timer(time_limit_s, expire)
    timer.start()
    lines = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            follow(line)
        process.wait()
    finally:
        timer.cancel()
        _end(process)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return Ended(process.returncode, "".join(lines), timed_out.is_set())
