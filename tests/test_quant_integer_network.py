"""Every rule of docs/integer-network.md that needs no data, each broken once, its sentence pinned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from networks import every_node_network, quantized
from strategies import input_node

from quant.errors import BadInputError
from quant.float_network import Kind
from quant.integer_network import (
    Affine,
    Argmax,
    Conv2d,
    Flatten,
    Grid,
    Input,
    IntegerNetwork,
    IntegerNode,
    Linear,
    MaxPool,
    SumPool,
)

IMAGE = input_node((2, 4, 4), Grid(8, 0.5))
FLAT = Flatten("flat", "image")


def affine(channels: int = 2, clamp_max: int | None = 255, shortcut_multiplier: int = 0) -> Affine:
    return Affine(np.ones(channels, np.int64), np.zeros(channels, np.int64), 14, clamp_max, shortcut_multiplier)


CONV = Conv2d("layer", "image", Kind.ADDER, np.zeros((2, 2, 3, 3), np.int64), 8, affine(), Grid(8, 1.0))
DOT = replace(CONV, kind=Kind.DOT)
LINEAR = Linear("layer", "flat", Kind.ADDER, np.zeros((2, 32), np.int64), 8, affine(), Grid(8, 1.0))
MAX = MaxPool("layer", "image", (2, 2), (2, 2))
SUM = SumPool("layer", "image", (2, 2), (2, 2), Grid(10, 0.125))
SIGNED = replace(CONV, name="signed", affine=affine(clamp_max=None), grid=Grid(16, 1.0, signed=True))
WIDE = replace(SUM, name="wide")


def build(*nodes: IntegerNode) -> IntegerNetwork:
    return IntegerNetwork("net", (IMAGE, *nodes))


@pytest.mark.parametrize(
    "node", [CONV, DOT, MAX, SUM, replace(DOT, source="wide", weight=np.zeros((2, 2, 1, 1), np.int64))]
)
def test_the_nodes_that_the_rules_are_broken_on_are_right(node: IntegerNode) -> None:
    assert build(WIDE, node).shapes["layer"][0] == 2


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([FLAT, FLAT], "node names must be unique, not flat twice"),
        ([replace(FLAT, source="later")], "source of flat must be an earlier node, not later"),
        ([replace(IMAGE, name="b")], "network net must have one input, not b too"),
        ([FLAT, Argmax("a", "flat"), FLAT], "argmax a must be the last node, not followed by others"),
        ([Argmax("a", "image")], "input of a must be a flat vector, not of shape (2, 4, 4)"),
        (
            [replace(LINEAR, source="image")],
            "weights of layer must match an input of shape (2, 4, 4), not be of shape (2, 32)",
        ),
        (
            [FLAT, replace(LINEAR, weight=np.zeros((2, 31), np.int64))],
            "weights of layer must match an input of shape (32,), not be of shape (2, 31)",
        ),
        ([FLAT, replace(MAX, source="flat")], "input of layer must be a feature map (C, H, W), not of shape (32,)"),
        ([FLAT, replace(SUM, source="flat")], "window of layer must be (1, 1) on a vector, not (2, 2)"),
        (
            [replace(CONV, groups=2)],
            "weights of layer must match 2 input channels in 2 groups, not be of shape (2, 2, 3, 3)",
        ),
        (
            [replace(CONV, weight=np.zeros((2, 2, 3), np.int64))],
            "weights of layer must match 2 input channels in 1 groups, not be of shape (2, 2, 3)",
        ),
        (
            [replace(CONV, groups=2, weight=np.zeros((3, 1, 3, 3), np.int64))],
            "weights of layer must match 2 input channels in 2 groups, not be of shape (3, 1, 3, 3)",
        ),
        (
            [replace(MAX, stride=(0, 1))],
            "window of layer must have kernel and stride of at least 1 and padding of at least 0, "
            "not kernel (2, 2), stride (0, 1), padding (0, 0)",
        ),
        ([replace(MAX, padding=(0, 2))], "padding of layer must be smaller than its kernel (2, 2), not (0, 2)"),
        ([replace(MAX, kernel=(5, 1))], "kernel of layer must fit its padded input, not be (5, 1) on (4, 4)"),
        (
            [WIDE, replace(MAX, source="wide", kernel=(1, 1))],
            "source of layer must hold unsigned codes of at most 8 bits (a dot layer's: any unsigned width), "
            "not unsigned ones of 10 bits",
        ),
        (
            [SIGNED, replace(DOT, source="signed", weight=np.zeros((2, 2, 1, 1), np.int64))],
            "source of layer must hold unsigned codes of at most 8 bits (a dot layer's: any unsigned width), "
            "not signed ones of 16 bits",
        ),
        ([replace(CONV, weight_bits=7)], "weight bits of adder layer layer must be its input's 8, not 7"),
        ([replace(DOT, weight_bits=17)], "weight bits of layer must be 1 to 16, not 17"),
        (
            [replace(CONV, weight=np.full((2, 2, 3, 3), 256))],
            "weights of layer must be codes of 0 to 255, not 256 to 256",
        ),
        (
            [replace(DOT, weight=np.full((2, 2, 3, 3), 128))],
            "weights of layer must be codes of -128 to 127, not 128 to 128",
        ),
        ([replace(CONV, affine=affine(3))], "affine step of layer must have 2 channels, not 3"),
        ([replace(CONV, affine=affine(clamp_max=None))], "grid of layer must be signed without a clamp, not unsigned"),
        ([replace(CONV, affine=affine(clamp_max=127))], "clamp of layer must be its grid's largest code 255, not 127"),
        (
            [replace(SIGNED, affine=affine(clamp_max=32767))],
            "clamp of signed must be its grid's largest code 32767, not 32767",
        ),
        (
            [replace(CONV, shortcut="image", affine=affine(shortcut_multiplier=1))],
            "shortcut of layer must be unsigned codes of shape (2, 2, 2), not 8 bits of shape (2, 4, 4)",
        ),
        (
            [WIDE, replace(SUM, affine=affine(), grid=Grid(8, 1.0), shortcut="wide")],
            "shortcut of layer must be unsigned codes of shape (2, 2, 2), not 10 bits of shape (2, 2, 2)",
        ),
        ([replace(SUM, grid=Grid(9, 1.0))], "grid of layer must hold every sum of its window, not have 9 bits"),
        (
            [replace(SUM, grid=Grid(10, 1.0, signed=True))],
            "grid of layer must hold every sum of its window, not have 10 bits",
        ),
        (
            [replace(SUM, shortcut="image", kernel=(1, 1), stride=(1, 1))],
            "grid of layer must hold every sum of its window, not have 10 bits",
        ),
        (
            [replace(CONV, affine=Affine(np.array([1, 2**50]), np.zeros(2, np.int64), 14, 255))],
            "affine step of layer must fit 63 bits, not need 64",
        ),
        (
            [
                replace(
                    SIGNED,
                    affine=Affine(np.array([1, 2**14]), np.zeros(2, np.int64), 14, None),
                    grid=Grid(13, 1.0, signed=True),
                )
            ],
            "grid of signed must hold every result, 14 bits, not have 13 bits",
        ),
    ],
)
def test_a_broken_rule_is_a_sentence(nodes: list[IntegerNode], message: str) -> None:
    with pytest.raises(BadInputError) as raised:
        build(*nodes)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "grid bits must be 1 to 32, not 0"),
        ({"bits": 33}, "grid bits must be 1 to 32, not 33"),
        ({"scale": 0.0}, "grid scale must be positive and finite, not 0.0"),
        ({"scale": float("nan")}, "grid scale must be positive and finite, not nan"),
        ({"zero": 256}, "grid zero must be a code of 8 bits, not 256"),
        ({"zero": 1, "signed": True}, "zero of a signed grid must be 0, not 1"),
    ],
)
def test_a_grid_that_is_none(options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError) as raised:
        Grid(**{"bits": 8, "scale": 1.0, **options})
    assert str(raised.value) == message


def test_an_affine_step_that_is_none() -> None:
    message = r"^affine multiplier and constant must be vectors of one length, not of shapes \(2,\) and \(3,\)$"
    with pytest.raises(BadInputError, match=message):
        Affine(np.ones(2, np.int64), np.ones(3, np.int64), 14, 255)
    with pytest.raises(BadInputError, match=r"^affine shift must be 1 to 31, not 0$"):
        Affine(np.ones(2, np.int64), np.ones(2, np.int64), 0, 255)


def test_an_input_table_that_is_none() -> None:
    with pytest.raises(BadInputError, match=r"^input table must be of shape \(2, 256\), not \(2, 255\)$"):
        Input("image", (2, 4, 4), Grid(8, 1.0), np.zeros((2, 255), np.int64))
    with pytest.raises(BadInputError, match=r"^input table must hold codes of 0 to 15, not 0 to 16$"):
        Input("image", (1, 4, 4), Grid(4, 1.0), np.full((1, 256), 16) * (np.arange(256) == 7))


def test_a_network_starts_with_its_input() -> None:
    for nodes in ((), (FLAT,)):
        with pytest.raises(BadInputError, match=r"^network net must start with its input$"):
            IntegerNetwork("net", nodes)


def test_the_ends_of_a_grid() -> None:
    assert [(g.bottom, g.top, g.low, g.high) for g in (Grid(8, 0.5), Grid(4, 0.5, 8), Grid(4, 0.5, signed=True))] == [
        (0, 255, 0.0, 127.5),
        (0, 15, -4.0, 3.5),
        (-8, 7, -4.0, 3.5),
    ]


def test_arrays_cannot_be_changed_from_outside() -> None:
    weight = np.zeros((2, 2, 3, 3), np.int64)
    node = replace(CONV, weight=weight)
    weight[:] = 9
    assert node.weight.max() == 0
    with pytest.raises(ValueError, match="read-only"):
        node.weight[0] = 1


def test_the_network_answers_what_its_readers_ask() -> None:
    network = quantized(every_node_network())
    assert (network.input.name, network.output, network["odd"].name) == ("image", "fc3", "odd")
    assert [node.name for node in network.consumers("grouped")] == ["dot", "add.raw"]
    assert [node.name for node in network][-2:] == ["fc3", "argmax"]
    assert {type(node) for node in network.layers} == {Conv2d, Linear, MaxPool, SumPool}
    with pytest.raises(KeyError):
        network["absent"]
