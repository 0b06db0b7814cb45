"""Every legitimate graph fuses: each node in one stage, each stage after what it reads, its formula the network's."""

from __future__ import annotations

import numpy as np
import pytest
from networks import every_node_network, small_lenet, small_resnet
from odd_networks import ODD_NETWORKS

from quant.float_model import evaluate
from quant.float_network import (
    Add,
    Argmax,
    AveragePool,
    BatchNorm,
    Conv2d,
    Flatten,
    FloatNetwork,
    Linear,
    MaxPool,
    Relu,
)
from quant.fusion import fuse

NETWORKS = ODD_NETWORKS | {"resnet": small_resnet, "lenet": small_lenet, "every node": every_node_network}


@pytest.mark.parametrize("name", NETWORKS)
def test_stages_share_out_the_nodes_in_an_order_that_runs(name: str) -> None:
    network = NETWORKS[name]()
    stages = fuse(network)
    fused = [node.name for stage in stages for node in stage.nodes]
    assert sorted(fused) == sorted(node.name for node in network.nodes[1:])
    ready = {network.input.name}
    for stage in stages:
        assert {stage.source, stage.shortcut} - {None} <= ready
        ready.add(stage.output)
    assert stages[-1].output == network.nodes[-1].name


@pytest.mark.parametrize("name", NETWORKS)
def test_a_stage_computes_its_last_tensor(name: str) -> None:
    # The formula of Stage, written out in numpy on the float network's own tensors.
    network = NETWORKS[name]()
    images = np.random.default_rng(0).integers(0, 256, (2, *network.input.shape)).astype(np.uint8)
    tensors = {node.name: value.astype(np.float64) for node, value in evaluate(network, images)}
    for stage in fuse(network):
        if isinstance(stage.nodes[0], MaxPool | Flatten | Argmax):
            assert len(stage.nodes) == 1
            continue
        value = tensors[stage.source if stage.core is None else stage.core.name]
        for norm in stage.norms:
            columns = (slice(None),) + (None,) * (value.ndim - 2)
            centred = value - norm.mean[columns]
            deviation = np.sqrt(norm.variance + norm.epsilon)[columns]
            value = centred / deviation * norm.gamma[columns] + norm.beta[columns]
        value = value if stage.shortcut is None else value + tensors[stage.shortcut]
        value = np.maximum(value, 0) if stage.relu else value
        np.testing.assert_allclose(value, tensors[stage.output], rtol=1e-4, atol=1e-4)


def sentences(network: FloatNetwork) -> list[str]:
    """Each stage as the types of its nodes, with its operands."""
    return [
        f"{stage.name}: {'+'.join(type(node).__name__ for node in stage.nodes)}({stage.source}, {stage.shortcut})"
        for stage in fuse(network)
    ]


def test_a_residual_network_becomes_one_stage_a_layer() -> None:
    assert sentences(small_resnet()) == [
        "conv1: Conv2d+BatchNorm+Relu(image, None)",
        "layer1.0.conv1: Conv2d+BatchNorm+Relu(relu, None)",
        "layer1.0.conv2: Conv2d+BatchNorm+Add+Relu(layer1.0.relu, relu)",
        "layer2.0.conv1: Conv2d+BatchNorm+Relu(layer1.0.relu2, None)",
        "layer2.0.downsample.0: Conv2d+BatchNorm(layer1.0.relu2, None)",
        "layer2.0.conv2: Conv2d+BatchNorm+Add+Relu(layer2.0.relu, layer2.0.downsample.1)",
        "layer3.0.conv1: Conv2d+BatchNorm+Relu(layer2.0.relu2, None)",
        "layer3.0.downsample.0: Conv2d+BatchNorm(layer2.0.relu2, None)",
        "layer3.0.conv2: Conv2d+BatchNorm+Add+Relu(layer3.0.relu, layer3.0.downsample.1)",
        "avgpool: AveragePool(layer3.0.relu2, None)",
        "fc: Conv2d+BatchNorm(avgpool, None)",
        "flatten: Flatten(bn2, None)",
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("add of raw tensors", "add: Add(max, max2)"),
        ("add of one tensor twice", "add: Add+Relu(mid.bn, mid.bn)"),
        ("shortcut layer before the main branch", "short: Conv2d+BatchNorm+Add+Relu(first.relu, main.bn)"),
        ("shortcut layer after the main branch", "main: Conv2d+BatchNorm+Add+Relu(first.relu, short.bn)"),
        ("norm behind an add", "add.bn: BatchNorm(add, None)"),
        ("relu on an average pool", "pool: AveragePool+Relu(first.bn, None)"),
        ("two norms in a row", "mid: Conv2d+BatchNorm+BatchNorm+Relu(first.relu, None)"),
        ("layer sums read twice", "mid: Conv2d(first.relu, None)"),
    ],
)
def test_who_absorbs_whom(name: str, expected: str) -> None:
    assert expected in sentences(NETWORKS[name]())


def test_every_float_node_type_is_met() -> None:
    met = {type(node) for build in NETWORKS.values() for node in build().nodes[1:]}
    assert met == {Add, Argmax, AveragePool, BatchNorm, Conv2d, Flatten, Linear, MaxPool, Relu}
