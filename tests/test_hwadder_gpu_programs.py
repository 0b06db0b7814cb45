"""What the GPU's inner loops cost: instructions counted in the machine code that Triton compiles for an H100 or H200.

Not run by default: `make triton` installs Triton and asks for them. No GPU is needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hwadder.gpu_blocks import INSTRUCTIONS_A_TAP

pytestmark = pytest.mark.triton

ROOT = Path(__file__).parent.parent

Rows = dict[tuple[str, str, int, int], dict[str, Any]]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The table of benchmarks/gpu_instructions.py by program, type, and positions and filters of a block.

    In a process of its own: where the interpreter has been asked for, nothing is compiled.
    """
    folder = tmp_path_factory.mktemp("instructions")
    subprocess.run(
        [sys.executable, "benchmarks/gpu_instructions.py", "--large", "--out", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(folder / "cache")},
        check=True,
        capture_output=True,
    )
    content = json.loads((folder / "gpu_instructions.json").read_text())
    return {(row["program"], row["dtype"], row["positions"], row["filters"]): row for row in content["rows"]}


@pytest.mark.parametrize(
    ("program", "dtype", "limit"),
    [("forward", "float32", 2.5), ("input gradient", "float32", 3.1), ("8-bit codes", "uint8", 0.375)],
)
@pytest.mark.parametrize(("positions", "filters"), [(128, 64), (256, 32)])
def test_a_tap_costs_little_more_than_its_arithmetic(
    rows: Rows, program: str, dtype: str, limit: float, positions: int, filters: int
) -> None:
    assert rows[program, dtype, positions, filters]["per_tap"] <= limit


@pytest.mark.parametrize(
    ("program", "dtype", "mix"),
    [
        ("forward", "float32", {"FADD": 2 * 512}),
        ("input gradient", "float32", {"FADD": 512 + 8, "FFMA": 512}),
        ("8-bit codes", "uint8", {"VABSDIFF4": 512}),
    ],
)
def test_the_arithmetic_is_the_fewest_instructions(rows: Rows, program: str, dtype: str, mix: dict[str, int]) -> None:
    # A thread's 8 x 8 sums take 8 channels a turn; the gradient also adds up `grad`, 128 positions in 128 threads.
    counted = rows[program, dtype, 128, 64]["mix"]
    assert {name: counted[name] for name in mix} == mix


def test_the_choice_of_blocks_goes_by_the_counts(rows: Rows) -> None:
    counted = {
        blocks: rows["forward", "float32", blocks.positions, blocks.filters]["per_tap"]
        for blocks in INSTRUCTIONS_A_TAP
        if blocks.filters >= 32
    }
    assert {blocks: INSTRUCTIONS_A_TAP[blocks] for blocks in counted} == pytest.approx(counted, abs=0.01)
