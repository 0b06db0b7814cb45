"""Tensors keep their words as long as anybody reads them, whatever else is written meanwhile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, small_resnet
from odd_networks import ODD_NETWORKS

from quant.float_network import Kind
from quant.integer_network import Argmax, Flatten, IntegerNetwork, sources
from rtl.placement import Layout, allocate, layout, stored_name


def layouts_of(network: IntegerNetwork, lanes: int, code_bits: int) -> dict[str, Layout]:
    """Layouts of all tensors that are stored; the output leaves by the stream."""
    output = stored_name(network, network.output)
    return {
        node.name: layout(network.shapes[node.name], network.grids[node.name].bits, lanes, code_bits)
        for node in network
        if not isinstance(node, Flatten | Argmax) and node.name != output
    }


def assert_no_word_is_lost(network: IntegerNetwork, lanes: int, code_bits: int) -> None:
    """Play the network on a memory that knows whose word each is: every tensor is whole whenever it is read."""
    layouts = layouts_of(network, lanes, code_bits)
    bases, depth = allocate(network, layouts)
    assert bases.keys() == layouts.keys()
    owners = [""] * depth

    def words(tensor: str) -> range:
        return range(bases[tensor], bases[tensor] + layouts[tensor].words)

    for node in network:
        if isinstance(node, Flatten | Argmax):
            continue
        # Its first result may be written while its last window is still to be read.
        if node.name in bases:
            for word in words(node.name):
                owners[word] = node.name
        for source in sources(node):
            tensor = stored_name(network, source)
            assert all(owners[word] == tensor for word in words(tensor)), f"{node.name} reads a broken {tensor}"
    assert depth == max(words(tensor).stop for tensor in bases)


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 8))
def test_random_networks_read_whole_tensors(seed: int, lanes: int, code_bits: int) -> None:
    assert_no_word_is_lost(random_network(seed), lanes, code_bits)


@pytest.mark.parametrize("name", ODD_NETWORKS)
def test_odd_graphs_read_whole_tensors(name: str) -> None:
    assert_no_word_is_lost(quantized(ODD_NETWORKS[name]()), 3, 8)


def test_graphs_with_shortcuts_read_whole_tensors() -> None:
    assert_no_word_is_lost(quantized(small_resnet(blocks=2)), 4, 8)
    assert_no_word_is_lost(quantized(every_node_network()), 2, 4)


def test_words_of_dead_tensors_are_used_again() -> None:
    chain = Chain(1, 4, (3, 5, 5))
    for index in range(6):
        chain.conv(f"layer{index}", Kind.ADDER, 3, (3, 3), padding=(1, 1))
    chain.conv("end", Kind.ADDER, 1, (1, 1), bits=None)
    layouts = layouts_of(chain.network, 2, 4)
    bases, depth = allocate(chain.network, layouts)
    # Each tensor takes 5 * 5 pixels of 2 words, and two of them live at a time.
    assert {one.words for one in layouts.values()} == {50}
    assert (sorted(set(bases.values())), depth) == ([0, 50], 100)


@given(
    st.integers(1, 40), st.integers(1, 6), st.integers(1, 6), st.integers(1, 32), st.integers(1, 9), st.integers(2, 8)
)
def test_every_code_of_a_layout_has_a_word_of_its_own(
    channels: int, height: int, width: int, bits: int, lanes: int, code_bits: int
) -> None:
    place = layout((channels, height, width), bits, lanes, code_bits)
    planes = np.arange(-(-bits // code_bits))
    rows, columns, words = np.arange(height), np.arange(width), np.arange(-(-channels // lanes))
    addresses = (
        rows[:, None, None, None] * place.row_step
        + columns[:, None, None] * place.pixel_step
        + planes[:, None] * place.plane_step
        + words
    )
    assert sorted(addresses.ravel().tolist()) == list(range(place.words))


def test_a_vector_is_a_map_of_one_pixel() -> None:
    assert layout((7,), 8, 3, 4) == layout((7, 1, 1), 8, 3, 4) == Layout(7, 1, 1, 2, 3)
