"""What the layers of a model sum over their taps, chosen when it is built: its own adders, or its twin's products."""

from __future__ import annotations

from enum import StrEnum

from torch import nn

from hwadder.layers import Adder2d, AdderLinear


class Arithmetic(StrEnum):
    """What a layer sums over its taps: `-|x - w|` in an AdderNet, `x * w` in its CNN twin."""

    ADDER = "adder"
    DOT = "dot"

    def layer2d(
        self, in_channels: int, channels: int, kernel: int, stride: int = 1, padding: int = 0
    ) -> Adder2d | nn.Conv2d:
        """A layer on maps without bias, (N, in_channels, H, W) to (N, channels, H', W')."""
        if self is Arithmetic.ADDER:
            return Adder2d(in_channels, channels, kernel, stride=stride, padding=padding)
        return nn.Conv2d(in_channels, channels, kernel, stride=stride, padding=padding, bias=False)

    def linear(self, in_features: int, features: int) -> AdderLinear | nn.Linear:
        """A layer on vectors without bias, (..., in_features) to (..., features)."""
        if self is Arithmetic.ADDER:
            return AdderLinear(in_features, features)
        return nn.Linear(in_features, features, bias=False)
