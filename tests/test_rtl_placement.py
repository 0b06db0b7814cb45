"""Tensors keep their words as long as anybody reads them, whatever else is written meanwhile."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, small_resnet
from odd_networks import ODD_NETWORKS

from quant.float_network import Kind
from quant.integer_network import Argmax, Conv2d, Flatten, IntegerNetwork, sources
from rtl.descriptor import Buffer
from rtl.placement import Layout, allocate, choose_buffers, crossings, layout, skewed, stored_name


def layouts_of(network: IntegerNetwork, lanes: int, code_bits: int) -> dict[str, Layout]:
    """Layouts of all tensors that are stored; the output leaves by the stream."""
    output = stored_name(network, network.output)
    return {
        node.name: skewed(
            network, node.name, layout(network.shapes[node.name], network.grids[node.name].bits, lanes, code_bits)
        )
        for node in network
        if not isinstance(node, Flatten | Argmax) and node.name != output
    }


def assert_no_row_is_lost(network: IntegerNetwork, lanes: int, code_bits: int) -> None:
    """Play the network on memories that know whose row each is: every tensor is whole whenever it is read."""
    layouts = layouts_of(network, lanes, code_bits)
    buffers = choose_buffers(network, list(layouts))
    bases, depths = allocate(network, layouts, buffers)
    assert bases.keys() == layouts.keys() == buffers.keys()
    assert [name for name in buffers if buffers[name] is Buffer.IMAGE] == [network.input.name]
    owners = {buffer: [""] * depth for buffer, depth in depths.items()}

    def rows(tensor: str) -> range:
        return range(bases[tensor], bases[tensor] + layouts[tensor].rows)

    for node in network:
        if isinstance(node, Flatten | Argmax):
            continue
        # Its first result may be written while its last window is still to be read.
        if node.name in bases:
            for row in rows(node.name):
                owners[buffers[node.name]][row] = node.name
        for source in sources(node):
            tensor = stored_name(network, source)
            whole = all(owners[buffers[tensor]][row] == tensor for row in rows(tensor))
            assert whole, f"{node.name} reads a broken {tensor}"
    for buffer, depth in depths.items():
        assert depth == max((rows(tensor).stop for tensor in bases if buffers[tensor] is buffer), default=1)


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(2, 8))
def test_random_networks_read_whole_tensors(seed: int, lanes: int, code_bits: int) -> None:
    assert_no_row_is_lost(random_network(seed), lanes, code_bits)


@pytest.mark.parametrize("name", ODD_NETWORKS)
def test_odd_graphs_read_whole_tensors(name: str) -> None:
    assert_no_row_is_lost(quantized(ODD_NETWORKS[name]()), 3, 8)


def test_graphs_with_shortcuts_read_whole_tensors() -> None:
    assert_no_row_is_lost(quantized(small_resnet(blocks=2)), 4, 8)
    assert_no_row_is_lost(quantized(every_node_network()), 2, 4)


def test_rows_of_dead_tensors_are_used_again() -> None:
    chain = Chain(1, 4, (3, 5, 5))
    for index in range(6):
        chain.conv(f"layer{index}", Kind.ADDER, 3, (3, 3), padding=(1, 1))
    chain.conv("end", Kind.ADDER, 1, (1, 1), bits=None)
    layouts = layouts_of(chain.network, 2, 4)
    buffers = choose_buffers(chain.network, list(layouts))
    bases, depths = allocate(chain.network, layouts, buffers)
    # Each tensor takes 75 codes, two a row, and the buffers take turns. (Lines of 15 and windows of 9 are both odd.)
    assert {one.rows for one in layouts.values()} == {38}
    assert [buffers[f"layer{index}"] for index in range(6)] == 3 * [Buffer.A, Buffer.B]
    assert set(bases.values()) == {0}
    assert depths == dict.fromkeys(Buffer, 38)


def test_a_shortcut_lies_in_another_buffer_than_the_source() -> None:
    network = quantized(small_resnet(blocks=3))
    buffers = choose_buffers(network, list(layouts_of(network, 4, 8)))
    pairs = [(node.source, node.shortcut) for node in network if isinstance(node, Conv2d) and node.shortcut is not None]
    assert len(pairs) == 9
    assert all(buffers[source] is not buffers[shortcut] for source, shortcut in pairs)


@given(
    st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.integers(1, 32), st.integers(1, 9), st.integers(2, 8)
)
def test_every_code_of_a_layout_has_a_place_of_its_own(
    channels: int, height: int, width: int, bits: int, lanes: int, code_bits: int
) -> None:
    place = layout((channels, height, width), bits, lanes, code_bits)
    planes, lines, codes = np.arange(-(-bits // code_bits)), np.arange(height), np.arange(width * channels)
    for apart in (0, 1, lanes - 1):
        moved = replace(place, line_codes=place.line_codes + apart)
        places = planes[:, None, None] * moved.plane_rows * lanes + lines[:, None] * moved.line_codes + codes
        assert len(set(places.ravel().tolist())) == places.size
        assert places.max() // lanes < moved.rows
    assert place.rows == len(planes) * -(-channels * height * width // lanes)


@given(st.integers(1, 5), st.integers(1, 40), st.integers(1, 20))
def test_crossings_are_counted_as_the_words_show_them(lines: int, codes: int, lanes: int) -> None:
    owner = [line for line in range(lines) for _ in range(codes)]
    words = [owner[start : start + lanes] for start in range(0, len(owner), lanes)]
    assert crossings(lines, codes, lanes) == max(len(set(word)) - 1 for word in words)


def test_lines_are_moved_apart_for_the_windows_of_the_busiest_reader() -> None:
    chain = Chain(1, 4, (3, 8, 8))
    chain.conv("first", Kind.ADDER, 4, (3, 3), padding=(1, 1))
    chain.conv("second", Kind.ADDER, 2, (5, 5))
    chain.conv("third", Kind.ADDER, 2, (1, 1))
    chain.conv("end", Kind.ADDER, 1, (4, 4), bits=None)
    layouts = layouts_of(chain.network, 16, 8)
    # Lines of 24 codes and windows of 9: 25 is 9 and 16. Then 32 and 20: 36 is 20 and 16. 1x1 windows have one line.
    assert [(name, one.line_codes) for name, one in layouts.items()] == [
        ("image", 25),
        ("first", 36),
        ("second", 8),
        ("third", 8),
    ]


def test_a_vector_is_a_map_of_one_pixel() -> None:
    assert layout((7,), 8, 3, 4) == layout((7, 1, 1), 8, 3, 4) == Layout(7, 1, 1, 2, 3, 7)
