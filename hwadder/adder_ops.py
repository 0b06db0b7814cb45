"""The adder layer as torch operators: `hwadder::adder2d` and its two gradients, for autograd and `torch.compile`.

Which implementation runs follows the tensors: float32 on a CPU the compiled kernels (`cpu_kernels`), a GPU the Triton
kernels (`gpu_kernels`), all else, and both of these where kernels are not installed, the textbook form. What is
narrower than float32 is computed in float32 and rounded once, at the end. An autocast region hands the operators
float32 and gets float32: batch norm needs the spread of sums that lie in the thousands, which bfloat16 does not hold.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn.grad import conv2d_weight

from hwadder import cpu_kernels, textbook
from hwadder.window import Window
from quant.errors import BadInputError


@torch.library.custom_op("hwadder::adder2d", mutates_args=())
def adder2d(
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    exact: bool = False,
    eta: float | None = None,  # noqa: ARG001 - backward reads it
) -> Tensor:
    """`-sum |x - w|` of maps (N, C, H, W) under a weight (F, C / groups, kernel height, kernel width), as
    (N, F, H', W') in x's memory format; padded taps count as x = 0 (AdderNet, eq. 2).

    Without `exact`, kernels may sum `x + w - 2 min(x, w)`, two instructions on a CPU for every three of the
    definition: the rounding error is then within 2e-6 of `sum |x| + sum |w|`, taken over a window's taps, and the sum
    over an infinite x or w is not a number. With `exact` the error is within 2e-6 of the result, whatever x and w have
    in common. A GPU always sums the definition, one tap after the other, within `gpu_kernels.relative_error_bound` of
    the largest result. The weight's gradient is scaled to the norm `eta * sqrt(numel)` (`rescaled`), and left raw where
    `eta` is None.

    Raises BadInputError unless x and weight are floating point, of one type on one device, and fit each other.
    """
    window = _checked(x, weight, stride, padding, dilation, groups)
    source, filters = _computed(x), _computed(weight)
    if _runs_on_cpu_kernels(source):
        y = window.empty_output(source, filters)
        cpu_kernels.adder2d_forward(source, filters, window, exact, y)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        y = gpu_kernels.adder2d_forward(source, filters, *_arguments(window), exact)
    else:
        y = textbook.adder2d_forward(source, filters, window)
    return _like(window.empty_output(x, weight, "meta"), y)


@torch.library.custom_op("hwadder::adder2d_input_gradient", mutates_args=())
def adder2d_input_gradient(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """`sum grad * clamp(w - x, -1, 1)` over all windows that read a pixel, like x (AdderNet, eq. 5).

    Kernels on a CPU take the clamp of what is not a number as -1 or 1; the forward pass keeps it.
    """
    window = _checked(x, weight, stride, padding, dilation, groups, grad=grad)
    g, source, filters = _computed(grad), _computed(x), _computed(weight)
    if _runs_on_cpu_kernels(source):
        grad_x = torch.empty_like(source)
        cpu_kernels.adder2d_input_gradient(g, source, filters, window, grad_x)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        grad_x = gpu_kernels.adder2d_input_gradient(g, source, filters, *_arguments(window))
    else:
        grad_x = textbook.adder2d_input_gradient(g, source, filters, window)
    return _like(torch.empty_like(x, device="meta"), grad_x)


@torch.library.custom_op("hwadder::adder2d_weight_gradient", mutates_args=())
def adder2d_weight_gradient(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """`sum grad * (x - w)` over all positions, like the weight (AdderNet, eq. 4).

    Kernels compute `sum grad * x - w * sum grad`, whose error is in proportion to the sum of `|grad| (|x| + |w|)`: what
    x and w have in common is lost from the gradient's digits.
    """
    window = _checked(x, weight, stride, padding, dilation, groups, grad=grad)
    g, source, filters = _computed(grad), _computed(x), _computed(weight)
    if source.device.type == "cpu":
        # A convolution's weight gradient, for which torch has good kernels, less a term that a sum gives.
        product = _convolution_weight_gradient(g, source, filters, window)
        grad_weight = product.addcmul_(filters, g.sum((0, 2, 3))[:, None, None, None], value=-1)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        grad_weight = gpu_kernels.adder2d_weight_gradient(g, source, filters, *_arguments(window))
    else:
        grad_weight = textbook.adder2d_weight_gradient(g, source, filters, window)
    return _like(torch.empty_like(weight, device="meta"), grad_weight)


def _convolution_weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, window: Window) -> Tensor:
    if window == Window() and weight.shape[2:] == (1, 1):
        # A linear layer's; torch's convolution takes twice as long for it.
        rows, grad_rows = (maps.permute(0, 2, 3, 1).reshape(-1, maps.shape[1]) for maps in (x, grad))
        return (grad_rows.T @ rows)[:, :, None, None]
    product: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
        x, list(weight.shape), grad, window.stride, window.padding, window.dilation, window.groups
    )
    return product


def rescaled(grad_weight: Tensor, eta: float) -> Tensor:
    """The gradient of a layer's weight at the norm `eta * sqrt(numel)`: the adaptive learning rate (AdderNet,
    eq. 12-13), the reference's floor on the norm included. Half precision holds neither that floor nor every norm, so
    that it is rounded to at the end alone."""
    gradient = _computed(grad_weight)
    scaled: Tensor = gradient * (eta * math.sqrt(gradient.numel()) / gradient.norm().clamp(min=1e-12))
    return scaled.to(grad_weight.dtype)


def _checked(
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    *,
    grad: Tensor | None = None,
) -> Window:
    """The window, once the operands are known to fit it and each other: kernels believe every size they are told."""
    if not x.is_floating_point():
        raise BadInputError(f"input must be floating point, not {x.dtype}")
    for name, tensor in (("weight", weight), ("gradient", grad)):
        if tensor is not None and (tensor.dtype, tensor.device) != (x.dtype, x.device):
            raise BadInputError(
                f"{name} must be {x.dtype} on {x.device} like the input, not {tensor.dtype} on {tensor.device}"
            )
    if x.dim() != 4 or weight.dim() != 4 or min(weight.shape) < 1:
        raise BadInputError(
            "input and weight must be (N, C, H, W) and (F, C / groups, height, width), "
            f"not {tuple(x.shape)} and {tuple(weight.shape)}"
        )
    for name, values, least in (("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1)):
        if len(values) != 2 or min(values) < least:
            raise BadInputError(f"{name} must be two integers of at least {least}, not {tuple(values)}")
    if groups < 1 or weight.shape[0] % groups or x.shape[1] != weight.shape[1] * groups:
        raise BadInputError(
            f"groups must divide {weight.shape[0]} filters and make {x.shape[1]} input channels "
            f"of {weight.shape[1]} each, not be {groups}"
        )
    window = Window((stride[0], stride[1]), (padding[0], padding[1]), (dilation[0], dilation[1]), groups)
    size = window.output_size(x, weight)
    if min(size) < (1 if x.numel() else 0):
        raise BadInputError(f"input must be no smaller than the kernel, not {tuple(x.shape[2:])}")
    if grad is not None and grad.shape != (x.shape[0], weight.shape[0], *size):
        raise BadInputError(
            f"gradient must be of the output's shape {(x.shape[0], weight.shape[0], *size)}, not {tuple(grad.shape)}"
        )
    return window


def _arguments(window: Window) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]:
    return window.stride, window.padding, window.dilation, window.groups


def _computed(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _runs_on_cpu_kernels(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and cpu_kernels.kernel_capability() is not None


def _runs_on_gpu_kernels(x: Tensor) -> bool:
    return x.device.type == "cuda" and x.dtype == torch.float32 and find_spec("triton") is not None


def _like(promised: Tensor, result: Tensor) -> Tensor:
    """The result in the type and layout of a meta tensor that the operator's users were promised, copied only where it
    has another."""
    if result.dtype == promised.dtype and result.stride() == promised.stride():
        return result
    return torch.empty_like(promised, device=result.device).copy_(result)


@adder2d.register_fake
def _(x: Tensor, weight: Tensor, *window_and_form: Any) -> Tensor:
    return _checked(x, weight, *window_and_form[:4]).empty_output(x, weight)


@adder2d_input_gradient.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, *window: Any) -> Tensor:
    _checked(x, weight, *window, grad=grad)
    return torch.empty_like(x)


@adder2d_weight_gradient.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, *window: Any) -> Tensor:
    _checked(x, weight, *window, grad=grad)
    return torch.empty_like(weight)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001 - torch gives it
    x, weight, *ctx.window, _, ctx.eta = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight = ctx.saved_tensors
    grad_x = grad_weight = None
    if ctx.needs_input_grad[0]:
        grad_x = adder2d_input_gradient(grad, x, weight, *ctx.window)
    if ctx.needs_input_grad[1]:
        if ctx.eta is None:
            grad_weight = adder2d_weight_gradient(grad, x, weight, *ctx.window)
        else:
            wide = adder2d_weight_gradient(_computed(grad), _computed(x), _computed(weight), *ctx.window)
            grad_weight = rescaled(wide, ctx.eta).to(weight.dtype)
    return grad_x, grad_weight, None, None, None, None, None, None


adder2d.register_autograd(_backward, setup_context=_keep)
for _operator in (adder2d, adder2d_input_gradient, adder2d_weight_gradient):
    for _device_type in ("cpu", "cuda"):
        _operator.register_autocast(_device_type, torch.float32)
