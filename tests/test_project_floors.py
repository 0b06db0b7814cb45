"""An import may only go down, and torch stays on the top floor."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Who may import which of our packages, besides itself.
MAY_IMPORT = {
    "quant": set[str](),
    "rtl": {"quant"},
    "sim": {"quant", "rtl"},
    "energy": {"quant"},
    "hwadder": {"quant", "rtl", "sim", "energy"},
}
TORCH = {"torch", "torchvision", "functorch"}


def imported_names(source: str) -> set[str]:
    """Top-level names of all modules that a Python source imports, at any depth."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return names


def may_import(package: str, name: str) -> bool:
    if name in MAY_IMPORT:
        return name == package or name in MAY_IMPORT[package]
    if package == "quant":
        return name == "numpy" or name in sys.stdlib_module_names
    return package == "hwadder" or name not in TORCH


def violations(root: Path) -> list[str]:
    """`file imports name` for every import below `root` that the table does not allow."""
    return [
        f"{path.relative_to(root)} imports {name}"
        for package in MAY_IMPORT
        for path in sorted((root / package).rglob("*.py"))
        for name in sorted(imported_names(path.read_text()))
        if not may_import(package, name)
    ]


def test_every_import_goes_down() -> None:
    assert violations(ROOT) == []


def test_every_package_was_read() -> None:
    assert [package for package in MAY_IMPORT if not list((ROOT / package).glob("*.py"))] == []


@pytest.mark.parametrize(
    ("file", "source", "name"),
    [
        ("quant/grid.py", "import scipy.stats", "scipy"),
        ("quant/deep/grid.py", "def late():\n    from rtl import generator", "rtl"),
        ("rtl/generator.py", "import sim.runner as runner", "sim"),
        ("sim/benches/bench_lane.py", "import torch", "torch"),
        ("energy/report.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import hwadder", "hwadder"),
        ("energy/counts.py", "from rtl.cycles import Cycles", "rtl"),
    ],
)
def test_a_planted_import_is_found(tmp_path: Path, file: str, source: str, name: str) -> None:
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    planted.write_text(source)
    assert violations(tmp_path) == [f"{file} imports {name}"]


def test_the_lower_floors_load_no_torch() -> None:
    # Benches are left to the check above: they can only be loaded by a simulator.
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in sorted(MAY_IMPORT.keys() - {"hwadder"})
        for path in sorted((ROOT / package).glob("*.py"))
    ]
    program = (
        "import importlib, sys\n"
        f"for name in {modules}: importlib.import_module(name)\n"
        "print(sorted({'torch', 'hwadder'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr
