"""Yosys as a function: a script runs in a process of its own, within a time limit, and its figures come back."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import BadInputError, MissingToolError
from rtl.limited_process import run_limited

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
        # -P: a folder `pyosys` of the caller's is not ours.
        command = [sys.executable, "-P", "-c", _PROGRAM, "script.ys"]

        def follow(line: str) -> None:
            found = _PASS.match(line)
            if found:
                progress(found[1])

        ended = run_limited(command, where, time_limit_s, follow)
        log = ended.log
        if ended.timed_out:
            raise YosysTimeoutError(f"Yosys must end within {time_limit_s:g} s, not run on")
        if ended.code != 0:
            errors = [line for line in log.splitlines() if "ERROR" in line] or log.strip().splitlines()[-1:]
            message = errors[-1].removeprefix("ERROR: ") if errors else f"exit code {ended.code}"
            raise YosysError(message, log)
        statistics = {
            path.name.removesuffix(".statistics.json"): json.loads(path.read_text())
            for path in where.glob("*.statistics.json")
        }
    return YosysRun(log, statistics)
