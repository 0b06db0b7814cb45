from __future__ import annotations

import numpy as np

from rtl.expected import element, stream_order, traced_values
from rtl.program import TracedLayer


def test_a_stream_goes_row_by_row_pixel_by_pixel_channel_by_channel() -> None:
    tensor = np.random.default_rng(1).integers(0, 99, (3, 2, 4))
    expected = [tensor[channel, row, column] for row in range(2) for column in range(4) for channel in range(3)]
    assert stream_order(tensor).tolist() == expected
    assert stream_order(tensor[:, 0, 0]).tolist() == tensor[:, 0, 0].tolist()


def test_a_traced_layer_shows_its_slice_of_channels_of_the_asked_image() -> None:
    tensors = {"map": np.arange(2 * 4 * 3 * 2).reshape(2, 4, 3, 2), "vector": np.arange(2 * 5).reshape(2, 5)}
    layers = [TracedLayer(1, "map", 1, 2, 3, 2), TracedLayer(2, "vector", 0, 5, 1, 1)]
    values = traced_values(layers, tensors, 1)
    assert values[0].tolist() == [tensors["map"][1, c, y, x] for y in range(3) for x in range(2) for c in (1, 2)]
    assert values[1].tolist() == [5, 6, 7, 8, 9]


def test_an_element_is_where_the_traced_value_lies() -> None:
    layer = TracedLayer(1, "map", 1, 2, 3, 2)
    places = [element(layer, position) for position in range(2 * 3 * 2)]
    assert places == [(channel, row, column) for row in range(3) for column in range(2) for channel in (1, 2)]
