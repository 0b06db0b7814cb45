"""The folder of a user with a network of their own: a model, its checkpoint and images, all tiny.

Per image the network computes 2 x 4 x 4 values in a convolution, 2 x 2 x 2 in a pool and 2 logits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from hwadder.models import build_model

MODEL = "tiny_user_model:net"
VALUES_PER_IMAGE = 32 + 8 + 2
_SOURCE = """
from torch import nn
from hwadder.layers import Adder2d, AdderLinear

def net(activation=nn.ReLU):
    layers = (Adder2d(1, 2, 3), nn.BatchNorm2d(2), activation(), nn.MaxPool2d(2), nn.Flatten())
    model = nn.Sequential(*layers, AdderLinear(8, 2), nn.BatchNorm1d(2))
    model.input_shape = (1, 6, 6)
    return model

def with_gelu():
    return net(nn.GELU)
"""


def write_user_folder() -> None:
    """Write tiny_user_model.py, data.npz (30 training, 10 test images) and tiny.pt into the current folder."""
    Path("tiny_user_model.py").write_text(_SOURCE)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (40, 1, 6, 6), dtype=np.uint8), np.arange(40) % 2
    np.savez("data.npz", x_train=images[:30], y_train=labels[:30], x_test=images[30:], y_test=labels[30:])
    model = build_model(MODEL).train()
    for _ in range(40):  # so that the batch norms know their layers
        model(torch.from_numpy(images[:30]).float() / 255)
    torch.save(model.state_dict(), "tiny.pt")
