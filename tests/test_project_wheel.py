"""The wheel holds the five packages with their data, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("energy", "hwadder", "quant", "rtl", "sim")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing an earlier build left beside the sources gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist"]
    run = subprocess.run(build, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (path,) = (folder / "dist").iterdir()
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_top_level_names_are_pinned(names: set[str]) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert sorted({name.partition("/")[0] for name in names}) == sorted({*PACKAGES, f"hwadder-{version}.dist-info"})


def test_contents_pass_the_checker(wheel: Path) -> None:
    # From the copied tree, so that `package` in pyproject.toml compares with what the wheel was built from.
    check = [sys.executable, "-m", "check_wheel_contents", str(wheel)]
    run = subprocess.run(check, cwd=wheel.parent.parent, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    "pattern",
    [
        "rtl/library/*.v",
        "rtl/tables/*.csv",
        "energy/schema/*.json",
        "energy/tables/*.csv",
        "energy/templates/*",
        "hwadder/weights/*",
        "sim/benches/*.py",
        "sim/verilator/*.*",
    ],
)
def test_data_is_inside(names: set[str], pattern: str) -> None:
    expected = {path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern) if path.is_file()}
    assert expected
    assert expected <= names


def test_the_console_script_is_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert archive.read(path).decode().split("\n") == ["[console_scripts]", "hwadder = hwadder.cli:main", ""]
