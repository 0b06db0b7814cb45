"""The adder operators against the definition in float64, for every variant of the compiled kernels this CPU runs."""

from __future__ import annotations

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
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(CAPABILITY_VARIABLE, request.param)
    name: str = request.param
    return name


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


def check_sums(x: Tensor, weight: Tensor, window: Window, exact: bool, grad_layout: str) -> None:
    y = adder2d(x, weight, *astuple(window), exact)
    grad = laid_out(quarters(*y.shape), grad_layout)
    expected = oracle(x, weight, window, grad)
    assert torch.equal(y.double(), expected[0])
    assert torch.equal(adder2d_input_gradient(grad, x, weight, *astuple(window)).double(), expected[1])
    assert torch.equal(adder2d_weight_gradient(grad, x, weight, *astuple(window)).double(), expected[2])


@settings(max_examples=60)
@given(cases(), st.booleans(), st.sampled_from(LAYOUTS))
def check_all_cases(case: tuple[Tensor, Tensor, Window], exact: bool, grad_layout: str) -> None:
    check_sums(*case, exact, grad_layout)


def test_every_variant_equals_the_definition(variant: str) -> None:
    assert cpu_kernels.kernel_capability() is Capability[variant.upper()]
    check_all_cases()


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
            check_sums(laid_out(x, layout), weight, window, False, layout)


def test_the_textbook_form_equals_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adder_ops, "_runs_on_cpu_kernels", lambda _x: False)
    check_all_cases()


def relative_errors(x: Tensor, weight: Tensor, window: Window, exact: bool) -> tuple[float, float]:
    """The largest error of a forward pass relative to its result, and to the largest of |sum x|, |sum w| and that."""
    y = adder2d(x, weight, *astuple(window), exact).double()
    expected = oracle(x, weight, window, torch.zeros_like(y))[0]
    sum_x = F.conv2d(x.double(), torch.ones_like(weight).double(), None, *astuple(window)).abs()
    sum_w = weight.double().sum((1, 2, 3)).abs()[:, None, None]
    error = (y - expected).abs()
    scale = torch.maximum(torch.maximum(sum_x, sum_w), expected.abs())
    return (error / expected.abs()).max().item(), (error / scale).max().item()


@pytest.mark.parametrize("offset", [0, 1, 100])
@pytest.mark.parametrize("channels", [3, 64, 600])
def test_errors_stay_within_the_documented_bounds(variant: str, channels: int, offset: int) -> None:  # noqa: ARG001
    torch.manual_seed(channels + offset)
    x, weight = torch.randn(2, channels, 9, 9) + offset, torch.randn(20, channels, 3, 3) + offset
    assert relative_errors(x, weight, Window(), exact=True)[0] < 2e-6
    assert relative_errors(x, weight, Window(), exact=False)[1] < 2e-6


def test_results_depend_neither_on_the_run_nor_on_the_threads(variant: str) -> None:  # noqa: ARG001
    torch.manual_seed(1)
    x, weight, window = torch.randn(3, 16, 33, 31), torch.randn(24, 16, 3, 3), Window((2, 1), (1, 1))
    threads, results = torch.get_num_threads(), []
    grad = torch.randn_like(adder2d(x, weight, *astuple(window)))
    try:
        for count in (1, 1, 2, 5):
            torch.set_num_threads(count)
            y = adder2d(x, weight, *astuple(window))
            results.append((y, adder2d_input_gradient(grad, x, weight, *astuple(window))))
    finally:
        torch.set_num_threads(threads)
    for y, grad_x in results[1:]:
        assert torch.equal(y, results[0][0])
        assert torch.equal(grad_x, results[0][1])


@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_the_output_has_the_inputs_memory_format(layout: str) -> None:
    x = laid_out(torch.randn(2, 4, 5, 5), layout).requires_grad_()
    y = adder2d(x, torch.randn(3, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format
    assert y.is_contiguous(memory_format=memory_format)
    y.backward(torch.ones_like(y))
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=memory_format)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("layout", LAYOUTS[:2])
def test_the_operators_keep_torchs_rules(dtype: torch.dtype, layout: str) -> None:
    torch.manual_seed(2)
    x = laid_out(torch.randn(2, 4, 6, 5), layout).to(dtype).requires_grad_()
    weight = torch.randn(6, 2, 3, 3).to(dtype).requires_grad_()
    window = ((2, 1), (1, 1), (1, 2), 2)
    # Its gradient check compares with differences, and the gradients are the paper's, not the derivatives.
    checks = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")
    torch.library.opcheck(adder2d, (x, weight, *window, False, 0.2), test_utils=checks)
    grad = torch.randn_like(adder2d(x, weight, *window)).detach()
    for operator in (adder2d_input_gradient, adder2d_weight_gradient):
        torch.library.opcheck(operator, (grad, x.detach(), weight.detach(), *window), test_utils=checks)


class Small(nn.Module):
    """Two adder layers with batch norm, as a training step has them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.bn, self.fc = Adder2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), AdderLinear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(self.bn(self.conv(x)).relu().mean((2, 3)))
        return y


def test_a_compiled_network_is_the_network() -> None:
    torch.manual_seed(3)
    model, x = Small(), torch.randn(2, 2, 5, 5)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    grads = []
    for each in (model, compiled):
        model.zero_grad()
        y = each(x)
        y.square().sum().backward()
        grads.append([y.detach(), *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_shapes_are_known_without_data() -> None:
    x = torch.empty(2, 4, 9, 7, device="meta", requires_grad=True)
    y = Adder2d(4, 6, 3, stride=2, padding=2, dilation=2).to("meta")(x)
    assert y.shape == (2, 6, 5, 4)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape


def test_bfloat16_is_rounded_once() -> None:
    torch.manual_seed(4)
    x, weight = torch.randn(2, 5, 6, 6).bfloat16(), torch.randn(4, 5, 3, 3).bfloat16()
    window = Window(padding=(1, 1))
    y = adder2d(x, weight, *astuple(window))
    grad = torch.randn_like(y)
    expected = oracle(x, weight, window, grad)
    assert torch.equal(y, adder2d(x.float(), weight.float(), *astuple(window)).bfloat16())
    grad_x = adder2d_input_gradient(grad, x, weight, *astuple(window))
    grad_weight = adder2d_weight_gradient(grad, x, weight, *astuple(window))
    for result, exactly in zip((y, grad_x, grad_weight), expected, strict=True):
        assert result.dtype == torch.bfloat16
        torch.testing.assert_close(result.double(), exactly, rtol=2**-8, atol=1e-5)


def test_autocast_leaves_adder_layers_in_float32() -> None:
    torch.manual_seed(5)
    layer, x = Adder2d(3, 4, 3), torch.randn(1, 3, 5, 5).bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.float32
    assert torch.equal(y, layer(x.detach().float()))
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("shape", [(0, 4, 5, 5), (0, 4, 1, 1)])
def test_an_empty_batch_has_gradients(shape: tuple[int, ...]) -> None:
    x, weight = torch.zeros(shape, requires_grad=True), torch.randn(6, 2, 1, 1, requires_grad=True)
    y = adder2d(x, weight, (1, 1), (0, 0), (1, 1), 2)
    y.sum().backward()
    assert y.shape == (0, 6, *shape[2:])
    assert x.grad is not None
    assert x.grad.shape == shape
    assert weight.grad is not None
    assert not weight.grad.any()
