"""Adder layers: `-sum |x - w|` where a convolution or linear layer computes `sum x * w`.

Forward, gradients and the adaptive learning rate are those of AdderNet (Chen et al., CVPR 2020, arXiv 1912.13200,
eq. 2, 4, 5 and 12-13) as its reference code computes them: the weight's gradient is rescaled inside backward to the
norm `eta * sqrt(numel)` over the whole layer. So the scale of the loss does not matter, momentum and weight decay act
after the rescaling, and gradients accumulated over several backward passes (or averaged over processes) are a sum of
vectors of one length each, not the rescaled gradient of the larger batch. For those, `leave_gradients_raw` takes the
rescaling out of backward, and `rescale_gradients` does it once before the optimizer's step.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quant.errors import BadInputError

Pair = tuple[int, int]

_CHUNK_ELEMENTS = 1 << 19
"""Unfolded taps held at a time: 2 MB of float32, about one core's second-level cache."""


def _sums(taps: Tensor, weight: Tensor) -> Tensor:
    """`-sum_k |taps[k, p] - weight[f, k]|` as (F, P), one filter at a time."""
    output = taps.new_empty(weight.shape[0], taps.shape[1])
    difference = torch.empty_like(taps)
    for sums, row in zip(output, weight, strict=True):
        torch.sub(taps, row[:, None], out=difference)
        torch.sum(difference.abs_(), dim=0, out=sums)
    return output.neg_()


def _tap_gradient(taps: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    """`sum_f grad[f, p] * clamp(weight[f, k] - taps[k, p], -1, 1)` as (K, P): the full-precision gradient with the
    clamp that keeps it from exploding through depth (eq. 5)."""
    result = torch.zeros_like(taps)
    difference = torch.empty_like(taps)
    for grad_row, row in zip(grad, weight, strict=True):
        torch.sub(row[:, None], taps, out=difference)
        result.addcmul_(difference.clamp_(-1, 1), grad_row)
    return result


def _weight_gradient(taps: Tensor, weight: Tensor, grad: Tensor) -> Tensor:
    """`sum_p grad[f, p] * (taps[k, p] - weight[f, k])` as (F, K): a matrix product less a rank-one term (eq. 4)."""
    return grad @ taps.T - weight * grad.sum(dim=1, keepdim=True)


def _rescaling(grad_weight: Tensor, eta: float) -> Tensor:
    """Factor of the adaptive learning rate (eq. 12-13), the reference's floor on the norm included."""
    norm: Tensor = grad_weight.norm().clamp(min=1e-12)
    return eta * math.sqrt(grad_weight.numel()) / norm


class _AdderFunction(torch.autograd.Function):
    """Forward and gradient of one adder layer on (N, C, H, W) maps; only `x` and the weight outlive a chunk."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, groups: int, eta: float | None
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding, ctx.groups, ctx.eta = stride, padding, groups, eta
        height, width = _output_size(x, weight, stride, padding)
        output = x.new_empty(x.shape[0], weight.shape[0], height, width)
        rows = weight.flatten(1).chunk(groups)
        for start, taps in _unfolded(x, weight, stride, padding, groups):
            sums = torch.cat([_sums(group, row) for group, row in zip(taps, rows, strict=True)])
            images = sums.reshape(len(sums), -1, height, width).transpose(0, 1)
            output[start : start + images.shape[0]] = images
        return output

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        positions = grad_output.shape[2] * grad_output.shape[3]
        grad_x = torch.empty_like(x, memory_format=torch.contiguous_format) if ctx.needs_input_grad[0] else None
        rows = weight.flatten(1).chunk(ctx.groups)
        grad_rows = [torch.zeros_like(row) for row in rows]
        for start, taps in _unfolded(x, weight, ctx.stride, ctx.padding, ctx.groups):
            stop = start + taps[0].shape[1] // positions
            grads = grad_output[start:stop].transpose(0, 1).flatten(1).chunk(ctx.groups)
            if ctx.needs_input_grad[1]:
                for grad_row, group, row, grad in zip(grad_rows, taps, rows, grads, strict=True):
                    grad_row += _weight_gradient(group, row, grad)
            if grad_x is not None:
                grad_taps = torch.cat([_tap_gradient(*each) for each in zip(taps, rows, grads, strict=True)])
                # fold is unfold's transpose: every pixel collects from all windows it was read by, at any stride.
                columns = grad_taps.reshape(len(grad_taps), -1, positions).transpose(0, 1)
                grad_x[start:stop] = F.fold(
                    columns, x.shape[2:], weight.shape[2:], padding=ctx.padding, stride=ctx.stride
                )
        grad_weight = torch.cat(grad_rows).view_as(weight) if ctx.needs_input_grad[1] else None
        if grad_weight is not None and ctx.eta is not None:
            grad_weight *= _rescaling(grad_weight, ctx.eta)
        return grad_x, grad_weight, None, None, None, None


def _adder2d(x: Tensor, weight: Tensor, stride: Pair, padding: Pair, groups: int, eta: float | None) -> Tensor:
    y: Tensor = _AdderFunction.apply(x, weight, stride, padding, groups, eta)  # type: ignore[no-untyped-call]
    return y


def _output_size(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Pair:
    height, width = (
        (size + 2 * p - k) // s + 1
        for size, k, s, p in zip(x.shape[2:], weight.shape[2:], stride, padding, strict=True)
    )
    return height, width


def _unfolded(
    x: Tensor, weight: Tensor, stride: Pair, padding: Pair, groups: int
) -> Iterator[tuple[int, tuple[Tensor, ...]]]:
    """Chunks of images: the first one's index and, for each group, its taps as (C / groups * kernel, n * H * W)."""
    height, width = _output_size(x, weight, stride, padding)
    taps_per_image = x.shape[1] * weight.shape[2] * weight.shape[3] * height * width
    step = max(1, _CHUNK_ELEMENTS // taps_per_image)
    for start in range(0, x.shape[0], step):
        columns = F.unfold(x[start : start + step], weight.shape[2:], padding=padding, stride=stride)
        yield start, columns.transpose(0, 1).flatten(1).chunk(groups)


def _pair(value: int | tuple[int, ...], name: str, at_least: int) -> Pair:
    pair = (value, value) if isinstance(value, int) else value
    if len(pair) != 2 or min(pair) < at_least:
        raise BadInputError(f"{name} must be an integer of at least {at_least} or a pair of them, not {value!r}")
    return pair[0], pair[1]


class Adder2d(nn.Module):
    """Adder layer on maps: (N, C, H, W) to (N, F, H', W') with `y = -sum |x - w| (+ b)`; padded taps count as x = 0.

    Parameters are named as in the reference: `adder` (F, C / groups, kernel height, kernel width), drawn from N(0, 1),
    and the optional `b` (F,), drawn from U(0, 1). `eta` scales the weight's gradient (see the module). Follow the layer
    by batch norm: its sums are large and negative, and training sticks at chance without.
    """

    adder: nn.Parameter
    b: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Pair,
        stride: int | Pair = 1,
        padding: int | Pair = 0,
        bias: bool = False,
        groups: int = 1,
        eta: float = 0.2,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise BadInputError(
                f"groups must divide {in_channels} input and {out_channels} output channels, not be {groups}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = _pair(kernel_size, "kernel_size", 1)
        self.stride, self.padding = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
        self.groups, self.eta, self.rescales_in_backward = groups, eta, True
        self.adder = nn.Parameter(torch.randn(out_channels, in_channels // groups, *self.kernel_size))
        self.b = nn.Parameter(torch.rand(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, F, H', W'); raises BadInputError when the shape does not fit."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise BadInputError(f"input of {self} must be of shape (N, {self.in_channels}, H, W), not {tuple(x.shape)}")
        if min(_output_size(x, self.adder, self.stride, self.padding)) < 1:
            raise BadInputError(f"input of {self} must be no smaller than its kernel, not {tuple(x.shape[2:])}")
        y = _adder2d(x, self.adder, self.stride, self.padding, self.groups, _eta_in_backward(self))
        return y if self.b is None else y + self.b[:, None, None]

    def extra_repr(self) -> str:
        """What distinguishes this layer, in the order of its arguments."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += ", bias=True" if self.b is not None else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        return text + (f", eta={self.eta}" if self.eta != 0.2 else "")


class AdderLinear(nn.Module):
    """Adder layer on vectors: (..., C) to (..., F) with `y = -sum |x - w| (+ b)`, `adder` (F, C) and `b` (F,)."""

    adder: nn.Parameter
    b: nn.Parameter | None

    def __init__(self, in_features: int, out_features: int, bias: bool = False, eta: float = 0.2) -> None:
        super().__init__()
        self.in_features, self.out_features, self.eta = in_features, out_features, eta
        self.rescales_in_backward = True
        self.adder = nn.Parameter(torch.randn(out_features, in_features))
        self.b = nn.Parameter(torch.rand(out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., F); raises BadInputError when the last axis does not fit."""
        if x.dim() < 1 or x.shape[-1] != self.in_features:
            raise BadInputError(f"input of {self} must be of shape (..., {self.in_features}), not {tuple(x.shape)}")
        # A linear layer is a 1x1 layer on 1x1 maps.
        maps = x.reshape(-1, self.in_features, 1, 1)
        sums = _adder2d(maps, self.adder[:, :, None, None], (1, 1), (0, 0), 1, _eta_in_backward(self))
        y = sums.reshape(*x.shape[:-1], self.out_features)
        return y if self.b is None else y + self.b

    def extra_repr(self) -> str:
        """What distinguishes this layer, in the order of its arguments."""
        text = f"{self.in_features}, {self.out_features}" + (", bias=True" if self.b is not None else "")
        return text + (f", eta={self.eta}" if self.eta != 0.2 else "")


def _eta_in_backward(layer: Adder2d | AdderLinear) -> float | None:
    return layer.eta if layer.rescales_in_backward else None


def leave_gradients_raw(model: nn.Module) -> None:
    """From now on backward leaves the raw gradient of eq. 4 in every adder layer's weight.

    Raw gradients add up over the parts of a batch and average over processes as any gradient does;
    `rescale_gradients` must follow before the optimizer's step.
    """
    for layer in _adder_layers(model):
        layer.rescales_in_backward = False


def rescale_gradients(model: nn.Module) -> None:
    """Scale the raw gradient of each adder layer's weight to the norm `eta * sqrt(numel)` (eq. 12-13), in place.

    Raises BadInputError for a layer whose backward rescales already.
    """
    for layer in _adder_layers(model):
        if layer.rescales_in_backward:
            raise BadInputError(f"gradients to rescale must be raw (leave_gradients_raw), not those of {layer}")
        if layer.adder.grad is not None:
            layer.adder.grad *= _rescaling(layer.adder.grad, layer.eta)


def _adder_layers(model: nn.Module) -> Iterator[Adder2d | AdderLinear]:
    return (layer for layer in model.modules() if isinstance(layer, Adder2d | AdderLinear))
