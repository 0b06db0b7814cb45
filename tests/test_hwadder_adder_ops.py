"""The adder operators against the definition in float64, for every variant of the compiled kernels this CPU runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from hwadder import adder_ops, cpu_kernels
from hwadder.adder_ops import adder2d, adder2d_input_gradient, adder2d_weight_gradient
from hwadder.layers import Adder2d, AdderLinear
from hwadder.window import Window
from quant.native_library import CAPABILITY_VARIABLE, Capability

BEST = cpu_kernels.kernel_capability()
# The tests' installation has a compiler, so kernels that are missing are kernels that failed to build.
assert BEST is not None, "the adder kernels must be built, not missing: make setup"
VARIANTS = [variant.name.lower() for variant in Capability if variant <= BEST]
LAYOUTS = ["contiguous", "channels_last", "sliced"]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv(CAPABILITY_VARIABLE, request.param)
    yield request.param


def oracle(x: Tensor, weight: Tensor, window: Window, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output and both gradients by their formulas, all taps at once in float64."""
    x, weight, grad = x.double(), weight.double(), grad.double()
    geometry = (weight.shape[2:], window.dilation, window.padding, window.stride)
    images, groups = x.shape[0], window.groups
    taps = F.unfold(x, *geometry).reshape(images, groups, 1, weight[0].numel(), -1)
    difference = taps - weight.reshape(1, groups, -1, weight[0].numel(), 1)
    g = grad.reshape(images, groups, -1, 1, grad.shape[2] * grad.shape[3])
    clipped = (g * (-difference).clamp(-1, 1)).sum(2)
    grad_x = F.fold(clipped.reshape(images, -1, clipped.shape[3]), x.shape[2:], *geometry)
    return -difference.abs().sum(3).reshape(grad.shape), grad_x, (difference * g).sum((0, 4)).reshape(weight.shape)


def quarters(*shape: int) -> Tensor:
    """Random multiples of 1/4: float32 holds their sums exactly, in any order and either form."""
    return torch.randint(-12, 13, shape).float() / 4


def laid_out(x: Tensor, layout: str) -> Tensor:
    """The same maps in memory as a user may have them."""
    if layout == "channels_last":
        return x.contiguous(memory_format=torch.channels_last)
    if layout == "sliced":
        wider = torch.zeros(x.shape[0], x.shape[1] + 1, x.shape[2] + 2, 2 * x.shape[3] + 1)
        wider[:, 1:, 1:-1, 1::2] = x
        return wider[:, 1:, 1:-1, 1::2]
    return x


def pairs(low: int, high: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(low, high), st.integers(low, high))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tensor, Tensor, Window]:
    kernel, dilation, padding = draw(pairs(1, 4)), draw(pairs(1, 3)), draw(pairs(0, 3))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding, strict=True)]
    size = [draw(st.integers(smallest, smallest + 6)) for smallest in least]
    torch.manual_seed(draw(st.integers(0, 2**16)))
    groups, depthwise = draw(st.sampled_from([1, 1, 2, 3])), draw(st.booleans())
    if depthwise:
        groups = draw(st.integers(1, 40))
        filters = channels = groups
    else:
        channels, filters = groups * draw(st.integers(1, 20)), groups * draw(st.integers(1, 36))
    weight = quarters(filters, channels // groups, *kernel)
    if draw(st.booleans()):
        weight = weight.contiguous(memory_format=torch.channels_last)
    x = laid_out(quarters(draw(st.integers(1, 3)), channels, *size), draw(st.sampled_from(LAYOUTS)))
    return x, weight, Window(draw(pairs(1, 3)), padding, dilation, groups)


@settings(max_examples=120)
@given(cases(), st.booleans(), st.sampled_from(LAYOUTS))
def check_sums(case: tuple[Tensor, Tensor, Window], exact: bool, grad_layout: str) -> None:
    x, weight, window = case
    y = adder2d(x, weight, *astuple(window), exact)
    grad = laid_out(quarters(*y.shape), grad_layout)
    expected = oracle(x, weight, window, grad)
    assert torch.equal(y.double(), expected[0])
    assert torch.equal(adder2d_input_gradient(grad, x, weight, *astuple(window)).double(), expected[1])
    assert torch.equal(adder2d_weight_gradient(grad, x, weight, *astuple(window)).double(), expected[2])


def test_every_variant_equals_the_definition(variant: str) -> None:
    assert cpu_kernels.kernel_capability() is Capability[variant.upper()]
    check_sums()


def test_long_sums_and_many_rows_equal_the_definition(variant: str) -> None:  # noqa: ARG001
    """More taps than a part of a sum holds, more rows than a band, more channels than a block."""
    torch.manual_seed(0)
    for x, weight, window in (
        (quarters(1, 300, 6, 5), quarters(35, 300, 3, 3), Window(padding=(1, 1))),
        (quarters(2, 16, 40, 33), quarters(16, 16, 3, 3), Window((2, 2), (1, 1))),
        (quarters(1, 700, 60, 1), quarters(50, 700, 1, 1), Window()),
        (quarters(1, 96, 14, 14), quarters(96, 1, 7, 7), Window(padding=(3, 3), groups=96)),
    ):
        for layout in LAYOUTS[:2]:
            check_sums.hypothesis.inner_test((laid_out(x, layout), weight, window), False, layout)
