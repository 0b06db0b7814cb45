"""Small float networks that every room tests with: random weights, batch norms whose statistics are the layers' own.

An adder layer's sums lie far from zero and spread little; only a batch norm that knows both lets a signal through. So
each norm here is measured on random images while the network is built.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from quant.float_model import evaluate
from quant.float_network import (
    Add,
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
    Pair,
    Relu,
)
from quant.integer_network import IntegerNetwork
from quant.quantizer import QuantizerOptions, quantize

ADDER, DOT = Kind.ADDER, Kind.DOT


def random_images(shape: tuple[int, int, int], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """`count` uint8 images (N, C, H, W): a random gradient with noise, so that neighbours resemble each other."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0 : shape[1], 0 : shape[2]] / max(shape[1:])
    slopes = rng.uniform(-120, 120, (2, count, shape[0], 1, 1))
    level = rng.uniform(60, 200, (count, shape[0], 1, 1))
    values = level + slopes[0] * rows + slopes[1] * columns + rng.uniform(-40, 40, (count, *shape))
    images: NDArray[np.uint8] = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return images


class Builder:
    """A float network in the making; each method appends one node and returns its name."""

    def __init__(self, name: str, shape: tuple[int, int, int], seed: int) -> None:
        self.name = name
        self.rng = np.random.default_rng(seed)
        self.images = random_images(shape, 32, seed + 1)
        mean, std = np.linspace(0.4, 0.5, shape[0]), np.linspace(0.2, 0.25, shape[0])
        self.nodes: list[FloatNode] = [Input("image", shape, mean, std)]

    def append(self, node: FloatNode) -> str:
        self.nodes.append(node)
        return node.name

    def network(self) -> FloatNetwork:
        return FloatNetwork(self.name, tuple(self.nodes))

    def value(self, name: str) -> NDArray[np.float32]:
        """The tensor `name` on the builder's images."""
        return next(value for node, value in evaluate(self.network(), self.images) if node.name == name)

    def weight(self, kind: Kind, source: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """An adder's weights spread wider than its input, so that some are clipped; a dot layer keeps the spread."""
        if kind is DOT:
            return self.rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)
        value = self.value(source)
        return self.rng.normal(value.mean(), 1.2 * value.std() + 0.1, shape)

    def conv(
        self,
        name: str,
        source: str,
        kind: Kind,
        filters: int,
        kernel: Pair,
        stride: Pair = (1, 1),
        padding: Pair = (0, 0),
        groups: int = 1,
        bias: bool = False,
    ) -> str:
        channels = self.network().shapes[source][0]
        weight = self.weight(kind, source, (filters, channels // groups, *kernel))
        offset = self.rng.normal(0, 1, filters) if bias else None
        return self.append(Conv2d(name, source, kind, weight, offset, stride, padding, groups))

    def linear(self, name: str, source: str, kind: Kind, filters: int, bias: bool = False) -> str:
        weight = self.weight(kind, source, (filters, self.network().shapes[source][0]))
        return self.append(Linear(name, source, kind, weight, self.rng.normal(0, 1, filters) if bias else None))

    def norm(self, name: str, source: str) -> str:
        """A batch norm with the statistics of `source`; the second channel's gamma is negative."""
        value = self.value(source)
        samples = np.moveaxis(value, 1, 0).reshape(value.shape[1], -1).astype(np.float64)
        sign = np.where(np.arange(len(samples)) == 1, -1.0, 1.0)
        gamma = sign * self.rng.uniform(0.6, 1.4, len(samples))
        beta = self.rng.normal(0, 0.3, len(samples))
        return self.append(BatchNorm(name, source, gamma, beta, samples.mean(axis=1), samples.var(axis=1), 1e-5))

    def relu(self, name: str, source: str) -> str:
        return self.append(Relu(name, source))


def small_resnet(
    seed: int = 0, widths: tuple[int, int, int] = (4, 6, 8), size: int = 8, classes: int = 5, blocks: int = 1
) -> FloatNetwork:
    """A reduced ResNet-20: dot first and last layers, adder blocks, adder downsamples, global pool, norm on the logits.

    The input is (3, size, size); `size` is a multiple of 4.
    """
    net = Builder("small resnet", (3, size, size), seed)
    tensor = net.relu("relu", net.norm("bn1", net.conv("conv1", "image", DOT, widths[0], (3, 3), padding=(1, 1))))
    for stage, width in enumerate(widths, start=1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            stride = (2, 2) if stage > 1 and block == 0 else (1, 1)
            main = net.conv(f"{at}.conv1", tensor, ADDER, width, (3, 3), stride, (1, 1))
            main = net.relu(f"{at}.relu", net.norm(f"{at}.bn1", main))
            main = net.norm(f"{at}.bn2", net.conv(f"{at}.conv2", main, ADDER, width, (3, 3), padding=(1, 1)))
            if stride != (1, 1):
                tensor = net.conv(f"{at}.downsample.0", tensor, ADDER, width, (1, 1), stride)
                tensor = net.norm(f"{at}.downsample.1", tensor)
            tensor = net.relu(f"{at}.relu2", net.append(Add(f"{at}.add", main, tensor)))
    tensor = net.append(AveragePool("avgpool", tensor, (size // 4, size // 4), (1, 1)))
    tensor = net.norm("bn2", net.conv("fc", tensor, DOT, classes, (1, 1)))
    net.append(Flatten("flatten", tensor))
    return net.network()


def small_lenet(seed: int = 0, size: int = 12, classes: int = 4) -> FloatNetwork:
    """A reduced LeNet-5 whose every layer is an adder with a batch norm behind it; the input is (1, size, size)."""
    net = Builder("small lenet", (1, size, size), seed)
    tensor = net.norm("bn1", net.conv("conv1", "image", ADDER, 3, (3, 3), padding=(1, 1)))
    tensor = net.append(MaxPool("pool1", net.relu("relu1", tensor), (2, 2), (2, 2)))
    tensor = net.norm("bn2", net.conv("conv2", tensor, ADDER, 5, (3, 3)))
    tensor = net.append(MaxPool("pool2", net.relu("relu2", tensor), (2, 2), (2, 2)))
    rest = (size // 2 - 2) // 2
    tensor = net.norm("bn3", net.conv("conv3", tensor, ADDER, 7, (rest, rest)))
    tensor = net.append(Flatten("flatten", net.relu("relu3", tensor)))
    tensor = net.relu("relu4", net.norm("bn4", net.linear("fc1", tensor, ADDER, 6)))
    net.norm("bn5", net.linear("fc2", tensor, ADDER, classes))
    return net.network()


def every_node_network(seed: int = 0) -> FloatNetwork:
    """Every node type in every role that the integer network knows.

    Both kinds of both layers, groups, non-square windows, strides and paddings, biases, a padded max pool on a signed
    tensor, pools requantised and exact, additions absorbed by a layer and standing alone, a batch norm and a ReLU of
    their own, tensors with several readers, a map flattened into a linear layer.
    """
    net = Builder("every node", (2, 9, 7), seed)
    pooled = net.append(MaxPool("pool.input", "image", (3, 2), (1, 1), (1, 1)))
    tensor = net.norm("grouped.bn", net.conv("grouped", pooled, ADDER, 4, (3, 2), (2, 1), (1, 1), groups=2, bias=True))
    left = net.relu("grouped.relu", tensor)
    right = net.norm("dot.bn", net.conv("dot", left, DOT, 4, (1, 3), padding=(0, 1), groups=2, bias=True))
    tensor = net.append(Add("add.absorbed", right, left))
    both = net.append(Add("add.raw", tensor, left))
    own = net.relu("own.relu", net.norm("own.bn", both))
    tensor = net.append(Add("add.alone", net.append(AveragePool("blur", own, (3, 3), (1, 1), (1, 1))), own))
    tensor = net.append(AveragePool("pool.coded", tensor, (2, 3), (2, 2), (1, 1)))
    tensor = net.norm("odd.bn", net.conv("odd", tensor, ADDER, 3, (2, 2)))
    exact = net.append(AveragePool("pool.exact", net.relu("odd.relu", tensor), (1, 2), (1, 1)))
    tensor = net.relu("dot2.relu", net.norm("dot2.bn", net.conv("dot2", exact, DOT, 5, (2, 1))))
    tensor = net.append(Flatten("flatten", tensor))
    hidden = net.relu("fc1.relu", net.norm("fc1.bn", net.linear("fc1", tensor, ADDER, 6, bias=True)))
    tensor = net.append(Add("add.vector", net.norm("fc2.bn", net.linear("fc2", hidden, DOT, 6)), hidden))
    net.norm("fc3.bn", net.linear("fc3", net.relu("fc2.relu", tensor), ADDER, 4, bias=True))
    return net.network()


def quantized(
    network: FloatNetwork, bits: int = 8, edge_bits: int = 8, images: int = 48, seed: int = 2
) -> IntegerNetwork:
    """The network in integers, calibrated on `images` random images; a coarse clip search makes it quick."""
    options = QuantizerOptions(bits=bits, edge_bits=edge_bits, candidates=9)
    return quantize(network, random_images(network.input.shape, images, seed), options).network
