"""Yosys as a function: a script runs in a process of its own, within a time limit, and its figures come back."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from quant.errors import BadInputError, MissingToolError

INSTALL_YOSYS = "pip install 'hwadder[synth]'"
_PASS = re.compile(r"^[\d.]+ Executing (\w+)")
# A process of its own: a failing pass ends the process that it runs in, and nothing else can stop the mapper abc.
_PROGRAM = "import sys; from pyosys import libyosys; libyosys.Design().run_pass('script ' + sys.argv[1])"


class YosysError(RuntimeError):
    """Yosys refused a script; the message is its own last error, `log` all that it printed."""

    def __init__(self, message: str, log: str = "") -> None:
        super().__init__(message)
        self.log = log


class YosysTimeoutError(RuntimeError):
    """A script was still running at its time limit and was ended."""


@dataclass(frozen=True, slots=True)
class YosysRun:
    """What a script left.

    Attributes:
        log: everything that Yosys printed.
        statistics: the objects of the script's `stat` lines (see `statistics_line`) by name.
    """

    log: str
    statistics: dict[str, dict[str, Any]]

    def cells(self, name: str) -> dict[str, int]:
        """Cells by type of the whole design in one statistic."""
        counted = self.statistics[name]["design"].get("num_cells_by_type", {})
        return {str(cell): _number(entry) for cell, entry in counted.items()}


def _number(entry: Any) -> int:
    return int(entry["count"] if isinstance(entry, dict) else entry)


def quoted(path: Path | str) -> str:
    """A path as a word of a script; raises BadInputError for what no script can hold."""
    text = str(path)
    if any(character in text for character in '"\n\r'):
        raise BadInputError(f"path for Yosys must be without quotes and line breaks, not {text!r}")
    return f'"{text}"'


def statistics_line(name: str, options: str = "") -> str:
    """A script line that counts the design's cells under `name`."""
    return f"tee -q -o {name}.statistics.json stat -json {options}".rstrip()


def require_yosys() -> None:
    """Raise MissingToolError, with the command that installs it, where the Python package pyosys is missing."""
    if importlib.util.find_spec("pyosys") is None:
        raise MissingToolError(f"synthesis tool Yosys (pyosys) must be installed, not missing: `{INSTALL_YOSYS}`")


def _end(process: subprocess.Popen[str]) -> None:
    """End the whole session: the mapper is a child of the process that was started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def run_yosys(
    script: Sequence[str],
    *,
    time_limit_s: float,
    images: Path | None = None,
    progress: Callable[[str], None] = lambda _name: None,
) -> YosysRun:
    """Run a script of Yosys commands, one a line.

    Args:
        script: the commands; it runs in a temporary folder, so paths are absolute.
        time_limit_s: seconds until it is ended, the mapper included.
        images: folder whose contents are shown in the temporary one, where `$readmemh` finds memory images.
        progress: told the name of each pass as it starts.

    Raises:
        MissingToolError: without the Python package pyosys.
        YosysError: when a command fails, with the last line that Yosys said.
        YosysTimeoutError: at the time limit.
    """
    require_yosys()
    if time_limit_s <= 0:
        raise BadInputError(f"time limit must be positive, not {time_limit_s} s")
    with tempfile.TemporaryDirectory(prefix="hwadder-yosys-") as name:
        where = Path(name)
        if images is not None:
            for entry in images.resolve().iterdir():
                (where / entry.name).symlink_to(entry)
        (where / "script.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
        process = subprocess.Popen(
            # -P: a folder `pyosys` of the caller's is not ours.
            [sys.executable, "-P", "-c", _PROGRAM, "script.ys"],
            cwd=where,
            # The mapper's own temporary files too, which would stay behind when it is ended.
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
        try:
            assert process.stdout is not None
            log = _followed(process.stdout, progress)
            process.wait()
        finally:
            timer.cancel()
            _end(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if timed_out.is_set():
            raise YosysTimeoutError(f"Yosys must end within {time_limit_s:g} s, not run on")
        if process.returncode != 0:
            errors = [line for line in log.splitlines() if "ERROR" in line] or log.strip().splitlines()[-1:]
            message = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {process.returncode}"
            raise YosysError(message, log)
        statistics = {
            path.name.removesuffix(".statistics.json"): json.loads(path.read_text())
            for path in where.glob("*.statistics.json")
        }
    return YosysRun(log, statistics)


def _followed(stream: IO[str], progress: Callable[[str], None]) -> str:
    lines = []
    for line in stream:
        lines.append(line)
        found = _PASS.match(line)
        if found:
            progress(found[1])
    return "".join(lines)
