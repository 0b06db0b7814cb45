"""A float network is checked when it is built, before anything is computed with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from networks import small_resnet

from quant.errors import BadInputError
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

IMAGE = Input("image", (2, 4, 4), np.zeros(2), np.ones(2))
CONV = Conv2d("layer", "image", Kind.ADDER, np.zeros((3, 2, 3, 3)))
FLAT = Flatten("flat", "image")
LINEAR = Linear("layer", "flat", Kind.DOT, np.zeros((3, 32)))
NORM = BatchNorm("norm", "image", np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), 1e-5)
POOL = MaxPool("pool", "image", (2, 2), (2, 2))


def with_value(values: np.ndarray, value: float) -> np.ndarray:
    changed = values.copy()
    changed.flat[0] = value
    return changed


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([], "network net must start with its input"),
        ([CONV], "network net must start with its input"),
        ([IMAGE, replace(IMAGE, name="b")], "network net must have one input, not b too"),
        ([IMAGE, FLAT, FLAT], "node names must be unique, not flat twice"),
        ([IMAGE, Relu("relu", "later")], "source of relu must be an earlier node, not later"),
        ([IMAGE, FLAT, Argmax("a", "flat"), Relu("r", "a")], "argmax a must be the last node, not followed by others"),
        ([IMAGE, Argmax("a", "image")], "input of a must be a flat vector, not of shape (2, 4, 4)"),
        ([replace(IMAGE, mean=np.zeros(3))], "mean and std of image must have 2 entries, not shapes (3,) and (2,)"),
        ([replace(IMAGE, std=np.array([1.0, 0.0]))], "std of image must be positive, not 0.0"),
        (
            [IMAGE, FLAT, replace(CONV, source="flat")],
            "input of layer must be a feature map (C, H, W), not of shape (32,)",
        ),
        (
            [IMAGE, replace(CONV, groups=2)],
            "weights of layer must match 2 input channels in 2 groups, not be of shape (3, 2, 3, 3)",
        ),
        (
            [IMAGE, replace(CONV, weight=np.zeros((3, 2, 3)))],
            "weights of layer must have 4 axes and not be empty, not be of shape (3, 2, 3)",
        ),
        (
            [IMAGE, replace(CONV, weight=np.zeros((0, 2, 3, 3)))],
            "weights of layer must have 4 axes and not be empty, not be of shape (0, 2, 3, 3)",
        ),
        ([IMAGE, replace(CONV, bias=np.zeros(2))], "bias of layer must have 3 entries, not shape (2,)"),
        ([IMAGE, replace(CONV, padding=(3, 0))], "padding of layer must be smaller than its kernel (3, 3), not (3, 0)"),
        ([IMAGE, replace(POOL, kernel=(5, 5))], "kernel of pool must fit its padded input, not be (5, 5) on (4, 4)"),
        (
            [IMAGE, replace(POOL, stride=(0, 1))],
            "window of pool must have kernel and stride of at least 1 and padding of at least 0, "
            "not kernel (2, 2), stride (0, 1), padding (0, 0)",
        ),
        (
            [IMAGE, replace(LINEAR, source="image")],
            "weights of layer must match an input of shape (2, 4, 4), not be of shape (3, 32)",
        ),
        (
            [IMAGE, FLAT, replace(LINEAR, weight=np.zeros(32))],
            "weights of layer must have 2 axes and not be empty, not be of shape (32,)",
        ),
        ([IMAGE, replace(NORM, beta=np.zeros(3))], "beta of norm must have 2 entries, not shape (3,)"),
        (
            [IMAGE, replace(NORM, variance=np.array([1.0, -1.0]))],
            "variance of norm must be positive with its epsilon 1e-05, not -1.0",
        ),
        ([IMAGE, POOL, Add("add", "image", "pool")], "inputs of add must have one shape, not (2, 4, 4) and (2, 2, 2)"),
        (
            [IMAGE, replace(CONV, weight=with_value(CONV.weight, np.nan))],
            "weight of layer must be finite, not hold 1 NaN or infinite values",
        ),
        (
            [IMAGE, replace(NORM, mean=with_value(NORM.mean, -np.inf))],
            "mean of norm must be finite, not hold 1 NaN or infinite values",
        ),
        (
            [IMAGE, replace(CONV, bias=np.array([np.nan, np.inf, 0]))],
            "bias of layer must be finite, not hold 2 NaN or infinite values",
        ),
    ],
)
def test_a_broken_rule_is_a_sentence(nodes: list[FloatNode], message: str) -> None:
    with pytest.raises(BadInputError) as raised:
        FloatNetwork("net", tuple(nodes))
    assert str(raised.value) == message


def test_shapes_follow_the_nodes() -> None:
    network = FloatNetwork(
        "net",
        (
            IMAGE,
            replace(CONV, stride=(2, 1), padding=(1, 0)),
            AveragePool("mean", "layer", (2, 1), (1, 1), (1, 0)),
            Flatten("flat", "mean"),
            Linear("fc", "flat", Kind.ADDER, np.zeros((5, 18))),
            Argmax("class", "fc"),
        ),
    )
    assert network.shapes == {
        "image": (2, 4, 4),
        "layer": (3, 2, 2),
        "mean": (3, 3, 2),
        "flat": (18,),
        "fc": (5,),
        "class": (),
    }


def test_readers_of_a_residual_tensor() -> None:
    network = small_resnet()
    assert [node.name for node in network.consumers("layer1.0.relu2")] == ["layer2.0.conv1", "layer2.0.downsample.0"]
