"""Small training runs: a dataset, a network and a configuration that take milliseconds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hwadder.data import Dataset
from hwadder.layers import Adder2d
from hwadder.train_config import TrainConfig
from hwadder.training import Device, TrainRun, train

SHORT = TrainConfig(epochs=4, batch_size=8, validation_every=4)


def bars(count: int = 24) -> Dataset:
    """8x8 images of one bright row (class 0) or column (class 1)."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 40, (2 * count, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(2 * count) % 2
    for image, label in zip(images, labels, strict=True):
        at = generator.integers(2, 6)
        image[0, *((at, slice(None)) if label == 0 else (slice(None), at))] = 255
    zero, one = np.zeros(1), np.ones(1)
    return Dataset("bars", images[:count], labels[:count], images[count:], labels[count:], zero, one)


class Small(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.input_shape = (1, 8, 8)
        self.conv, self.bn = Adder2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(8)
        self.dropout = nn.Dropout(0.1)  # draws random numbers too, and resuming must account for them
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.bn(self.conv(x)))).flatten(1)
        logits: torch.Tensor = self.fc(self.dropout(x))
        return logits


def quietly(out: Path, *, resume: bool = False, stop_after_steps: int | None = None) -> TrainRun:
    """A run on the CPU without a progress bar; of limits, only one step can be set, by a time no step fits in."""
    assert stop_after_steps in (None, 1)
    minutes = float("inf") if stop_after_steps is None else 1e-12
    return TrainRun(out, resume=resume, stop_after_minutes=minutes, device=Device.CPU, progress=False)


def train_bars(out: Path, resume: bool = False) -> None:
    """A run of half a second that writes its resume file after every step."""
    config = dataclasses.replace(SHORT, epochs=6, checkpoint_minutes=0.0)
    train(config, bars(), Small(), quietly(out, resume=resume))
