"""The executor against the golden model: every element of every layer, on every variant of the kernels."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, random_images, small_lenet, small_resnet
from odd_networks import ODD_NETWORKS
from strategies import codes, input_node, layers, vectors

import quant.native_network
from quant.errors import BadInputError
from quant.executor import Executor, default_threads
from quant.float_network import Kind
from quant.golden import classify, encode, logits, trace
from quant.integer_network import (
    Affine,
    Conv2d,
    Flatten,
    Grid,
    IntArray,
    IntegerNetwork,
    Linear,
    SumPool,
)
from quant.native_library import CAPABILITY_VARIABLE, Capability


@pytest.fixture(params=[each.name.lower() for each in Capability])
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    monkeypatch.setenv(CAPABILITY_VARIABLE, name)
    return name


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quant.native_network, "load_library", lambda *_: None)


def differences(network: IntegerNetwork, batch: IntArray, threads: int = 1) -> list[str]:
    """Nodes whose tensors differ from the golden model's in type, shape or any element."""
    executor = Executor(network, threads)
    assert executor.is_native
    expected, actual = trace(network, batch), executor.trace(batch)
    assert list(actual) == list(expected)
    return [
        name
        for name, tensor in expected.items()
        if actual[name].dtype != tensor.dtype or not np.array_equal(actual[name], tensor)
    ]


def input_codes(network: IntegerNetwork, count: int, seed: int = 0) -> IntArray:
    return codes(0, network.input.grid.top, (count, *network.input.shape), seed)


# Every network of the test suite --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("seed", range(60))
def test_random_networks(seed: int) -> None:
    network = random_network(seed)
    assert differences(network, input_codes(network, 3, seed), 1 + seed % 2) == []


@pytest.fixture(scope="module")
def odd_networks() -> dict[str, IntegerNetwork]:
    return {
        f"{name}, {bits} bits": quantized(build(), bits, bits, images=8)
        for name, build in ODD_NETWORKS.items()
        for bits in (8, 3)
    }


@pytest.mark.usefixtures("variant")
def test_odd_networks(odd_networks: dict[str, IntegerNetwork]) -> None:
    for name, network in odd_networks.items():
        assert (name, differences(network, encode(network, random_images(network.input.shape, 3)))) == (name, [])


@pytest.mark.usefixtures("variant")
def test_usual_networks() -> None:
    for build in (small_lenet, small_resnet, every_node_network):
        network = quantized(build(), images=8)
        assert differences(network, encode(network, random_images(network.input.shape, 5)), 2) == []


@given(layers(), st.sampled_from(Capability))
def test_single_layers(drawn: tuple[IntegerNetwork, IntArray], capability: Capability) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(CAPABILITY_VARIABLE, capability.name.lower())
        assert differences(*drawn) == []


@given(vectors(), st.sampled_from(Capability))
def test_single_linear_layers(drawn: tuple[Linear, Grid, IntArray], capability: Capability) -> None:
    node, grid, batch = drawn
    image = input_node((batch.shape[1], 1, 1), grid)
    network = IntegerNetwork("linear", (image, Flatten("flat", "image"), node))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(CAPABILITY_VARIABLE, capability.name.lower())
        assert differences(network, batch[:, :, None, None]) == []


# Sizes that fill blocks, tiles and chunks, and those that just do not -------------------------------------------------


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("filters", [1, 15, 16, 17, 33])
@pytest.mark.parametrize("channels", [1, 3, 8, 20])
def test_blocks_of_filters_and_chunks_of_channels(kind: Kind, channels: int, filters: int) -> None:
    chain = Chain(channels * filters, 8, (channels, 6, 7))
    chain.conv("layer", kind, filters, (3, 3), padding=(1, 1), bits=8, weight_bits=8)
    chain.conv("second", kind, filters, (3, 3), padding=(1, 1), bits=8, weight_bits=8, shortcut="layer")
    assert differences(chain.network, input_codes(chain.network, 2)) == []


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize(
    ("channels", "filters", "groups"), [(6, 6, 6), (40, 40, 40), (4, 12, 4), (24, 36, 2), (18, 3, 3)]
)
def test_groups(kind: Kind, channels: int, filters: int, groups: int) -> None:
    chain = Chain(channels, 8, (channels, 5, 9))
    chain.conv("layer", kind, filters, (3, 2), (2, 1), (1, 1), groups, 8, 8)
    if channels == filters:
        chain.conv("second", kind, filters, (3, 3), (1, 1), (1, 1), groups, 5, 8, shortcut="layer")
    assert differences(chain.network, input_codes(chain.network, 2)) == []


@pytest.mark.usefixtures("variant")
def test_readers_with_different_windows_share_one_map() -> None:
    chain = Chain(5, 8, (3, 9, 8))
    chain.conv("map", Kind.ADDER, 16, (3, 3), padding=(1, 1), bits=8)
    source = chain.nodes[-1]
    layers = []
    for name, kernel, padding in (("far", (5, 5), (4, 3)), ("near", (1, 1), (0, 0)), ("wide", (1, 7), (0, 6))):
        chain.nodes = [*chain.nodes[: chain.nodes.index(source) + 1]]
        chain.conv(name, Kind.ADDER, 5, kernel, padding=padding, bits=8)
        layers.append(chain.nodes[-1])
    chain.nodes = [*chain.nodes[: chain.nodes.index(source) + 1]]
    chain.max_pool("max", (3, 3), (2, 2), (2, 1))
    network = IntegerNetwork("shared", (*chain.nodes, *layers))
    assert differences(network, input_codes(network, 3)) == []


# Widths ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("excess", [-1, 0, 1])
@pytest.mark.parametrize("sign", [-1, 1])
def test_totals_at_the_edge_of_32_bits(kind: Kind, excess: int, sign: int) -> None:
    # The largest total is 2^31 - 1 + excess or the smallest -2^31 - excess: with an excess of 1 it does not fit.
    image = input_node((1, 1, 2), Grid(8, 1.0))
    weight = np.zeros((1, 1, 1, 1), np.int64) + (0 if kind is Kind.ADDER else 1)
    weight_bits = 8 if kind is Kind.ADDER else 2
    acc_sign = -1 if kind is Kind.ADDER else 1
    multiplier = np.array([sign * acc_sign * 2**20])
    edge = 2**31 - 1 + excess if sign > 0 else -(2**31) - excess
    constant = np.array([edge - sign * 255 * 2**20 - 2**22])
    layer = Conv2d("layer", "image", kind, weight, weight_bits, Affine(multiplier, constant, 23, 255), Grid(8, 1.0))
    batch = np.array([[[[0, 255]]], [[[1, 254]]], [[[127, 128]]]])
    assert differences(IntegerNetwork("edge", (image, layer)), batch) == []


@pytest.mark.usefixtures("variant")
def test_steps_of_60_bits() -> None:
    image = input_node((3, 2, 2), Grid(8, 1.0))
    rng = np.random.default_rng(1)
    weight = rng.integers(0, 256, (5, 3, 2, 2))
    affine = Affine(rng.integers(-(2**47), 2**47, 5), rng.integers(-(2**59), 2**59, 5), 31, 2**31 - 1)
    first = Conv2d("first", "image", Kind.ADDER, weight, 8, affine, Grid(31, 1.0), padding=(1, 1))
    # 31-bit codes behind a halo, in a dot layer with groups.
    affine = Affine(np.array([3, -2, 1, 5, 7]), np.array([0, 9, -9, 1 << 40, 3]), 20, 255)
    weight = rng.integers(-(2**15), 2**15, (5, 1, 3, 3))
    second = Conv2d("second", "first", Kind.DOT, weight, 16, affine, Grid(8, 1.0), (1, 1), (1, 1), 5)
    network = IntegerNetwork("wide", (image, first, second))
    assert differences(network, input_codes(network, 4)) == []


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("channels", [257, 258, 300])
def test_dot_sums_at_the_edge_of_32_bits(channels: int) -> None:
    # 258 taps of 255 * -2^15 are the first that leave 32 bits.
    image = input_node((channels, 1, 1), Grid(8, 1.0))
    affine = Affine(np.array([1]), np.array([0]), 1, None)
    layer = Conv2d(
        "layer", "image", Kind.DOT, np.full((1, channels, 1, 1), -(2**15)), 16, affine, Grid(32, 1.0, signed=True)
    )
    batch = np.stack(
        [np.full((channels, 1, 1), 255), np.full((channels, 1, 1), 254), np.arange(channels)[:, None, None] % 256]
    )
    assert differences(IntegerNetwork("dot", (image, layer)), batch) == []


@pytest.mark.usefixtures("variant")
@pytest.mark.parametrize("code", [0, 255])
def test_long_adder_sums_of_the_largest_distances(code: int) -> None:
    # 5,400 taps of 255: any sum of a single lane that is kept in 16 bits would overflow.
    image = input_node((600, 3, 3), Grid(8, 1.0))
    affine = Affine(np.array([1, -1]), np.array([0, 3]), 1, None)
    weight = np.stack([np.full((600, 3, 3), 255), np.zeros((600, 3, 3), np.int64)])
    layer = Conv2d("layer", "image", Kind.ADDER, weight, 8, affine, Grid(32, 1.0, signed=True))
    assert differences(IntegerNetwork("long", (image, layer)), np.full((1, 600, 3, 3), code)) == []


def test_a_pool_beyond_32_bits_is_left_to_the_golden_model() -> None:
    image = input_node((1, 2903, 2903), Grid(8, 1.0))
    affine = Affine(np.array([1]), np.array([0]), 8, 255)
    pool = SumPool("pool", "image", (2903, 2903), (1, 1), Grid(8, 1.0), affine=affine)
    assert not Executor(IntegerNetwork("huge", (image, pool))).is_native


# The executor itself --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_classes_are_the_golden_models(threads: int) -> None:
    network = quantized(small_lenet())
    images = random_images(network.input.shape, 23, 5)
    expected = np.concatenate(list(classify(network, images)))
    logits_expected = np.concatenate(list(logits(network, images)))
    for batch in (1, 7, 64):
        batches = list(Executor(network, threads).classify(images, batch))
        assert [len(each) for each in batches[:-1]] == [batch] * (len(batches) - 1)
        assert np.concatenate(batches).tolist() == expected.tolist()
        assert (
            np.concatenate(list(Executor(network, threads).logits(images, batch))).tolist() == logits_expected.tolist()
        )


def test_images_in_any_memory_order() -> None:
    network = quantized(small_resnet(), images=8)
    images = random_images(network.input.shape, 9, 5)
    turned = np.asfortranarray(images)
    assert [each.tolist() for each in Executor(network).classify(turned[::2])] == [
        each.tolist() for each in classify(network, images[::2])
    ]
    codes = encode(network, turned)
    assert differences(network, codes) == []


def test_no_images_give_empty_tensors() -> None:
    network = quantized(small_lenet(), images=8)
    tensors = Executor(network).trace(encode(network, random_images(network.input.shape, 0)))
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        name: (0, *shape) for name, shape in network.shapes.items()
    }
    assert list(Executor(network).classify(random_images(network.input.shape, 0))) == []


@pytest.mark.usefixtures("no_library")
def test_without_the_library_the_golden_model_computes() -> None:
    network = quantized(small_lenet(), images=8)
    images = random_images(network.input.shape, 9)
    executor = Executor(network)
    assert not executor.is_native
    expected, actual = trace(network, encode(network, images)), executor.trace(encode(network, images))
    assert all(np.array_equal(tensor, actual[name]) for name, tensor in expected.items())
    assert [each.tolist() for each in executor.classify(images, 4)] == [
        each.tolist() for each in classify(network, images, 4)
    ]


@pytest.mark.parametrize("value", [-1, 16])
def test_codes_off_the_grid_are_refused(value: int) -> None:
    network = IntegerNetwork("flat", (input_node((2, 1, 1), Grid(4, 1.0)), Flatten("flat", "image")))
    with pytest.raises(BadInputError) as caught:
        Executor(network).trace(np.array([[[[0]], [[value]]]]))
    assert str(caught.value) == f"codes must be 0 to 15, not {min(0, value)} to {max(0, value)}"


def test_codes_of_another_shape_are_refused() -> None:
    network = IntegerNetwork("flat", (input_node((2, 1, 1), Grid(4, 1.0)), Flatten("flat", "image")))
    with pytest.raises(BadInputError) as caught:
        Executor(network).trace(np.zeros((1, 2, 1), np.int64))
    assert str(caught.value) == "codes must be of shape (N, 2, 1, 1), not (1, 2, 1)"


def test_wrong_images_are_refused() -> None:
    network = quantized(small_lenet(), images=8)
    with pytest.raises(BadInputError) as caught:
        list(Executor(network).classify(np.zeros((1, 3, 12, 12), np.uint8)))
    assert str(caught.value) == "images must be uint8 of shape (N, 1, 12, 12), not uint8 of shape (1, 3, 12, 12)"


def test_a_network_without_argmax_cannot_classify() -> None:
    network = IntegerNetwork("open", (input_node((1, 1, 1), Grid(8, 1.0)), Flatten("flat", "image")))
    with pytest.raises(BadInputError) as caught:
        list(Executor(network).classify(np.zeros((1, 1, 1, 1), np.uint8)))
    assert str(caught.value) == "network open must end in an argmax to classify, not in flat"


def test_no_threads_are_refused() -> None:
    with pytest.raises(BadInputError) as caught:
        Executor(random_network(0), 0)
    assert str(caught.value) == "threads must be at least 1, not 0"


@pytest.mark.parametrize(("value", "threads"), [("3", 3), ("4,2", 4), ("", None), ("0", None), ("many", None)])
def test_threads_follow_the_environment(value: str, threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert default_threads() == (threads or len(os.sched_getaffinity(0)))
    assert Executor(random_network(0)).threads == default_threads()
