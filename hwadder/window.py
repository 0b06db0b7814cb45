"""How a layer's window moves over its maps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Window:
    """Stride, padding and dilation as (height, width), and the number of groups; as in `torch.nn.Conv2d`."""

    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def output_size(self, x: Tensor, weight: Tensor) -> Pair:
        """(H', W') of maps (N, C, H, W) under a weight (F, C / groups, kernel height, kernel width)."""
        height, width = (
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip(
                x.shape[2:], weight.shape[2:], self.stride, self.padding, self.dilation, strict=True
            )
        )
        return height, width

    def empty_output(self, x: Tensor, weight: Tensor, device: str | None = None) -> Tensor:
        """(N, F, H', W') in x's type and memory format, not filled; on x's device unless on another."""
        channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        return torch.empty(
            (x.shape[0], weight.shape[0], *self.output_size(x, weight)),
            dtype=x.dtype,
            device=device or x.device,
            memory_format=torch.channels_last if channels_last else torch.contiguous_format,
        )
