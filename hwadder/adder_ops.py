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
    definition: the rounding error is then within 2e-6 of the largest of |sum x|, |sum w| and the result. With `exact`
    it is within 2e-6 of the result, whatever x and w have in common. The weight's gradient is scaled to the norm
    `eta * sqrt(numel)` (`rescaling`), and left raw where `eta` is None.
    """
    window = _window(stride, padding, dilation, groups)
    source, filters = _computed(x), _computed(weight)
    if _runs_on_cpu_kernels(source):
        y = _empty_output(source, filters, window)
        cpu_kernels.adder2d_forward(source, filters, window, exact, y)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        y = gpu_kernels.adder2d_forward(source, filters, *_arguments(window), exact)
    else:
        y = textbook.adder2d_forward(source, filters, window)
    return _like(_empty_output(x, weight, window), y)


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
    """`sum grad * clamp(w - x, -1, 1)` over all windows that read a pixel, like x (AdderNet, eq. 5)."""
    window = _window(stride, padding, dilation, groups)
    g, source, filters = _computed(grad), _computed(x), _computed(weight)
    if _runs_on_cpu_kernels(source):
        grad_x = torch.empty_like(source)
        cpu_kernels.adder2d_input_gradient(g, source, filters, window, grad_x)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        grad_x = gpu_kernels.adder2d_input_gradient(g, source, filters, *_arguments(window))
    else:
        grad_x = textbook.adder2d_input_gradient(g, source, filters, window)
    return _like(torch.empty_like(x), grad_x)


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
    """`sum grad * (x - w)` over all positions, like the weight (AdderNet, eq. 4)."""
    window = _window(stride, padding, dilation, groups)
    g, source, filters = _computed(grad), _computed(x), _computed(weight)
    if source.device.type == "cpu":
        # A convolution's weight gradient, for which torch has good kernels, less a term that a sum gives.
        product: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            source, list(filters.shape), g, window.stride, window.padding, window.dilation, window.groups
        )
        grad_weight = product.addcmul_(filters, g.sum((0, 2, 3))[:, None, None, None], value=-1)
    elif _runs_on_gpu_kernels(source):
        from hwadder import gpu_kernels

        grad_weight = gpu_kernels.adder2d_weight_gradient(g, source, filters, *_arguments(window))
    else:
        grad_weight = textbook.adder2d_weight_gradient(g, source, filters, window)
    return _like(torch.empty_like(weight), grad_weight)


def rescaling(grad_weight: Tensor, eta: float) -> Tensor:
    """Factor of the adaptive learning rate (AdderNet, eq. 12-13), the reference's floor on the norm included."""
    norm: Tensor = grad_weight.norm().clamp(min=1e-12)
    return eta * math.sqrt(grad_weight.numel()) / norm


def _window(stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int], groups: int) -> Window:
    return Window((stride[0], stride[1]), (padding[0], padding[1]), (dilation[0], dilation[1]), groups)


def _arguments(window: Window) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], int]:
    return window.stride, window.padding, window.dilation, window.groups


def _computed(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype.itemsize < 4 else tensor


def _runs_on_cpu_kernels(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and cpu_kernels.kernel_capability() is not None


def _runs_on_gpu_kernels(x: Tensor) -> bool:
    return x.device.type == "cuda" and x.dtype == torch.float32 and find_spec("triton") is not None


def _empty_output(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.empty(
        (x.shape[0], weight.shape[0], *window.output_size(x, weight)),
        dtype=x.dtype,
        device=x.device,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )


def _like(empty: Tensor, result: Tensor) -> Tensor:
    """The result in the type and layout that the operator's users were promised, copied only where it has another."""
    if result.dtype == empty.dtype and result.stride() == empty.stride():
        return result
    return empty.copy_(result)


@adder2d.register_fake
def _(
    x: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    exact: bool = False,  # noqa: ARG001 - the shape does not depend on it
    eta: float | None = None,  # noqa: ARG001
) -> Tensor:
    return _empty_output(x, weight, _window(stride, padding, dilation, groups))


@adder2d_input_gradient.register_fake
def _(_grad: Tensor, x: Tensor, *_: object) -> Tensor:
    return torch.empty_like(x)


@adder2d_weight_gradient.register_fake
def _(_grad: Tensor, _x: Tensor, weight: Tensor, *_: object) -> Tensor:
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
        grad_weight = adder2d_weight_gradient(grad, x, weight, *ctx.window)
        if ctx.eta is not None:
            grad_weight = grad_weight * rescaling(grad_weight, ctx.eta)
    return grad_x, grad_weight, None, None, None, None, None, None


adder2d.register_autograd(_backward, setup_context=_keep)
for _operator in (adder2d, adder2d_input_gradient, adder2d_weight_gradient):
    for _device_type in ("cpu", "cuda"):
        _operator.register_autocast(_device_type, torch.float32)
