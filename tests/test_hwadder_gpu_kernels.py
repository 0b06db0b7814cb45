"""The GPU's programs on Triton's interpreter, against the paper's formulas in float64 and exact integers.

Not run by default: `make triton` installs Triton and asks for them. Inline assembly is the one thing that the
interpreter cannot run; test_hwadder_gpu_programs.py counts it in the compiled program, and `make gpu` runs it.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from adder_reference import adder_reference
from torch import Tensor

from quant.errors import BadInputError

pytestmark = pytest.mark.triton

Pair = tuple[int, int]


@pytest.fixture(scope="module")
def gpu() -> Any:
    """hwadder.gpu_kernels, loaded only here, since Triton may not be installed."""
    assert os.environ.get("TRITON_INTERPRET") == "1", "Triton's interpreter must be asked for before it is imported"
    return importlib.import_module("hwadder.gpu_kernels")


@dataclass(frozen=True, slots=True)
class Layer:
    """Shapes and geometry of a layer with random values."""

    x: tuple[int, int, int, int]
    filters: int
    kernel: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    @property
    def geometry(self) -> tuple[Pair, Pair, Pair, int]:
        return self.stride, self.padding, self.dilation, self.groups

    def tensors(self, shift: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """`x`, the weight and a gradient of the output, from the unit normal distribution moved by `shift`."""
        random = torch.Generator().manual_seed(0)
        x = torch.randn(self.x, generator=random) + shift
        weight = torch.randn(self.filters, self.x[1] // self.groups, *self.kernel, generator=random) + shift
        shape = torch.nn.functional.conv2d(x, weight, None, *self.geometry).shape
        return x, weight, torch.randn(shape, generator=random)


LAYERS = {
    "3x3": Layer((2, 3, 7, 6), 10, (3, 3), padding=(1, 1)),
    "stride 2": Layer((2, 16, 9, 9), 16, (3, 3), (2, 2), (1, 1)),
    "1x1, stride 2": Layer((1, 5, 7, 8), 7, (1, 1), (2, 2)),
    "5x3, channels that no step divides": Layer((2, 13, 6, 7), 11, (5, 3), (1, 2), (2, 1), (1, 2)),
    "depthwise, dilation 2": Layer((1, 6, 9, 9), 6, (3, 3), padding=(2, 2), dilation=(2, 2), groups=6),
    "groups, even kernel, stride 3": Layer((1, 8, 8, 9), 12, (3, 2), (3, 2), (1, 0), (2, 2), 4),
    "stride and dilation 2": Layer((1, 4, 9, 9), 4, (3, 3), (2, 2), (2, 2), (2, 2), 2),
    "two blocks of filters": Layer((1, 4, 5, 5), 67, (3, 3), padding=(1, 1)),
    "fully connected": Layer((3, 40, 1, 1), 5, (1, 1)),
}
layers = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())


def relative_error(value: Tensor, expected: Tensor) -> float:
    """Largest error, relative to the largest value."""
    return float((value.double() - expected).abs().max() / expected.abs().max())


@layers
def test_forward_is_the_sum_of_differences(gpu: Any, layer: Layer) -> None:
    x, weight, grad = layer.tensors()
    y = gpu.adder2d_forward(x, weight, *layer.geometry, exact=True)
    assert y.shape == grad.shape
    assert relative_error(y, adder_reference(x, weight, grad, *layer.geometry).y) < 2e-6


def test_the_error_of_long_sums_grows_no_faster_than_documented(gpu: Any) -> None:
    """2,304 taps of an output, and as many outputs that read a pixel."""
    bound = gpu.relative_error_bound(2304)
    assert bound == pytest.approx(48 / 2**23)
    layer = Layer((1, 256, 3, 4), 32, (3, 3))
    x, weight, grad = layer.tensors()
    y = gpu.adder2d_forward(x, weight, *layer.geometry, exact=True)
    assert relative_error(y, adder_reference(x, weight, grad, *layer.geometry).y) < bound
    layer = Layer((1, 32, 3, 3), 256, (3, 3), padding=(1, 1))
    x, weight, grad = layer.tensors()
    grad_x = gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry)
    assert relative_error(grad_x, adder_reference(x, weight, grad, *layer.geometry).grad_x) < bound


@layers
def test_gradients_are_the_papers(gpu: Any, layer: Layer) -> None:
    x, weight, grad = layer.tensors()
    expected = adder_reference(x, weight, grad, *layer.geometry)
    assert relative_error(gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry), expected.grad_x) < 2e-6
    assert relative_error(gpu.adder2d_weight_gradient(grad, x, weight, *layer.geometry), expected.grad_weight) < 2e-6


def test_the_clamp_errs_by_no_more_than_its_two_roundings(gpu: Any) -> None:
    layer = Layer((1, 4, 6, 6), 5, (3, 3), padding=(1, 1))
    x, weight, grad = layer.tensors(shift=100.0)
    expected = adder_reference(x, weight, grad, *layer.geometry).grad_x
    taps = torch.nn.functional.conv_transpose2d(grad.abs(), torch.ones_like(weight), padding=1)
    error = (gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry).double() - expected).abs()
    # Besides each clamp, the sum of 45 products is rounded.
    assert bool((error <= (2**-24 * (2 + x.abs()) + 45 * 2**-23) * taps).all())
    assert (
        relative_error(
            gpu.adder2d_forward(x, weight, *layer.geometry, exact=False),
            adder_reference(x, weight, grad, *layer.geometry).y,
        )
        < 2e-6
    )


def test_a_second_run_gives_the_same_bits(gpu: Any) -> None:
    layer = LAYERS["stride 2"]
    x, weight, grad = layer.tensors()
    first, second = (
        (
            gpu.adder2d_forward(x, weight, *layer.geometry, exact=True),
            gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry),
            gpu.adder2d_weight_gradient(grad, x, weight, *layer.geometry),
        )
        for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_every_block_gives_the_same_bits(gpu: Any) -> None:
    blocks = importlib.import_module("hwadder.gpu_blocks").INSTRUCTIONS_A_TAP
    layer = Layer((1, 3, 6, 5), 9, (3, 3), padding=(1, 1))
    x, weight, grad = layer.tensors()
    results = [torch.empty_like(grad) for _ in blocks]
    for y, each in zip(results, blocks, strict=True):
        gpu.forward_launch(x, weight, y, *layer.geometry, each).run()
    assert all(torch.equal(y, results[0]) for y in results)


def test_memory_formats_and_other_strides_change_no_bit(gpu: Any) -> None:
    layer = LAYERS["stride 2"]
    x, weight, grad = layer.tensors()
    y = gpu.adder2d_forward(x, weight, *layer.geometry, exact=True)
    grad_x = gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry)
    last = x.to(memory_format=torch.channels_last)
    for other in (last, x.transpose(2, 3).contiguous().transpose(2, 3)):
        assert torch.equal(gpu.adder2d_forward(other, weight, *layer.geometry, exact=True), y)
        assert torch.equal(gpu.adder2d_input_gradient(grad, other, weight, *layer.geometry), grad_x)
    assert gpu.adder2d_forward(last, weight, *layer.geometry, exact=True).is_contiguous(
        memory_format=torch.channels_last
    )
    assert gpu.adder2d_input_gradient(grad, last, weight, *layer.geometry).stride() == last.stride()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_half_precision_is_summed_in_float32(gpu: Any, dtype: torch.dtype) -> None:
    layer = LAYERS["groups, even kernel, stride 3"]
    x, weight, grad = (each.to(dtype) for each in layer.tensors())
    wide_x, wide_weight, wide_grad = (each.float() for each in (x, weight, grad))
    results = (
        gpu.adder2d_forward(x, weight, *layer.geometry, exact=True),
        gpu.adder2d_input_gradient(grad, x, weight, *layer.geometry),
        gpu.adder2d_weight_gradient(grad, x, weight, *layer.geometry),
    )
    wide_results = (
        gpu.adder2d_forward(wide_x, wide_weight, *layer.geometry, exact=True),
        gpu.adder2d_input_gradient(wide_grad, wide_x, wide_weight, *layer.geometry),
        gpu.adder2d_weight_gradient(wide_grad, wide_x, wide_weight, *layer.geometry),
    )
    # One rounding at the end: to nearest on a GPU, towards zero for bfloat16 on the interpreter.
    for result, wide in zip(results, wide_results, strict=True):
        assert result.dtype is dtype
        assert bool(((result.double() - wide).abs() <= torch.finfo(dtype).eps * wide.abs() + 1e-6).all())


@layers
def test_sums_of_codes_are_exact(gpu: Any, layer: Layer) -> None:
    random = torch.Generator().manual_seed(0)
    float_x, float_weight, grad = layer.tensors()
    x, weight = (
        torch.randint(0, 256, each.shape, dtype=torch.uint8, generator=random) for each in (float_x, float_weight)
    )
    for zero_code in (0, 128):
        y = gpu.adder2d_codes(x, weight, *layer.geometry, zero_code)
        signed_x, signed_weight = x.double() - zero_code, weight.double() - zero_code
        assert y.dtype is torch.int32
        assert torch.equal(y.double(), adder_reference(signed_x, signed_weight, grad, *layer.geometry).y)


def test_codes_are_bytes(gpu: Any) -> None:
    x = torch.zeros(1, 1, 2, 2)
    with pytest.raises(BadInputError, match=r"^codes must be of torch\.uint8, not torch\.float32 and torch\.float32$"):
        gpu.adder2d_codes(x, x, (1, 1), (0, 0), (1, 1), 1)


def test_no_image_gives_no_sums(gpu: Any) -> None:
    layer = LAYERS["3x3"]
    x, weight, grad = layer.tensors()
    assert gpu.adder2d_forward(x[:0], weight, *layer.geometry, exact=True).shape == grad[:0].shape
    assert gpu.adder2d_input_gradient(grad[:0], x[:0], weight, *layer.geometry).shape == x[:0].shape
