"""Adder layers on a GPU: forward, gradients, and sums over 8-bit codes, each as launches of a Triton program.

Inputs of float32, float16 or bfloat16 are summed in float32 and the result is rounded to the input's type. A second run
gives the same bits: every sum has one owner and one order (`relative_error_bound`). Beside the input, the weight and
the output, forward and the input's gradient hold copies of the weight in float32 and of what is laid out otherwise than
they read it: neighbouring lanes read neighbouring positions. The weight's gradient holds float32 copies and what cuDNN
asks for.

The forward is the direct form `sum |x - w|`, two instructions a tap, which is also the fastest here: unlike on a CPU
there is no faster one to trade accuracy for. The input's gradient takes `clamp(w - x, -1, 1)` as twice
`clamp(w / 2 + (1 / 2 - x / 2), 0, 1)` less one, also two instructions a tap. Each of the two additions rounds, so the
clamp is off by at most `2**-24 * (2 + |x|)`: about what storing x and the clamp in float32 rounds anyway.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

from hwadder.gpu_blocks import Blocks, channels_a_step, choose_blocks
from hwadder.gpu_programs import adder_program, input_gradient_program
from hwadder.window import Pair, Window
from quant.errors import BadInputError

_STAGES = 3
"""Steps of the inner loop in flight: one computes while the copies of the next two arrive."""


def relative_error_bound(terms: int) -> float:
    """How far a float32 result may be from the exact one, relative to the largest result, after so many terms.

    The terms of a sum are added one after the other. Each addition rounds by up to 2**-24 of the partial sum, and
    where terms have one sign, partial sums rise evenly to the result: independent roundings then add up to a standard
    deviation of `2**-24 * sqrt(terms) / 3`, of which the bound is six. Short sums are held to a floor of 2e-6, for the
    roundings of the terms themselves.
    """
    return max(2e-6, 2**-23 * math.sqrt(terms))


@dataclass(frozen=True, slots=True)
class Launch:
    """A program with all that it is run on; the arguments stand in the program's order, the constants follow."""

    program: Any
    arguments: tuple[Tensor | int, ...]
    constants: tuple[int | bool, ...]
    grid: tuple[int, int, int]
    warps: int

    def run(self) -> None:
        """Queue the program on the current stream of the tensors' device."""
        tensors = [each for each in self.arguments if isinstance(each, Tensor)]
        with torch.cuda.device_of(tensors[0]):  # type: ignore[no-untyped-call]
            # Fusion is what makes one instruction of a multiplication and the addition that follows it.
            self.program[self.grid](*self.arguments, *self.constants, num_warps=self.warps, enable_fp_fusion=True)


@dataclass(frozen=True, slots=True)
class Phase:
    """Every stride-th row (or column) of the input, and the kernel's rows that read it: all others never do.

    Position i of the phase is read from output `first_output + i + j * output_step` by the j-th of its kernel's rows.
    """

    positions: slice
    kernel: slice
    first_output: int
    output_step: int


def phases(kernel: int, stride: int, padding: int, dilation: int) -> list[Phase]:
    """One phase for each residue of a row (or column) modulo the stride, whether a tap reads it or not."""
    every = stride // math.gcd(stride, dilation)
    result = []
    for phase in range(stride):
        # An output times the stride is a position plus the padding less a tap times the dilation.
        taps = [tap for tap in range(kernel) if (phase + padding - tap * dilation) % stride == 0]
        first = taps[0] if taps else kernel
        output = (phase + padding - first * dilation) // stride
        step = -every * dilation // stride
        result.append(Phase(slice(phase, None, stride), slice(first, None, every), output, step))
    return result


def _chosen_blocks(maps: Tensor, channels: int) -> Blocks:
    multiprocessors = torch.cuda.get_device_properties(maps.device).multi_processor_count if maps.is_cuda else 1
    return choose_blocks(maps.shape[0] * maps.shape[2] * maps.shape[3], channels, multiprocessors)


def _grid(maps: Tensor, channels: int, groups: int, blocks: Blocks) -> tuple[int, int, int]:
    positions = maps.shape[0] * maps.shape[2] * maps.shape[3]
    return -(-positions // blocks.positions), -(-channels // blocks.filters), groups


def forward_launch(
    x: Tensor, weight: Tensor, y: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int, blocks: Blocks
) -> Launch:
    """Write the sums of `x` (N, C, H, W) and `weight` (F, C / groups, kernel height, kernel width) to `y`.

    Words of four codes in place of floats where the tensors are of int32.
    """
    x = x.contiguous()
    filters, channels, kernel_height, kernel_width = weight.shape
    panel = weight.reshape(groups, -1, *weight.shape[1:]).permute(0, 3, 4, 2, 1).contiguous()
    codes = x.dtype is torch.int32
    return Launch(
        program=adder_program,
        arguments=(
            *(x, panel if codes else panel.float(), y),
            *(y.shape[0] * y.shape[2] * y.shape[3], y.shape[2], y.shape[3], filters // groups, *x.shape[2:]),
            *y.stride(),
            *(*stride, -padding[0], -padding[1], *dilation),
        ),
        constants=(
            *(kernel_height, kernel_width, channels),
            *(blocks.lanes_m, blocks.lanes_n, blocks.thread_m, blocks.thread_n, channels_a_step(channels), _STAGES),
            *(codes, not triton.knobs.runtime.interpret),
        ),
        grid=_grid(y, filters // groups, groups, blocks),
        warps=blocks.warps,
    )


def adder2d_forward(
    x: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    exact: bool,  # noqa: ARG001 - the caller's switch between two forms; there is one here, and it is exact
) -> Tensor:
    """`-sum |x - w|` (eq. 2): `x` (N, C, H, W), `weight` (F, C / groups, height, width), result (N, F, H', W').

    Padded taps count as x = 0. `exact` changes nothing: the direct form is always taken. The result has
    the memory format of `x`.
    """
    y = Window(stride, padding, dilation, groups).empty_output(x, weight)
    if y.numel():
        blocks = _chosen_blocks(y, weight.shape[0] // groups)
        forward_launch(x, weight, y, stride, padding, dilation, groups, blocks).run()
    return y


def input_gradient_launch(
    grad: Tensor, x: Tensor, weight: Tensor, grad_x: Tensor, rows: Phase, columns: Phase, groups: int, blocks: Blocks
) -> Launch:
    """Write the gradient of one phase: `x` and `grad_x` hold its positions, `weight` the taps that read them."""
    grad = grad.contiguous()
    filters, channels, kernel_height, kernel_width = weight.shape
    panel = weight.reshape(groups, -1, *weight.shape[1:]).permute(0, 3, 4, 1, 2).contiguous()
    return Launch(
        program=input_gradient_program,
        arguments=(
            *(grad, x, 0.5 * panel.float(), grad_x),
            *(x.shape[0] * x.shape[2] * x.shape[3], x.shape[2], x.shape[3], channels, *grad.shape[2:]),
            *x.stride(),
            *(rows.first_output, columns.first_output, rows.output_step, columns.output_step),
        ),
        constants=(
            *(kernel_height, kernel_width, filters // groups),
            *(blocks.lanes_m, blocks.lanes_n, blocks.thread_m, blocks.thread_n),
            *(channels_a_step(filters // groups), _STAGES),
        ),
        grid=_grid(x, channels, groups, blocks),
        warps=blocks.warps,
    )


def adder2d_input_gradient(
    grad: Tensor, x: Tensor, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Tensor:
    """`sum_f grad * clamp(w - x, -1, 1)` over all windows that read a pixel (eq. 5), in the shape and format of `x`.

    Each pixel gathers from the outputs that read it. At a stride above one the pixels fall into stride x stride phases,
    each read by taps of its own: one launch a phase, and no work on taps that meet nothing.
    """
    grad_x = torch.empty_like(x)
    x = x if x.stride() == grad_x.stride() else torch.empty_like(x).copy_(x)
    for rows in phases(weight.shape[2], stride[0], padding[0], dilation[0]):
        for columns in phases(weight.shape[3], stride[1], padding[1], dilation[1]):
            phase_x, phase_grad_x = (each[:, :, rows.positions, columns.positions] for each in (x, grad_x))
            taps = weight[:, :, rows.kernel, columns.kernel]
            if taps.numel() == 0:
                phase_grad_x.zero_()
            elif phase_x.numel():
                blocks = _chosen_blocks(phase_x, weight.shape[1])
                input_gradient_launch(grad, phase_x, taps, phase_grad_x, rows, columns, groups, blocks).run()
    return grad_x


def adder2d_weight_gradient(
    grad: Tensor,
    x: Tensor,
    weight: Tensor,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    allow_tf32: bool = False,
) -> Tensor:
    """`sum grad * (x - w)` over all windows (eq. 4), not rescaled: a convolution's weight gradient less `w * sum grad`.

    The matrix product is cuDNN's, in float32, with an algorithm that gives the same bits again; `allow_tf32` lets it
    round its factors to 10 bits, on tensor cores.
    """
    x, grad, weight_f32 = x.float(), grad.float(), weight.float()
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=allow_tf32):
        products = conv2d_weight(x, list(weight.shape), grad, stride, padding, dilation, groups)  # type: ignore[no-untyped-call]
    totals = grad.sum((0, 2, 3))[:, None, None, None]
    return torch.addcmul(products, weight_f32, totals, value=-1).to(weight.dtype)


def _words(codes: Tensor, groups: int) -> Tensor:
    """(N, C, H, W) of uint8 to (N, words, H, W) of int32: four channels of one group a word, the last filled with 0."""
    images, channels, height, width = codes.shape
    grouped = codes.reshape(images, groups, channels // groups, height, width)
    grouped = F.pad(grouped, (0, 0, 0, 0, 0, -grouped.shape[2] % 4))
    fours = grouped.reshape(images, -1, 4, height, width).movedim(2, -1)
    # Cloned, since contiguous() keeps the strides of axes of length 1, and view looks at them.
    return fours.clone(memory_format=torch.contiguous_format).view(torch.int32).squeeze(-1)


def adder2d_codes(
    x: Tensor, weight: Tensor, stride: Pair, padding: Pair, dilation: Pair, groups: int, zero_code: int = 0
) -> Tensor:
    """`-sum |x - w|` of uint8 codes as int32, exact: four taps an instruction (VABSDIFF4).

    A padded tap is `zero_code`, the code of 0. Shapes are those of `adder2d_forward`.
    """
    if x.dtype is not torch.uint8 or weight.dtype is not torch.uint8:
        raise BadInputError(f"codes must be of torch.uint8, not {x.dtype} and {weight.dtype}")
    x = F.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=zero_code)
    y = torch.empty(
        (x.shape[0], weight.shape[0], *Window(stride, dilation=dilation).output_size(x, weight)),
        dtype=torch.int32,
        device=x.device,
    )
    if y.numel():
        words = _words(x, groups), _words(weight, 1)
        blocks = _chosen_blocks(y, weight.shape[0] // groups)
        forward_launch(*words, y, stride, (0, 0), dilation, groups, blocks).run()
    return y
