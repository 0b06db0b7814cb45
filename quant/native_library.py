"""Compiled kernels: found beside the packages, loaded with ctypes, run with the widest instructions this CPU has.

The libraries are built when hwadder is installed and link neither Python nor torch. An installation without a C++
compiler lacks them; what they compute then takes its slower road in numpy or torch, to the same result.
"""

from __future__ import annotations

import ctypes
import os
import sysconfig
import warnings
from enum import IntEnum
from pathlib import Path

from quant.errors import BadInputError

CAPABILITY_VARIABLE = "HWADDER_CPU_CAPABILITY"
"""Environment variable that holds the kernels to fewer instructions than the CPU has: `portable`, `avx2`, `avx512`."""


class Capability(IntEnum):
    """Variants of the kernels, each needing more of the CPU than the one before (capability.h)."""

    PORTABLE = 0
    AVX2 = 1
    AVX512 = 2


def find_library(package_file: str, name: str) -> ctypes.CDLL | None:
    """The library `name` in the folder of a package, given its `__file__`; None where the installation has none, or
    where the system lacks what it is linked to."""
    path = Path(package_file).with_name(name + str(sysconfig.get_config_var("EXT_SUFFIX")))
    try:
        return ctypes.CDLL(str(path))
    except OSError:
        return None


def load_library(package_file: str, name: str) -> ctypes.CDLL | None:
    """What `find_library` finds, for who then computes with it; warns where that is nothing."""
    library = find_library(package_file, name)
    if library is None:
        warnings.warn(
            f"compiled kernels {name} should be installed, or computing takes ten times as long and more; "
            "`hwadder doctor` says how",
            stacklevel=2,
        )
    return library


def capability(library: ctypes.CDLL) -> Capability:
    """The variant to run: this CPU's best, or less where `HWADDER_CPU_CAPABILITY` asks for less."""
    best = Capability(library.hwadder_best_capability())
    asked = os.environ.get(CAPABILITY_VARIABLE)
    if asked is None:
        return best
    names = [each.name.lower() for each in Capability]
    if asked not in names:
        raise BadInputError(f"{CAPABILITY_VARIABLE} must be {', '.join(names[:-1])} or {names[-1]}, not {asked!r}")
    return min(best, Capability(names.index(asked)))
