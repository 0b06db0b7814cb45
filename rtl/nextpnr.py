"""nextpnr as a function: a mapped netlist is placed and routed on a device, and the clock rate comes back."""

from __future__ import annotations

import enum
import importlib.util
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quant.errors import MissingToolError
from rtl.limited_process import run_limited

INSTALL_NEXTPNR = "pip install 'hwadder[fmax]'"
NETLIST_FILE = "netlist.json"

_REPORT_FILE = "report.json"
_STEP = re.compile(r"^Info: ((?:Packing|Promoting|Placing|Creating|Running|Routing)\b[^.,(\d]*)")
_USED = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)
_NO_PLACE = re.compile(r"no BELs remaining|[Uu]nable to find (?:a )?legal placement")
_OUTSIDE = "<async>"
"""nextpnr's name for where a path begins or ends that no clock governs."""


@dataclass(frozen=True, slots=True)
class Device:
    """An FPGA to place on.

    Attributes:
        name: for people, with what decides its speed.
        program: the nextpnr for its family.
        options: that choose it, and let pins lie anywhere.
    """

    name: str
    program: str
    options: tuple[str, ...]


class Outcome(enum.StrEnum):
    """How place and route ended."""

    ROUTED = "routed"
    DOES_NOT_FIT = "does not fit"
    NOT_FINISHED = "not finished"


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The slowest way from a register to a register.

    Attributes:
        start: cell and port that the signal leaves.
        end: cell and port that it must reach before the next clock.
        delay_ns: from clock edge to clock edge, set-up time included.
        routing_ns: the part of it that is wires.
    """

    start: str
    end: str
    delay_ns: float
    routing_ns: float


@dataclass(frozen=True, slots=True)
class ClockRate:
    """What place and route on one device gave.

    Attributes:
        device: its name.
        outcome: how it ended; the two figures below are None unless it is `ROUTED`.
        fmax_mhz: highest clock rate at which every path from register to register is fast enough.
        path: the path that limits it.
        reason: what the device has too few of, where the module does not fit.
    """

    device: str
    outcome: Outcome
    fmax_mhz: float | None = None
    path: CriticalPath | None = None
    reason: str = ""


class NextpnrError(RuntimeError):
    """nextpnr refused a netlist for another reason than that it does not fit; the message is its own last error."""


def nextpnr_command(program: str) -> list[str]:
    """The command that runs the nextpnr of a family: a program of the system's, or the package that pip installs.

    Raises MissingToolError with the command that installs it where there is neither.
    """
    found = shutil.which(program)
    if found is not None:
        return [found]
    name = program.replace("-", "_")
    package = f"yowasp_{name}"
    if importlib.util.find_spec(package) is None:
        raise MissingToolError(f"place and route tool {program} must be installed, not missing: `{INSTALL_NEXTPNR}`")
    # -P: a folder of that name of the caller's is not ours.
    run = f"import sys, {package}; sys.exit({package}.run_{name}(sys.argv[1:]))"
    return [sys.executable, "-P", "-c", run]


def place_and_route(
    netlist: str,
    device: Device,
    *,
    time_limit_s: float,
    progress: Callable[[str], None] = lambda _step: None,
) -> ClockRate:
    """Place and route a netlist of a family's cells, as Yosys' `write_json` gives it.

    Args:
        netlist: the JSON text.
        device: what to place on.
        time_limit_s: seconds until it is ended, which is an outcome and no error.
        progress: told each step as it starts.

    Raises:
        MissingToolError: without the device's nextpnr.
        NextpnrError: when it fails, but not because the netlist is too large.
    """
    command = nextpnr_command(device.program)
    # Relative paths: to the packaged nextpnr the system's temporary folder is another.
    options = ("--json", NETLIST_FILE, "--report", _REPORT_FILE, "--timing-allow-fail", "--seed", "1")
    with tempfile.TemporaryDirectory(prefix="hwadder-nextpnr-") as name:
        where = Path(name)
        (where / NETLIST_FILE).write_text(netlist, encoding="utf-8")

        def follow(line: str) -> None:
            found = _STEP.match(line)
            if found:
                progress(found[1].strip())

        ended = run_limited([*command, *device.options, *options], where, time_limit_s, follow)
        if ended.timed_out:
            return ClockRate(device.name, Outcome.NOT_FINISHED)
        if ended.code != 0:
            return _refused(device, ended.log)
        report = json.loads((where / _REPORT_FILE).read_text(encoding="utf-8"))
    fmax_mhz, path = timing(report)
    return ClockRate(device.name, Outcome.ROUTED, fmax_mhz, path)


def _refused(device: Device, log: str) -> ClockRate:
    """The outcome of a log that ends in an error; raises NextpnrError when it is not one of size."""
    short = [
        f"{int(used):,} {cell} of {int(available):,}"
        for cell, used, available in _USED.findall(log)
        if int(used) > int(available)
    ]
    errors = [line.removeprefix("ERROR: ") for line in log.splitlines() if line.startswith("ERROR")]
    message = errors[-1] if errors else log.strip().splitlines()[-1] if log.strip() else "no message"
    if not short and not _NO_PLACE.search(message):
        raise NextpnrError(message)
    return ClockRate(device.name, Outcome.DOES_NOT_FIT, reason=", ".join(dict.fromkeys(short)) or message)


def timing(report: Mapping[str, Any]) -> tuple[float, CriticalPath | None]:
    """Clock rate in MHz and critical path of a report: of the slowest clock, and from register to register.

    Raises NextpnrError when the report knows no clock.
    """
    rates = [float(clock["achieved"]) for clock in report["fmax"].values()]
    if not rates:
        raise NextpnrError("the report has no clock")
    paths = [
        _critical_path(entry["path"])
        for entry in report["critical_paths"]
        if _OUTSIDE not in (entry["from"], entry["to"]) and entry["path"]
    ]
    return min(rates), max(paths, key=lambda path: path.delay_ns, default=None)


def _critical_path(steps: list[dict[str, Any]]) -> CriticalPath:
    start, end = (f"{place['cell']}.{place['port']}" for place in (steps[0]["from"], steps[-1]["to"]))
    routing_ns = sum(float(step["delay"]) for step in steps if step["type"] == "routing")
    return CriticalPath(start, end, round(sum(float(step["delay"]) for step in steps), 3), round(routing_ns, 3))
