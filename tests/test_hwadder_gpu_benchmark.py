"""Without a GPU the benchmark says so and ends; nothing is written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_a_machine_without_a_gpu_is_told_so(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "benchmarks/gpu.py", "--out", str(tmp_path / "results")],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (
        3,
        "error: a GPU that torch can use must be present, not missing; "
        "install a GPU build of torch on a machine with an NVIDIA GPU, then: make gpu\n",
    )
    assert not (tmp_path / "results").exists()
