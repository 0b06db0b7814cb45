"""Adder layers: `-sum |x - w|` where a convolution or linear layer computes `sum x * w`.

Forward, gradients and the adaptive learning rate are those of AdderNet (Chen et al., CVPR 2020, arXiv 1912.13200,
eq. 2, 4, 5 and 12-13) as its reference code computes them: the weight's gradient is rescaled inside backward to the
norm `eta * sqrt(numel)` over the whole layer. So the scale of the loss does not matter, momentum and weight decay act
after the rescaling, and gradients accumulated over several backward passes (or averaged over processes) are a sum of
vectors of one length each, not the rescaled gradient of the larger batch. For those, `leave_gradients_raw` takes the
rescaling out of backward, and `rescale_gradients` does it once before the optimizer's step.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from hwadder.adder_ops import adder2d, rescaled
from hwadder.window import Pair, Window
from quant.errors import BadInputError


def _is_count(value: object, at_least: int) -> bool:
    return isinstance(value, int) and value >= at_least


def _require_size(size: int, name: str) -> None:
    if not _is_count(size, 1):
        raise BadInputError(f"{name} must be an integer of at least 1, not {size!r}")


def _pair(value: object, name: str, at_least: int) -> Pair:
    pair = (value, value) if isinstance(value, int) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2 or not all(_is_count(each, at_least) for each in pair):
        raise BadInputError(f"{name} must be an integer of at least {at_least} or a pair of them, not {value!r}")
    return pair[0], pair[1]


class Adder2d(nn.Module):
    """Adder layer on maps: (N, C, H, W) to (N, F, H', W') with `y = -sum |x - w| (+ b)`; padded taps count as x = 0.

    Parameters are named as in the reference: `adder` (F, C / groups, kernel height, kernel width), drawn from N(0, 1),
    and the optional `b` (F,), drawn from U(0, 1). `eta` scales the weight's gradient (see the module). Follow the layer
    by batch norm: its sums are large and negative, and training sticks at chance without. `exact` asks for sums whose
    rounding error is in proportion to the result, not to `sum |x| + sum |w|`, and takes longer (`adder_ops.adder2d`).
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
        dilation: int | Pair = 1,
        exact: bool = False,
    ) -> None:
        super().__init__()
        for size, name in ((in_channels, "in_channels"), (out_channels, "out_channels"), (groups, "groups")):
            _require_size(size, name)
        if in_channels % groups or out_channels % groups:
            raise BadInputError(
                f"groups must divide {in_channels} input and {out_channels} output channels, not be {groups}"
            )
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = _pair(kernel_size, "kernel_size", 1)
        self.stride, self.padding = _pair(stride, "stride", 1), _pair(padding, "padding", 0)
        self.dilation = _pair(dilation, "dilation", 1)
        self.groups, self.eta, self.exact, self.rescales_in_backward = groups, eta, exact, True
        self.adder = nn.Parameter(torch.randn(out_channels, in_channels // groups, *self.kernel_size))
        self.b = nn.Parameter(torch.rand(out_channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, F, H', W'); raises BadInputError when the shape does not fit."""
        if x.dim() != 4 or x.shape[1] != self.in_channels:
            raise BadInputError(f"input of {self} must be of shape (N, {self.in_channels}, H, W), not {tuple(x.shape)}")
        window = (self.stride, self.padding, self.dilation, self.groups)
        if min(Window(*window).output_size(x, self.adder)) < 1:
            raise BadInputError(f"input of {self} must be no smaller than its kernel, not {tuple(x.shape[2:])}")
        y: Tensor = adder2d(x, self.adder, *window, self.exact, _eta_in_backward(self))
        return y if self.b is None else y + self.b[:, None, None]

    def extra_repr(self) -> str:
        """What distinguishes this layer, in the order of its arguments."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        text += f", padding={self.padding}" if self.padding != (0, 0) else ""
        text += ", bias=True" if self.b is not None else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += f", eta={self.eta}" if self.eta != 0.2 else ""
        text += f", dilation={self.dilation}" if self.dilation != (1, 1) else ""
        return text + (", exact=True" if self.exact else "")


class AdderLinear(nn.Module):
    """Adder layer on vectors: (..., C) to (..., F) with `y = -sum |x - w| (+ b)`, `adder` (F, C) and `b` (F,)."""

    adder: nn.Parameter
    b: nn.Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = False, eta: float = 0.2, exact: bool = False
    ) -> None:
        super().__init__()
        _require_size(in_features, "in_features")
        _require_size(out_features, "out_features")
        self.in_features, self.out_features = in_features, out_features
        self.eta, self.exact, self.rescales_in_backward = eta, exact, True
        self.adder = nn.Parameter(torch.randn(out_features, in_features))
        self.b = nn.Parameter(torch.rand(out_features)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) to (..., F); raises BadInputError when the last axis does not fit."""
        if x.dim() < 1 or x.shape[-1] != self.in_features:
            raise BadInputError(f"input of {self} must be of shape (..., {self.in_features}), not {tuple(x.shape)}")
        # A linear layer is a 1x1 layer on one image, a row of its maps for each vector; transposing only relabels axes.
        maps = x.reshape(-1, self.in_features).T[None, :, :, None]
        weight = self.adder[:, :, None, None]
        sums: Tensor = adder2d(maps, weight, (1, 1), (0, 0), (1, 1), 1, self.exact, _eta_in_backward(self))
        y = sums[0, :, :, 0].T.reshape(*x.shape[:-1], self.out_features)
        return y if self.b is None else y + self.b

    def extra_repr(self) -> str:
        """What distinguishes this layer, in the order of its arguments."""
        text = f"{self.in_features}, {self.out_features}" + (", bias=True" if self.b is not None else "")
        text += f", eta={self.eta}" if self.eta != 0.2 else ""
        return text + (", exact=True" if self.exact else "")


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
            layer.adder.grad.copy_(rescaled(layer.adder.grad, layer.eta))


def _adder_layers(model: nn.Module) -> Iterator[Adder2d | AdderLinear]:
    return (layer for layer in model.modules() if isinstance(layer, Adder2d | AdderLinear))
