from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

import hwadder
import quant
from quant.errors import BadInputError
from quant.native_library import CAPABILITY_VARIABLE, Capability, capability, load_library

LIBRARIES = [(quant.__file__, "_integer_kernels"), (hwadder.__file__, "_adder_kernels")]


def loaded(package_file: str | None, name: str) -> ctypes.CDLL:
    assert package_file is not None
    library = load_library(package_file, name)
    # The tests' installation has a compiler, so a library that is missing is one that failed to build.
    assert library is not None, f"{name} must be built, not missing: make setup"
    return library


@pytest.mark.parametrize(("package_file", "name"), LIBRARIES, ids=["quant", "hwadder"])
def test_the_best_variant_is_what_the_cpu_flags_say(package_file: str, name: str) -> None:
    flags = Path("/proc/cpuinfo").read_text().split("flags", 1)[1].split("\n", 1)[0].split()
    v3 = {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"} <= set(flags)
    v4 = v3 and {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags)
    expected = Capability.AVX512 if v4 else Capability.AVX2 if v3 else Capability.PORTABLE
    assert capability(loaded(package_file, name)) is expected


def test_the_environment_asks_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPABILITY_VARIABLE, "portable")
    assert capability(loaded(*LIBRARIES[0])) is Capability.PORTABLE


def test_an_unknown_variant_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPABILITY_VARIABLE, "sse2")
    with pytest.raises(BadInputError) as error:
        capability(loaded(*LIBRARIES[0]))
    assert str(error.value) == "HWADDER_CPU_CAPABILITY must be portable, avx2 or avx512, not 'sse2'"


def test_a_library_that_was_not_built_is_none(tmp_path: Path) -> None:
    assert load_library(str(tmp_path / "__init__.py"), "_integer_kernels") is None
