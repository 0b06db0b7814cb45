"""Compiling a printed design with Verilator, and `main.cpp` with it, to a program that plays images."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from quant.errors import BadInputError
from rtl.design import Design
from rtl.lint import verilator_command
from sim.process import log_tail, run_logged

MAIN = Path(__file__).resolve().parent / "main.cpp"
PREFIX = "Vdesign"
"""Of the C++ class that Verilator writes: `main.cpp` names it, whatever the design's top module is called."""
MAKE_VARIABLES: Mapping[str, str] = {
    "CXX": "g++",
    "LINK": "g++",
    # The wheel was configured on a machine of its own: its compiler took a precompiled header as an argument, g++ wants
    # an option before it, and its Python is at a path that no other machine has.
    "CFG_CXXFLAGS_PCH_I": "-include",
    "PYTHON3": shlex.quote(sys.executable),
}
_VERILATOR_OPTIONS = (
    "-O3",
    "--no-timing",
    "--x-assign",
    "fast",
    # With random values at the start, a design that relies on what it never set shows it; costs nothing afterwards.
    "--x-initial",
    "unique",
    "-Wno-fatal",  # what -Wall has to say about the Verilog is the business of rtl.lint
)
_OPTIMISATION = "-O2"
"""-O3 and -march=native gained nothing on the official ResNet-20; this compiles faster."""
_WAVES_OPTIMISATION = "-O1"
"""Writing the waveform takes most of the time there."""
_TIMEOUT_S = 1800.0


def build(design: Design, folder: Path, *, waves: bool = False, jobs: int | None = None) -> Path:
    """Compile the design in `folder`, which must not exist; returns the program.

    Args:
        design: a printed design; its memory images are read when the program starts, not here.
        folder: for the program and `build.log`.
        waves: able to write a waveform; takes longer to compile and runs slower.
        jobs: compilers at once; default one per processor.

    Raises:
        BadInputError: when the design does not compile.
        MissingToolError: when the Python package verilator is not installed.
    """
    folder.mkdir(parents=True)
    folder = folder.resolve()
    log_path = folder / "build.log"
    verilator = verilator_command()
    optimisation = _WAVES_OPTIMISATION if waves else _OPTIMISATION
    variables = {
        **MAKE_VARIABLES,
        "OPT_FAST": optimisation,
        "OPT_GLOBAL": "-O1",  # Verilator's own library, hardly used between clocks
        "OPT_SLOW": "-O0",  # runs once, at the start
    }
    translate: list[str | Path] = [
        *(verilator.program, "--cc", "--exe", *_VERILATOR_OPTIONS),
        *(("--trace-vcd",) if waves else ()),
        *("--top-module", design.top, "--prefix", PREFIX, "--Mdir", ".", "-o", design.top),
        *(f"design/{source}" for source in design.sources),
        MAIN.name,
    ]
    compile_all: list[str | Path] = [
        *("make", "-j", str(jobs or os.cpu_count() or 1), "-f", f"{PREFIX}.mk"),
        *(f"{name}={value}" for name, value in variables.items()),
        design.top,
    ]
    # GNU make knows no folder whose name holds a space, as the design's and the packages' may: it sees links to them.
    with tempfile.TemporaryDirectory(prefix="hwadder-") as name:
        workshop = Path(name)
        shutil.copy(MAIN, workshop)
        (workshop / "design").symlink_to(design.folder.resolve(), target_is_directory=True)
        (workshop / "verilator").symlink_to(verilator.environment["VERILATOR_ROOT"], target_is_directory=True)
        environment = {**verilator.environment, "VERILATOR_ROOT": str(workshop / "verilator")}
        try:
            for command in (translate, compile_all):
                run_logged(command, folder=workshop, environment=environment, log_path=log_path, timeout_s=_TIMEOUT_S)
        except subprocess.CalledProcessError as error:
            raise BadInputError(f"design {design.top} must compile, not fail with:\n{log_tail(log_path)}") from error
        except subprocess.TimeoutExpired as error:
            raise BadInputError(f"design {design.top} must compile within {_TIMEOUT_S:g} s, not take longer") from error
        return Path(shutil.copy(workshop / design.top, folder))
