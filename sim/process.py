"""Starting a program in a folder with bounds on its time and memory, and what it prints in a file."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

MEMORY_BYTES = 4 << 30
"""Address space of one program: a recursion without an end would take all there is."""
_TAIL_LINES = 12


def run_logged(
    command: Sequence[str | Path],
    *,
    folder: os.PathLike[str] | str,
    environment: Mapping[str, str],
    log_path: Path,
    timeout_s: float,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Run `command` in `folder` and append what it prints to `log_path`.

    Raises subprocess.CalledProcessError on another exit code than 0, subprocess.TimeoutExpired after `timeout_s`.
    """
    with log_path.open("ab") as log:
        subprocess.run(
            # prlimit bounds what the command starts as well, as a compiler's driver starts the compiler.
            ("prlimit", f"--as={memory_bytes}", *command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=True,
        )


def log_tail(log_path: Path) -> str:
    """The last lines of a log, where a program says why it stopped."""
    lines = log_path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
