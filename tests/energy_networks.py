"""The reference networks as plain data, built by hand: only shapes matter for counting, so weights are zeros."""

from __future__ import annotations

import numpy as np

import quant.integer_network as integer
from quant.float_network import (
    Add,
    Argmax,
    AveragePool,
    BatchNorm,
    Conv2d,
    Flatten,
    FloatNetwork,
    FloatNode,
    Input,
    Kind,
    Linear,
    MaxPool,
    Relu,
)


def _norm(name: str, source: str, channels: int) -> BatchNorm:
    one, zero = np.ones(channels), np.zeros(channels)
    return BatchNorm(name, source, gamma=one, beta=zero, mean=zero, variance=one, epsilon=1e-5)


def _conv(
    name: str, source: str, kind: Kind, shape: tuple[int, int, int, int], stride: int = 1, padding: int = 0
) -> Conv2d:
    return Conv2d(name, source, kind, np.zeros(shape), stride=(stride, stride), padding=(padding, padding))


def resnet(depth: int) -> FloatNetwork:
    """The reference ResNet for CIFAR-10: first convolution and classifier multiply, everything between are adders."""
    nodes: list[FloatNode] = [
        Input("image", (3, 32, 32), np.zeros(3), np.ones(3)),
        _conv("conv1", "image", Kind.DOT, (16, 3, 3, 3), padding=1),
        _norm("bn1", "conv1", 16),
        Relu("relu", "bn1"),
    ]
    source, channels = "relu", 16
    for stage, width in enumerate((16, 32, 64), start=1):
        for block in range((depth - 2) // 6):
            name = f"layer{stage}.{block}"
            stride = 2 if stage > 1 and block == 0 else 1
            shortcut = source
            nodes += [
                _conv(f"{name}.conv1", source, Kind.ADDER, (width, channels, 3, 3), stride, 1),
                _norm(f"{name}.bn1", f"{name}.conv1", width),
                Relu(f"{name}.relu1", f"{name}.bn1"),
                _conv(f"{name}.conv2", f"{name}.relu1", Kind.ADDER, (width, width, 3, 3), 1, 1),
                _norm(f"{name}.bn2", f"{name}.conv2", width),
            ]
            if stride == 2:
                shortcut = f"{name}.downsample.1"
                nodes += [
                    _conv(f"{name}.downsample.0", source, Kind.ADDER, (width, channels, 1, 1), 2),
                    _norm(shortcut, f"{name}.downsample.0", width),
                ]
            nodes += [Add(f"{name}.add", f"{name}.bn2", shortcut), Relu(f"{name}.relu2", f"{name}.add")]
            source, channels = f"{name}.relu2", width
    nodes += [
        AveragePool("avgpool", source, (8, 8), (8, 8)),
        _conv("fc", "avgpool", Kind.DOT, (10, 64, 1, 1)),
        _norm("bn2", "fc", 10),
        Flatten("flatten", "bn2"),
    ]
    return FloatNetwork(f"resnet{depth}", tuple(nodes))


def lenet5() -> FloatNetwork:
    """LeNet-5 with batch norm on 28x28 digits, every layer an adder."""
    return FloatNetwork(
        "lenet5",
        (
            Input("image", (1, 28, 28), np.zeros(1), np.ones(1)),
            _conv("conv1", "image", Kind.ADDER, (6, 1, 5, 5), padding=2),
            _norm("bn1", "conv1", 6),
            Relu("relu1", "bn1"),
            MaxPool("pool1", "relu1", (2, 2), (2, 2)),
            _conv("conv2", "pool1", Kind.ADDER, (16, 6, 5, 5)),
            _norm("bn2", "conv2", 16),
            Relu("relu2", "bn2"),
            MaxPool("pool2", "relu2", (2, 2), (2, 2)),
            _conv("conv3", "pool2", Kind.ADDER, (120, 16, 5, 5)),
            _norm("bn3", "conv3", 120),
            Relu("relu3", "bn3"),
            Flatten("flatten", "relu3"),
            Linear("fc1", "flatten", Kind.ADDER, np.zeros((84, 120))),
            _norm("bn4", "fc1", 84),
            Relu("relu4", "bn4"),
            Linear("fc2", "relu4", Kind.ADDER, np.zeros((10, 84))),
            _norm("bn5", "fc2", 10),
            Argmax("argmax", "bn5"),
        ),
    )


def small_integer() -> integer.IntegerNetwork:
    """An adder layer with a shortcut, two pools and a dot layer, small enough to count on paper.

    input (2, 4, 4) of 4 bits -> 3x3 adder with shortcut, (2, 4, 4) -> 2x2 max pool, (2, 2, 2) -> 2x2 sum pool,
    (2, 1, 1) -> flatten -> 2-to-3 dot product -> argmax.
    """
    codes = integer.Grid(bits=4, scale=0.5)
    adder = integer.Affine(
        multiplier=np.array([7, -20]),  # 8 - 1 and -(16 + 4): two digits each
        constant=np.array([100, 0]),
        shift=4,
        clamp_max=15,
        shortcut_multiplier=16,  # one digit
    )
    logits = integer.Affine(
        multiplier=np.array([1, 0, 11]),  # one digit, none, and 11 = 8 + 4 - 1: three
        constant=np.array([0, 5, 0]),
        shift=2,
        clamp_max=None,
    )
    return integer.IntegerNetwork(
        "small",
        (
            integer.Input("image", (2, 4, 4), codes, np.zeros((2, 256), np.int64)),
            integer.Conv2d(
                "conv",
                "image",
                Kind.ADDER,
                np.zeros((2, 2, 3, 3), np.int64),
                weight_bits=4,
                affine=adder,
                grid=codes,
                padding=(1, 1),
                shortcut="image",
            ),
            integer.MaxPool("maxpool", "conv", (2, 2), (2, 2)),
            integer.SumPool("sumpool", "maxpool", (2, 2), (2, 2), integer.Grid(bits=6, scale=0.125)),
            integer.Flatten("flatten", "sumpool"),
            integer.Linear(
                "fc",
                "flatten",
                Kind.DOT,
                np.array([[1, -2], [3, 4], [-5, 7]]),
                weight_bits=4,
                affine=logits,
                grid=integer.Grid(bits=20, scale=1.0, signed=True),
            ),
            integer.Argmax("argmax", "fc"),
        ),
    )
