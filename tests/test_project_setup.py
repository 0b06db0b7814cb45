"""The Makefile explains itself, and setting up says what it may not install."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
INSTALL = ".ci/install-tools"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder of programs to be all of PATH: shell, compiler and browser, no package manager, no simulator."""
    for name in ("bash", "cut", "env"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    for name in ("chromium", "g++", "make", "python3"):
        put_program(tmp_path, name, "exit 0")
    put_program(tmp_path, "sudo", 'exec "$@"')
    return tmp_path


def put_program(folder: Path, name: str, body: str) -> None:
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)


def install_tools(machine: Path) -> tuple[int, str]:
    run = subprocess.run(
        [shutil.which("bash") or "bash", INSTALL],
        cwd=ROOT,
        env={"PATH": str(machine)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stderr.strip().split("\n")[-1]


def test_nothing_is_installed_twice(machine: Path) -> None:
    put_program(machine, "iverilog", "exit 0")
    put_program(machine, "vvp", "exit 0")
    assert install_tools(machine) == (0, "")


@pytest.mark.parametrize("refusal", ["absent", "refused"])
def test_without_a_package_manager_the_command_is_named(machine: Path, refusal: str) -> None:
    if refusal == "refused":
        put_program(machine, "apt-get", "exit 100")
    assert install_tools(machine) == (
        3,
        "error: iverilog must be installed, not missing; "
        "run as root: apt-get update && apt-get install -y --no-install-recommends iverilog",
    )


def test_the_package_manager_is_asked(machine: Path) -> None:
    log = machine / "log"
    put_program(machine, "apt-get", f'echo "$@" >> {log}')
    assert install_tools(machine) == (0, "installing iverilog with the system's package manager")
    assert log.read_text().split("\n") == ["update -qq", "install -y --no-install-recommends iverilog -qq", ""]


def test_a_missing_compiler_is_installed(machine: Path) -> None:
    put_program(machine, "iverilog", "exit 0")
    put_program(machine, "vvp", "exit 0")
    (machine / "g++").unlink()
    (machine / "make").unlink()
    assert install_tools(machine) == (
        3,
        "error: g++ make must be installed, not missing; "
        "run as root: apt-get update && apt-get install -y --no-install-recommends g++ make",
    )


def test_a_missing_browser_is_installed(machine: Path) -> None:
    put_program(machine, "iverilog", "exit 0")
    put_program(machine, "vvp", "exit 0")
    (machine / "chromium").unlink()
    assert install_tools(machine) == (
        3,
        "error: chromium must be installed, not missing; "
        "run as root: apt-get update && apt-get install -y --no-install-recommends chromium",
    )


def test_an_old_python_is_named(machine: Path) -> None:
    put_program(machine, "iverilog", "exit 0")
    put_program(machine, "vvp", "exit 0")
    put_program(machine, "python3", '[[ "$*" == -V ]] && echo Python 3.9.2; [[ "$*" != *version_info* ]]')
    assert install_tools(machine) == (3, "error: python3 must be version 3.11 or newer, not 3.9.2")


def test_make_alone_explains_every_verb() -> None:
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    explained = re.findall(r"^make (\w+) +\S", run.stdout, flags=re.MULTILINE)
    assert explained == ["help", "setup", "demo", "test", "slow", "triton", "gpu", "lint", "wheel", "clean"]


def test_every_requirement_is_pinned_to_what_is_installed() -> None:
    tested, fmax = (
        dict(line.split("==") for line in part.splitlines() if "==" in line)
        for part in (ROOT / "constraints.txt").read_text().split("# What the extra fmax brings")
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    waiting = [Requirement(line) for line in [*project["dependencies"], *project["optional-dependencies"]["test"]]]
    brought: dict[str, str] = {}
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name not in brought and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            # A local label such as torch's +cpu says how the same version was built.
            brought[name] = metadata.version(name).partition("+")[0]
            waiting += [Requirement(line) for line in metadata.requires(name) or []]
    assert tested == brought
    # Not installed here, so not followed further.
    extras = [line for extra in ("export", "fmax", "gpu") for line in project["optional-dependencies"][extra]]
    assert {Requirement(line).name for line in extras} <= {*tested, *fmax}
    assert not tested.keys() & fmax.keys()
