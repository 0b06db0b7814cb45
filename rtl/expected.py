"""What the accelerator's trace and output must show for an image: the golden model's values in hardware order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from quant.integer_network import IntArray
from rtl.program import TracedLayer


def stream_order(tensor: IntArray) -> IntArray:
    """One image's tensor (C, H, W) or (C,) as it crosses a stream: row by row, pixel by pixel, channel by channel."""
    return tensor if tensor.ndim == 1 else np.ascontiguousarray(tensor.transpose(1, 2, 0)).reshape(-1)


def traced_values(layers: Sequence[TracedLayer], tensors: Mapping[str, IntArray], image: int) -> list[IntArray]:
    """What each traced layer must show for one image of a batch; `tensors` are the golden model's, by node."""
    return [
        stream_order(tensors[layer.node][image, layer.first_channel : layer.first_channel + layer.channels])
        for layer in layers
    ]


def element(layer: TracedLayer, position: int) -> tuple[int, int, int]:
    """Channel of the node, row and column of the value that a traced layer shows as number `position`, from 0."""
    pixel, channel = divmod(position, layer.channels)
    row, column = divmod(pixel, layer.width)
    return layer.first_channel + channel, row, column
