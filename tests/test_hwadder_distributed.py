"""Two processes under torchrun train what one process trains in two passes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from training_runs import bars

from hwadder.checkpoint import read_state_dict
from hwadder.train_config import TrainConfig
from hwadder.training import Device, TrainRun
from hwadder.verbs import train

MODEL = """
import torch
from torch import nn
from hwadder import Adder2d


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.input_shape = (1, 8, 8)
        self.conv, self.bn = Adder2d(1, 3, 3, stride=2), nn.BatchNorm2d(3)
        self.fc = nn.Linear(27, 2)
        self.double()

    def forward(self, x):
        return self.fc(torch.relu(self.bn(self.conv(x.double()))).flatten(1))
"""
CONFIG = TrainConfig(epochs=2, batch_size=8, accumulate=2, validation_every=4)
OPTIONS = ("--epochs", "2", "--batch-size", "8", "--validation-every", "4", "--device", "cpu", "--json")


def test_two_processes_equal_one_in_two_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net_in_double.py").write_text(MODEL)
    data = bars()
    np.savez("bars.npz", x_train=data.x_train[:], y_train=data.y_train, x_test=data.x_test[:], y_test=data.y_test)
    command = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "hwadder", "train", "net_in_double:Net")
    done = subprocess.run(
        [sys.executable, *command, "--data", "bars.npz", "--out", "two/net.pt", *OPTIONS],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Only the first process writes, to stdout too.
    assert json.loads(done.stdout)["finished"]
    names = ["net.pt", "net.pt.csv", "net.pt.last", "net.pt.png"]
    assert sorted(path.name for path in Path("two").iterdir()) == names

    run = TrainRun(Path("one/net.pt"), device=Device.CPU, progress=False)
    log = train("net_in_double:Net", "bars.npz", run, CONFIG).log
    with Path("two/net.pt.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row, record in zip(rows, log, strict=True):
        assert float(row["train_loss"]) == pytest.approx(record.train_loss, rel=1e-12)
        assert float(row["train_accuracy"]) == record.train_accuracy
    # Batch norm normalises by each part's own images in both runs, but only one of them sees all parts for its running
    # statistics, so these are left out.
    one, two = (read_state_dict(Path(each) / "net.pt.last") for each in ("one", "two"))
    for name in one:
        if "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(two[name], one[name], rtol=0, atol=1e-12)
