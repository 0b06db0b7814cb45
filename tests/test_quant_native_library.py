from __future__ import annotations

import ctypes
import sysconfig
from pathlib import Path

import pytest

import hwadder
import quant
from quant.errors import BadInputError
from quant.native_library import CAPABILITY_VARIABLE, Capability, capability, find_library, load_library

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
    avx2 = {"avx2", "fma"} <= set(flags)
    avx512 = avx2 and {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= set(flags)
    expected = Capability.AVX512 if avx512 else Capability.AVX2 if avx2 else Capability.PORTABLE
    assert capability(loaded(package_file, name)) is expected


def test_the_environment_asks_for_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPABILITY_VARIABLE, "portable")
    assert capability(loaded(*LIBRARIES[0])) is Capability.PORTABLE


def test_an_unknown_variant_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAPABILITY_VARIABLE, "sse2")
    with pytest.raises(BadInputError) as error:
        capability(loaded(*LIBRARIES[0]))
    assert str(error.value) == "HWADDER_CPU_CAPABILITY must be portable, avx2 or avx512, not 'sse2'"


@pytest.mark.parametrize("content", [None, b"no library"], ids=["not built", "broken"])
def test_a_library_that_is_not_there_is_none_and_warned_of(content: bytes | None, tmp_path: Path) -> None:
    package_file = str(tmp_path / "__init__.py")
    if content is not None:
        (tmp_path / f"_integer_kernels{sysconfig.get_config_var('EXT_SUFFIX')}").write_bytes(content)
    assert find_library(package_file, "_integer_kernels") is None
    sentence = (
        "^compiled kernels _integer_kernels should be installed, or computing takes ten times as long and more; "
        "`hwadder doctor` says how$"
    )
    with pytest.warns(UserWarning, match=sentence):
        assert load_library(package_file, "_integer_kernels") is None
