"""The README's commands run as they stand."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
PUBLISHED = next(position for position, command in enumerate(COMMANDS) if "$HWADDER_DATA" in command)
"""Where the block starts that needs published files; it ends with the energy of resnet20."""


def run(commands: list[str], folder: Path, data: str) -> None:
    """Run commands in order, in a folder that shows the shipped weights and the examples where the README has them."""
    for shown in ("hwadder", "examples"):
        (folder / shown).symlink_to(ROOT / shown, target_is_directory=True)
    environment = {**os.environ, "HWADDER_DATA": data, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        words = [word.replace("$HWADDER_DATA", data) for word in shlex.split(command)]
        done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


def test_every_command_is_known() -> None:
    verbs = set(re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in COMMANDS:
        program, verb = command.split()[:2]
        assert program in ("make", "hwadder")
        assert program != "make" or verb in verbs
    assert len(COMMANDS) > 10


def test_no_page_has_a_gap_left_to_fill() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("**/*.md")]
    gaps = {page.name: found for page in pages if (found := re.findall(r"@[A-Z]+@", page.read_text()))}
    assert gaps == {}


# Several whole chains in a row: the guard against hangs must not bite on a slow machine.
@pytest.mark.long
@pytest.mark.timeout(1500)
def test_commands_that_need_nothing(tmp_path: Path) -> None:
    published = COMMANDS.index("hwadder energy resnet20")
    run(
        [
            command
            for position, command in enumerate(COMMANDS)
            if command.startswith("hwadder") and not PUBLISHED <= position <= published
        ],
        tmp_path,
        "",
    )
    assert (tmp_path / "build" / "lenet5.html").is_file()
    assert (tmp_path / "build" / "lenet5" / "vectors" / "testbench.v").is_file()
    assert (tmp_path / "build" / "own" / "report.html").is_file()


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_commands_on_the_reference_checkpoint(tmp_path: Path, data_folder: Path) -> None:
    run(COMMANDS[PUBLISHED : COMMANDS.index("hwadder energy resnet20") + 1], tmp_path, str(data_folder))
    assert (tmp_path / "build" / "resnet20" / "design.json").is_file()
