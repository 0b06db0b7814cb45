"""Counts against tables worked by hand, and against a loop over every tap."""

from __future__ import annotations

import numpy as np
import pytest
from energy_networks import lenet5, resnet, small_integer
from hypothesis import given
from hypothesis import strategies as st

from energy.counts import LayerCount, Operation, Version, Widths, count_float, count_integer
from quant.float_network import Conv2d, Flatten, FloatNetwork, Input, Kind, Linear

# Each 3x3 adder layer of a ResNet for CIFAR-10 has 32*32 * 16*16*9 taps in every stage, since the map's area shrinks by
# four where the channels double; a stage's first layer reads half the channels.
FULL, HALF, DOWNSAMPLE = 2_359_296, 1_179_648, 131_072


def test_resnet20_taps() -> None:
    workload = count_float(resnet(20))
    assert workload.adder_taps == 16 * FULL + 2 * HALF + 2 * DOWNSAMPLE == 40_370_176
    assert workload.dot_taps == 442_368 + 640 == 443_008


def test_resnet32_taps() -> None:
    workload = count_float(resnet(32))
    assert workload.adder_taps == 28 * FULL + 2 * HALF + 2 * DOWNSAMPLE
    assert workload.adder_taps + workload.dot_taps == 69_124_736


def test_lenet5_layer_by_layer() -> None:
    taps = {layer.name: layer.adder_taps for layer in count_float(lenet5()).layers if layer.kind is not None}
    assert taps == {
        "conv1": 28 * 28 * 6 * 25,
        "conv2": 10 * 10 * 16 * 6 * 25,
        "conv3": 120 * 16 * 25,
        "fc1": 84 * 120,
        "fc2": 10 * 84,
    }
    assert sum(taps.values()) == 416_520


def test_resnet20_parameters() -> None:
    # Convolutions and adders 270,896 and the classifier 640, and two numbers for each of 794 batch-norm channels.
    channels = 16 * 7 + 32 * 7 + 64 * 7 + 10
    weights = 432 + 6 * 2304 + 4608 + 5 * 9216 + 512 + 18432 + 5 * 36864 + 2048 + 640
    assert count_float(resnet(20)).parameters == weights + 2 * channels


def others(layer: LayerCount) -> list[tuple[str, str, str, int, int | None]]:
    return [(c.purpose, str(c.operation), str(c.role), c.count, c.width_bits) for c in layer.others]


def test_float_operations_outside_taps() -> None:
    layers = {layer.name: layer for layer in count_float(lenet5()).layers}
    assert others(layers["image"]) == [
        ("input normalisation", "multiply", "operand", 784, None),
        ("input normalisation", "add", "operand", 784, None),
    ]
    assert others(layers["bn2"]) == [
        ("batch norm scale", "multiply", "sum", 1600, None),
        ("batch norm shift", "add", "sum", 1600, None),
    ]
    assert others(layers["relu4"]) == [("ReLU", "compare", "sum", 84, None)]
    assert others(layers["pool2"]) == [("max pooling", "compare", "operand", 16 * 25 * 3, None)]
    assert others(layers["argmax"]) == [("argmax", "compare", "sum", 9, None)]
    assert "flatten" not in layers
    layers = {layer.name: layer for layer in count_float(resnet(20)).layers}
    assert others(layers["avgpool"]) == [
        ("average pooling", "add", "sum", 64 * 63, None),
        ("average pooling's division by a constant", "multiply", "sum", 64, None),
    ]
    assert others(layers["layer3.0.add"]) == [("residual addition", "add", "sum", 4096, None)]


def test_bias_is_one_addition_and_one_parameter_an_output_channel() -> None:
    image = Input("image", (2, 1, 1), np.zeros(2), np.ones(2))
    conv = Conv2d("conv", "image", Kind.DOT, np.zeros((3, 2, 1, 1)), bias=np.zeros(3))
    layer = count_float(FloatNetwork("tiny", (image, conv))).layers[1]
    assert (layer.parameters, others(layer)) == (9, [("bias", "add", "sum", 3, None)])


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 2),
    kind=st.sampled_from(Kind),
)
def test_taps_are_what_nested_loops_execute(
    size: tuple[int, int], kernel: tuple[int, int], stride: tuple[int, int], groups: int, kind: Kind
) -> None:
    padding = (kernel[0] - 1, kernel[1] - 1)
    image = Input("image", (2 * groups, *size), np.zeros(2 * groups), np.ones(2 * groups))
    weight = np.zeros((3 * groups, 2, *kernel))
    conv = Conv2d("conv", "image", kind, weight, stride=stride, padding=padding, groups=groups)
    executed = 0
    for _ in range(3 * groups):
        for _ in range(0, size[0] + 2 * padding[0] - kernel[0] + 1, stride[0]):
            for _ in range(0, size[1] + 2 * padding[1] - kernel[1] + 1, stride[1]):
                executed += 2 * kernel[0] * kernel[1]
    layer = count_float(FloatNetwork("one", (image, conv))).layers[1]
    assert (layer.adder_taps, layer.dot_taps) == ((executed, 0) if kind is Kind.ADDER else (0, executed))


def charged(layer: LayerCount, version: Version) -> dict[tuple[str, int | None], int]:
    return {(str(c.operation), c.width_bits): c.count for c in layer.charged(version)}


def test_conventions_of_a_tap() -> None:
    adder = LayerCount("a", "Linear", (5,), Kind.ADDER, adder_taps=10)
    dot = LayerCount("d", "Linear", (5,), Kind.DOT, dot_taps=10)
    assert charged(adder, Version.ADDER) == {("subtract", None): 10, ("add", None): 10}
    assert charged(adder, Version.CNN) == charged(dot, Version.ADDER) == {("multiply", None): 10, ("add", None): 10}
    assert [c.operation for c in adder.uncharged(Version.ADDER)] == [Operation.ABSOLUTE]
    assert adder.uncharged(Version.CNN) == ()


def test_integer_network_by_hand() -> None:
    layers = {layer.name: layer for layer in count_integer(small_integer()).layers}
    assert list(layers) == ["conv", "maxpool", "sumpool", "fc", "argmax"]
    conv, fc = layers["conv"], layers["fc"]
    # 18 taps an output, codes up to 15, weights 0: sums of -270 to 0; as products of 4-bit weights -2160 to 1890.
    assert (conv.adder_taps, conv.dot_taps) == (2 * 16 * 18, 0)
    assert conv.widths == Widths(operand=4, accumulator=10, cnn_accumulator=13)
    # 6-bit sums of four codes times these 4-bit weights: -315 to 441, in both versions of the network.
    assert (fc.adder_taps, fc.dot_taps) == (0, 6)
    assert fc.widths == Widths(operand=6, accumulator=10, cnn_accumulator=10)
    # Two digits a channel at 16 positions, and one for each of the 32 shortcuts.
    assert others(conv) == [
        ("signed digits of the multipliers", "shift", "requantiser", 2 * 2 * 16 + 32, 14),
        ("signed digits of the multipliers and constant", "add", "requantiser", 2 * 2 * 16 + 32, 14),
        ("right shift of the affine step", "shift", "requantiser", 32, 14),
        ("clamp (ReLU included)", "compare", "requantiser", 64, 14),
    ]
    assert others(layers["maxpool"]) == [("max pooling", "compare", "operand", 8 * 3, 4)]
    assert others(layers["sumpool"]) == [("sum pooling", "add", "sum", 2 * 3, 7)]
    assert others(fc) == [
        ("signed digits of the multipliers", "shift", "requantiser", 1 + 0 + 3, 14),
        ("signed digits of the multipliers and constant", "add", "requantiser", 1 + 0 + 3, 14),
        ("right shift of the affine step", "shift", "requantiser", 3, 14),
    ]
    assert others(layers["argmax"]) == [("argmax", "compare", "sum", 2, 20)]
    assert (conv.parameters, fc.parameters) == (36 + 4, 6 + 6)
    assert charged(conv, Version.ADDER) == {("subtract", 4): 576, ("add", 10): 576}
    assert charged(conv, Version.CNN) == {("multiply", 4): 576, ("add", 13): 576}


@pytest.mark.parametrize("version", Version)
def test_a_linear_layer_counts_like_a_1x1_convolution(version: Version) -> None:
    image = Input("image", (8, 1, 1), np.zeros(8), np.ones(8))
    conv = FloatNetwork("conv", (image, Conv2d("layer", "image", Kind.ADDER, np.zeros((3, 8, 1, 1)))))
    flat = Input("image", (8, 1, 1), np.zeros(8), np.ones(8))
    linear = FloatNetwork(
        "linear", (flat, Flatten("flat", "image"), Linear("layer", "flat", Kind.ADDER, np.zeros((3, 8))))
    )
    assert charged(count_float(conv).layers[1], version) == charged(count_float(linear).layers[1], version)
