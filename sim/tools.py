"""The simulator that the benches run on: which version is installed, and the command that installs it."""

from __future__ import annotations

import re
import shutil
import subprocess

from quant.errors import MissingToolError

INSTALL_ICARUS = "apt-get install -y --no-install-recommends iverilog"
OLDEST_ICARUS_MAJOR = 11  # cocotb 2.1 asks for it


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
