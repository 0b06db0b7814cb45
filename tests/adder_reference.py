"""The adder layer by the paper's formulas in float64, tap by tap: Chen et al., CVPR 2020, eq. 2, 4 and 5."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AdderReference:
    """Output, full-precision gradient of the input, gradient of the weight before its rescaling."""

    y: Tensor
    grad_x: Tensor
    grad_weight: Tensor


def adder_reference(
    x: Tensor, weight: Tensor, grad: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> AdderReference:
    """All three for `x` (N, C, H, W), `weight` (F, C / groups, kernel height, kernel width), `grad` (N, F, H', W')."""
    x, weight, grad = x.double(), weight.double(), grad.double()
    filters, channels, kernel_height, kernel_width = weight.shape
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    result = AdderReference(torch.zeros_like(grad), torch.zeros_like(padded), torch.zeros_like(weight))
    for f in range(filters):
        first = f // (filters // groups) * channels
        for a in range(kernel_height):
            for b in range(kernel_width):
                rows, columns = (
                    slice(tap * d, tap * d + (size - 1) * s + 1, s)
                    for tap, d, s, size in zip((a, b), dilation, stride, grad.shape[2:], strict=True)
                )
                window = (slice(None), slice(first, first + channels), rows, columns)
                difference = padded[window] - weight[f, :, a, b, None, None]
                g = grad[:, f : f + 1]
                result.y[:, f] -= difference.abs().sum(1)
                result.grad_x[window] += g * (-difference).clamp(-1, 1)
                result.grad_weight[f, :, a, b] = (g * difference).sum((0, 2, 3))
    unpadded = result.grad_x[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]]
    return AdderReference(result.y, unpadded, result.grad_weight)
