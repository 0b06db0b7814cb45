"""What `import hwadder` offers, and what it costs."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hwadder
from hwadder import chain, cli, layers, verbs

ROOT = Path(__file__).parent.parent


def test_the_face_is_the_verbs_and_the_layers() -> None:
    assert {name: getattr(hwadder, name) for name in hwadder.__all__} == {
        "Adder2d": layers.Adder2d,
        "AdderLinear": layers.AdderLinear,
        "FlowOptions": chain.FlowOptions,
        "FlowStep": chain.FlowStep,
        "flow": chain.flow,
        **{name: getattr(verbs, name) for name in cli.main.commands if name != "flow"},
    }


NEED_TRITON = {"gpu_kernels", "gpu_programs"}
"""Modules of the extra `gpu`, which these tests do without; tests/test_hwadder_gpu_kernels.py imports them."""


def test_no_module_hides_a_function() -> None:
    modules = {path.stem for path in (ROOT / "hwadder").glob("*.py")} - {"__init__"}
    assert modules & set(hwadder.__all__) == set()
    for module in modules - NEED_TRITON:
        importlib.import_module(f"hwadder.{module}")
    assert [name for name in hwadder.__all__ if inspect.ismodule(getattr(hwadder, name))] == []


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError) as caught:
        _ = hwadder.quantise
    assert str(caught.value) == "module hwadder has no attribute 'quantise'"


@pytest.mark.parametrize("statement", ["import hwadder", "import hwadder.cli"])
def test_torch_waits_until_it_is_needed(statement: str) -> None:
    program = f"import sys; {statement}; print(sorted({{'torch', 'torchvision'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
