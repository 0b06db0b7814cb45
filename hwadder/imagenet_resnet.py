"""The residual networks of AdderNet for ImageNet, with the names of the reference's checkpoints.

As in the reference, the first 7x7 layer and the classifier, a 1x1 convolution with bias, stay dot products, and batch
norm follows the logits.
"""

from __future__ import annotations

from torch import Tensor, nn

from hwadder.arithmetic import Arithmetic

STAGE_CHANNELS = (64, 128, 256, 512)


class Basic(nn.Module):
    """Two 3x3 layers beside a shortcut."""

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.conv1 = arithmetic.layer2d(in_channels, channels, 3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = arithmetic.layer2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.downsample = _projection(in_channels, channels, stride, arithmetic)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, channels, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        out: Tensor = self.relu(self.bn2(self.conv2(y)) + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, and 1x1 to four times the channels, beside a shortcut."""

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.conv1 = arithmetic.layer2d(in_channels, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = arithmetic.layer2d(channels, channels, 3, stride=stride, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = arithmetic.layer2d(channels, self.expansion * channels, 1)
        self.bn3 = nn.BatchNorm2d(self.expansion * channels)
        self.relu = nn.ReLU()
        self.downsample = _projection(in_channels, self.expansion * channels, stride, arithmetic)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 4 * channels, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        out: Tensor = self.relu(self.bn3(self.conv3(y)) + (x if self.downsample is None else self.downsample(x)))
        return out


def _projection(in_channels: int, channels: int, stride: int, arithmetic: Arithmetic) -> nn.Sequential | None:
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(arithmetic.layer2d(in_channels, channels, 1, stride=stride), nn.BatchNorm2d(channels))


class ImageNetResNet(nn.Module):
    """ResNet of four stages of `block` for 224x224 images: (2, 2, 2, 2) of `Basic` are ResNet-18, (3, 4, 6, 3) of
    `Bottleneck` ResNet-50."""

    def __init__(
        self,
        block: type[Basic] | type[Bottleneck],
        blocks: tuple[int, int, int, int],
        num_classes: int = 1000,
        arithmetic: Arithmetic = Arithmetic.ADDER,
    ) -> None:
        super().__init__()
        self.input_shape = (3, 224, 224)
        self.conv1 = nn.Conv2d(3, STAGE_CHANNELS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGE_CHANNELS[0])
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        stages, in_channels = [], STAGE_CHANNELS[0]
        for index, (channels, count) in enumerate(zip(STAGE_CHANNELS, blocks, strict=True)):
            layers = [block(in_channels, channels, 1 if index == 0 else 2, arithmetic)]
            in_channels = channels * block.expansion
            layers += [block(in_channels, channels, 1, arithmetic) for _ in range(count - 1)]
            stages.append(nn.Sequential(*layers))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Conv2d(in_channels, num_classes, 1)
        self.bn2 = nn.BatchNorm2d(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to logits (N, classes)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        logits: Tensor = self.bn2(self.fc(self.avgpool(x)))
        return logits.flatten(1)
