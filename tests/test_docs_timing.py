"""docs/hardware.md: its timing diagrams show what a simulation shows, and its register map is the driver's."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

from rtl import driver
from rtl.driver import COUNTERS, PARAMETERS, Control, Error, Event, Memory, Register, Status

ROOT = Path(__file__).resolve().parent.parent
DRAWN = ROOT / "docs" / "timing"
PAGE = (ROOT / "docs" / "hardware.md").read_text()
REGISTERS = PAGE[PAGE.index("## Registers\n") : PAGE.index("## Timing\n")]


def test_diagrams_show_what_is_simulated(tmp_path: Path) -> None:
    command = [sys.executable, "docs/draw_timing.py", "--data-only", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, expected = (
        {file.stem: json.loads(file.read_text()) for file in at.glob("*.json")} for at in (tmp_path, DRAWN)
    )
    assert found == expected


def test_each_drawing_is_of_its_data_and_on_the_page() -> None:
    names = {file.stem for file in DRAWN.glob("*.json")}
    assert names == {file.stem for file in DRAWN.glob("*.svg")} == set(re.findall(r"\(timing/(\w+)\.svg\)", PAGE))
    for name in names:
        digest = hashlib.sha256((DRAWN / f"{name}.json").read_bytes()).hexdigest()
        assert (DRAWN / f"{name}.svg").read_text().startswith(f"<!-- data SHA-256 {digest} -->\n"), name


def test_the_register_table_is_the_drivers() -> None:
    rows = re.findall(r"^\| `(0x\w+)` \| `(\w+)` \| (\w+) \| (.+) \|$", REGISTERS, re.MULTILINE)
    assert rows == [(f"0x{each:02x}", each.name, each.access, each.meaning) for each in Register]


def test_the_bits_are_the_drivers() -> None:
    rows = dict(re.findall(r"^\| `(\w+)`.* \| (`[A-Z_]+` \d.*) \|$", REGISTERS, re.MULTILINE))
    assert rows == {
        name: ", ".join(f"`{flag.name}` {flag.value}" for flag in flags)
        for name, flags in {
            "CONTROL": Control,
            "STATUS": Status,
            "ERRORS": Error,
            "EVENTS": Event,
            "LOAD": Memory,
        }.items()
    }


def test_parameters_and_counters_stand_in_their_order() -> None:
    parameters = REGISTERS[REGISTERS.index("**Parameters.**") : REGISTERS.index("**Counters.**")]
    assert tuple(re.findall(r"`([A-Z_]+)`", parameters)) == PARAMETERS
    assert f"`0x{driver.PARAMETER_BASE:x} + 4 i`" in parameters
    assert f"`0x{driver.COUNTER_BASE:x} + {driver.ROW_BYTES} n`" in REGISTERS
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", REGISTERS, re.MULTILINE)
    assert rows == [(str(8 * index), name) for index, name in enumerate(COUNTERS)]
