"""Without a GPU the benchmarks say so and end, nothing is written; the training run itself is tried on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(benchmark: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, f"benchmarks/{benchmark}", *arguments],
        cwd=ROOT,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("benchmark", ["gpu.py", "gpu_training.py"])
def test_a_machine_without_a_gpu_is_told_so(benchmark: str, tmp_path: Path) -> None:
    done = run(benchmark, "--out", str(tmp_path / "results"))
    assert (done.returncode, done.stderr) == (
        3,
        "error: a GPU that torch can use must be present, not missing; "
        "install a GPU build of torch on a machine with an NVIDIA GPU, then: make gpu\n",
    )
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_training_is_repeated_bit_for_bit(tmp_path: Path) -> None:
    done = run("gpu_training.py", "--device", "cpu", "--images", "600", "--epochs", "1", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "gpu_training.json").read_text())
    assert [row["model"] for row in content["rows"]] == ["resnet20", "resnet20-cnn"]
    assert (content["device"], content["epochs"]) == ("CPU", "1")
    assert "| resnet20-cnn |" in (tmp_path / "gpu_training.md").read_text()
