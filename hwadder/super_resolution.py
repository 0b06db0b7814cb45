"""Super-resolution networks with adder layers (Song et al., AdderSR, CVPR 2021).

An adder layer can neither pass its input through nor let high frequencies through a plain activation. So each carries
its input past itself (`y = BN(adder(x)) + x`, the paper's self-shortcut) and a learnable power activation
`sign(y) * |y|**alpha` follows it. The first and the last layer, and EDSR's upsampling, stay dot products.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwadder.arithmetic import Arithmetic
from quant.errors import BadInputError

CHANNELS = 64
SCALES = (2, 3, 4)


class PowerActivation(nn.Module):
    """`sign(x) * |x|**alpha` with one learnable `alpha`, 1 at first: the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        # Kept off zero, where the derivative by alpha, |x|**alpha * log|x|, is not a number.
        return x.sign() * x.abs().clamp(min=1e-6) ** self.alpha


class AdderUnit(nn.Module):
    """A 3x3 adder layer with batch norm beside its own input; in the twin a 3x3 convolution with bias, alone."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.is_adder = arithmetic is Arithmetic.ADDER
        self.conv = arithmetic.layer2d(CHANNELS, CHANNELS, 3, padding=1) if self.is_adder else _convolution()
        self.bn = nn.BatchNorm2d(CHANNELS) if self.is_adder else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) to the same."""
        y: Tensor = self.bn(self.conv(x))
        return y + x if self.is_adder else y


def _convolution(in_channels: int = CHANNELS, channels: int = CHANNELS) -> nn.Conv2d:
    return nn.Conv2d(in_channels, channels, 3, padding=1)


def _activation(arithmetic: Arithmetic) -> nn.Module:
    return PowerActivation() if arithmetic is Arithmetic.ADDER else nn.ReLU()


class Vdsr(nn.Module):
    """VDSR (Kim et al., CVPR 2016): 20 layers of 3x3 on the luminance of an image already enlarged, beside a shortcut.

    It refines at the large size, so its cost depends on the output, whatever the scale.
    """

    def __init__(self, size: tuple[int, int], arithmetic: Arithmetic = Arithmetic.ADDER) -> None:
        super().__init__()
        self.input_shape = (1, *size)
        self.head = nn.Sequential(_convolution(1), nn.ReLU())
        self.body = nn.Sequential(
            *(layer for _ in range(18) for layer in (AdderUnit(arithmetic), _activation(arithmetic)))
        )
        self.tail = _convolution(CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to the same."""
        y: Tensor = x + self.tail(self.body(self.head(x)))
        return y


class EdsrBlock(nn.Module):
    """Two layers with an activation between, beside a shortcut."""

    def __init__(self, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.conv1 = AdderUnit(arithmetic)
        self.act = _activation(arithmetic)
        self.conv2 = AdderUnit(arithmetic)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 64, H, W) to the same."""
        y: Tensor = x + self.conv2(self.act(self.conv1(x)))
        return y


class Edsr(nn.Module):
    """EDSR's baseline (Lim et al., CVPRW 2017): 16 blocks of 64 channels at the small size, then pixel shuffles."""

    def __init__(self, scale: int, size: tuple[int, int], arithmetic: Arithmetic = Arithmetic.ADDER) -> None:
        super().__init__()
        if scale not in SCALES:
            raise BadInputError(f"scale of super-resolution must be 2, 3 or 4, not {scale}")
        self.input_shape = (3, *size)
        self.head = _convolution(3)
        self.body = nn.Sequential(*(EdsrBlock(arithmetic) for _ in range(16)), _convolution())
        factors = (2, 2) if scale == 4 else (scale,)
        self.upsample = nn.Sequential(
            *(step for f in factors for step in (_convolution(CHANNELS, CHANNELS * f * f), nn.PixelShuffle(f)))
        )
        self.tail = _convolution(CHANNELS, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N, 3, scale * H, scale * W)."""
        x = self.head(x)
        y: Tensor = self.tail(self.upsample(x + self.body(x)))
        return y
