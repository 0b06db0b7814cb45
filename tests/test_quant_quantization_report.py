"""The report per layer: noise by its definition, and the numbers of the network it describes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from networks import random_images, small_lenet

from quant.float_network import Conv2d
from quant.quantization_report import report, sqnr_db
from quant.quantizer import QuantizerOptions, quantize


@pytest.mark.parametrize(
    ("signal", "quantised", "expected"),
    [([3.0, 4.0], [3.0, 4.0], math.inf), ([3.0, 4.0], [3.0, 4.5], 20.0), ([0.0, 0.0], [0.0, 1.0], -math.inf)],
)
def test_noise_in_decibel(signal: list[float], quantised: list[float], expected: float) -> None:
    assert sqnr_db(np.array(signal), np.array(quantised)) == pytest.approx(expected)


def test_one_row_a_layer() -> None:
    network = small_lenet()
    images = random_images(network.input.shape, 16)
    quantized = quantize(network, images, QuantizerOptions(bits=6, candidates=5))
    rows = {row.layer: row for row in report(network, quantized, images)}
    assert {name: row.type for name, row in rows.items()} == {
        "conv1": "adder Conv2d",
        "pool1": "MaxPool",
        "conv2": "adder Conv2d",
        "pool2": "MaxPool",
        "conv3": "adder Conv2d",
        "fc1": "adder Linear",
        "fc2": "adder Linear",
    }
    assert [row.weight_bits for row in rows.values()] == [8, None, 6, None, 6, 6, 8]
    assert [row.bits for row in rows.values()][:-1] == [6, 6, 6, 6, 6, 8]
    for name, row in rows.items():
        grid = quantized.network.grids[name]
        assert (row.clip, row.bits) == (grid.high, grid.bits)
        assert (row.shift is None) == (row.affine_bits is None) == (row.accumulator_bits is None) == ("pool" in name)
    conv = next(node for node in network if node.name == "conv2")
    assert isinstance(conv, Conv2d)
    grid = quantized.network.grids["pool1"]
    outside = np.mean((conv.weight < grid.low) | (conv.weight > grid.high))
    assert rows["conv2"].weights_clipped == outside > 0
