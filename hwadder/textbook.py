"""The adder layer as its definition reads, in plain torch: for every device and type that has no kernels.

Patches are unfolded for a few images at a time and each filter is subtracted from all of them, so that no tensor of
(filters x taps x positions) is ever held. A kernel is 20 to 40 times as fast (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from hwadder.window import Window

_CHUNK_ELEMENTS = 1 << 19
"""Unfolded taps held at a time: 2 MB of float32, about one core's second-level cache."""


def adder2d_forward(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """`-sum |x - w|` of maps (N, C, H, W) as (N, F, H', W')."""
    height, width = window.output_size(x, weight)
    output = x.new_empty(x.shape[0], weight.shape[0], height, width)
    rows = weight.flatten(1).chunk(window.groups)
    for start, taps in _unfolded(x, weight, window):
        sums = torch.cat([_sums(group, row) for group, row in zip(taps, rows, strict=True)])
        images = sums.reshape(len(sums), -1, height, width).transpose(0, 1)
        output[start : start + images.shape[0]] = images
    return output


def adder2d_input_gradient(grad: Tensor, x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """`sum grad * clamp(w - x, -1, 1)` over all windows that read a pixel, as (N, C, H, W): the full-precision gradient
    with the clamp that keeps it from exploding through depth (AdderNet, eq. 5)."""
    grad_x = torch.empty_like(x, memory_format=torch.contiguous_format)
    positions = grad.shape[2] * grad.shape[3]
    rows = weight.flatten(1).chunk(window.groups)
    for start, taps in _unfolded(x, weight, window):
        stop = start + taps[0].shape[1] // positions
        grads = grad[start:stop].transpose(0, 1).flatten(1).chunk(window.groups)
        grad_taps = torch.cat([_tap_gradient(*each) for each in zip(taps, rows, grads, strict=True)])
        # fold is unfold's transpose: every pixel collects from all windows it was read by, at any stride.
        columns = grad_taps.reshape(len(grad_taps), -1, positions).transpose(0, 1)
        grad_x[start:stop] = F.fold(
            columns, x.shape[2:], weight.shape[2:], window.dilation, window.padding, window.stride
        )
    return grad_x


def adder2d_weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """`sum grad * (x - w)` over all positions, as (F, C / groups, kernel height, kernel width): a matrix product less a
    rank-one term (AdderNet, eq. 4)."""
    positions = grad.shape[2] * grad.shape[3]
    rows = weight.flatten(1).chunk(window.groups)
    grad_rows = [torch.zeros_like(row) for row in rows]
    for start, taps in _unfolded(x, weight, window):
        stop = start + taps[0].shape[1] // positions
        grads = grad[start:stop].transpose(0, 1).flatten(1).chunk(window.groups)
        for grad_row, group, row, part in zip(grad_rows, taps, rows, grads, strict=True):
            grad_row += part @ group.T - row * part.sum(dim=1, keepdim=True)
    return torch.cat(grad_rows).view(weight.shape)


def _sums(taps: Tensor, weight: Tensor) -> Tensor:
    """`-sum_k |taps[k, p] - weight[f, k]|` as (F, P), one filter at a time."""
    output = taps.new_empty(weight.shape[0], taps.shape[1])
    difference = torch.empty_like(taps)
    for sums, row in zip(output, weight, strict=True):
        torch.sub(taps, row[:, None], out=difference)
        torch.sum(difference.abs_(), dim=0, out=sums)
    return output.neg_()


def _tap_gradient(taps: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    """`sum_f grad[f, p] * clamp(weight[f, k] - taps[k, p], -1, 1)` as (K, P), one filter at a time."""
    result = torch.zeros_like(taps)
    difference = torch.empty_like(taps)
    for grad_row, row in zip(grad, weight, strict=True):
        torch.sub(row[:, None], taps, out=difference)
        result.addcmul_(difference.clamp_(-1, 1), grad_row)
    return result


def _unfolded(x: Tensor, weight: Tensor, window: Window) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Chunks of images: the first one's index and, for each group, its taps as (C / groups * kernel, n * H' * W')."""
    height, width = window.output_size(x, weight)
    taps_per_image = x.shape[1] * weight.shape[2] * weight.shape[3] * height * width
    step = max(1, _CHUNK_ELEMENTS // max(1, taps_per_image))
    for start in range(0, x.shape[0], step):
        columns = F.unfold(x[start : start + step], weight.shape[2:], window.dilation, window.padding, window.stride)
        yield start, columns.transpose(0, 1).flatten(1).chunk(window.groups)
