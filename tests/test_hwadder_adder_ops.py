"""The adder operators against the definition in float64, for every variant of the compiled kernels this CPU runs."""

from __future__ import annotations

import math
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from hwadder import adder_ops, cpu_kernels, textbook
from hwadder.adder_ops import adder2d, adder2d_input_gradient, adder2d_weight_gradient
from hwadder.layers import Adder2d, AdderLinear
from hwadder.window import Window
from quant.errors import BadInputError
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


@settings(max_examples=60)
@given(cases(), st.sampled_from([1, 60, 1 << 19]))
def test_the_textbook_functions_equal_the_definition_chunk_by_chunk(
    case: tuple[Tensor, Tensor, Window], chunk_elements: int
) -> None:
    x, weight, window = case
    grad = quarters(x.shape[0], weight.shape[0], *window.output_size(x, weight))
    expected = oracle(x, weight, window, grad)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textbook, "_CHUNK_ELEMENTS", chunk_elements)
        assert torch.equal(textbook.adder2d_forward(x, weight, window).double(), expected[0])
        assert torch.equal(textbook.adder2d_input_gradient(grad, x, weight, window).double(), expected[1])
        assert torch.equal(textbook.adder2d_weight_gradient(grad, x, weight, window).double(), expected[2])


def magnitudes(x: Tensor, weight: Tensor, window: Window) -> Tensor:
    """`sum |x| + sum |w|` over the taps of every output."""
    sum_w = weight.double().abs().sum((1, 2, 3))[:, None, None]
    return F.conv2d(x.double().abs(), torch.ones_like(weight).double(), None, *astuple(window)) + sum_w


def drawn(kind: str, *shape: int) -> Tensor:
    """Values around nothing, around something in common, or large ones that change their sign together."""
    if kind == "alternating":
        sign = 1 - 2 * (torch.arange(shape[1]) % 2)[:, None, None]
        return 1e4 * sign + 0.01 * torch.rand(shape)
    return torch.randn(shape) + float(kind)


@pytest.mark.parametrize("kind", ["0", "1", "100", "alternating"])
@pytest.mark.parametrize("channels", [3, 64, 600])
def test_errors_stay_within_the_documented_bounds(variant: str, channels: int, kind: str) -> None:  # noqa: ARG001
    torch.manual_seed(channels)
    x, weight, window = drawn(kind, 2, channels, 9, 9), drawn(kind, 20, channels, 3, 3), Window()
    grad = torch.randn(2, 20, 7, 7)
    expected = oracle(x, weight, window, grad)
    exact, fast = (adder2d(x, weight, *astuple(window), exact) for exact in (True, False))
    assert bool(((exact - expected[0]).abs() <= 2e-6 * expected[0].abs()).all())
    assert bool(((fast - expected[0]).abs() <= 2e-6 * magnitudes(x, weight, window)).all())
    # The gradient's sum in proportion, of |grad| (|x| + |w|): a weight gradient of magnitudes.
    grad_weight = adder2d_weight_gradient(grad, x, weight, *astuple(window))
    scale = adder2d_weight_gradient(grad.abs(), x.abs(), -weight.abs(), *astuple(window))
    assert bool(((grad_weight - expected[2]).abs() <= 2e-6 * scale).all())


def test_what_is_not_finite_shows_in_the_forward_pass(variant: str) -> None:  # noqa: ARG001
    x, window = torch.ones(1, 3, 2, 2), astuple(Window())
    x[0, 1, 0, 0], x[0, 1, 1, 1] = math.nan, -math.inf
    y = adder2d(x, torch.ones(2, 3, 1, 1), *window)
    assert torch.equal(y[0, 0].isnan(), torch.tensor([[True, False], [False, True]]))
    y = adder2d(x, torch.ones(2, 3, 1, 1), *window, exact=True)
    assert y[0, 0, 0, 0].isnan()
    assert y[0, 0, 1, 1] == -math.inf


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


def assert_compiles(model: nn.Module, backend: str) -> None:
    """Output and gradients of a model for (2, 2, 5, 5) maps are the same under `torch.compile`."""
    x, grads = torch.randn(2, 2, 5, 5), []
    for each in (model, torch.compile(model, backend=backend, fullgraph=True)):
        model.zero_grad()
        y = each(x)
        y.square().sum().backward()
        grads.append([y.detach(), *(parameter.grad for parameter in model.parameters())])
    for one, other in zip(*grads, strict=True):
        torch.testing.assert_close(one, other)


def test_a_compiled_network_is_the_network() -> None:
    torch.manual_seed(3)
    assert_compiles(Small(), "aot_eager")


# What torch says of itself when its compiler is loaded.
@pytest.mark.filterwarnings("ignore:`torch.jit.*:DeprecationWarning")
def test_the_default_compiler_takes_a_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One layer, because each further operation is some more seconds of the C++ compiler."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.manual_seed(3)
    assert_compiles(Adder2d(2, 4, 3, padding=1), "inductor")


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


def window_arguments(**changes: object) -> tuple[Any, ...]:
    return tuple(({"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1} | changes).values())


MAPS, FILTERS = torch.ones(1, 4, 3, 3), torch.ones(6, 4, 2, 2)
REFUSED: list[tuple[Tensor, Tensor, tuple[Any, ...], str]] = [
    (MAPS.byte(), FILTERS.byte(), window_arguments(), "input must be floating point, not torch.uint8"),
    (MAPS > 0, FILTERS, window_arguments(), "input must be floating point, not torch.bool"),
    (
        *(MAPS, FILTERS.double(), window_arguments()),
        "weight must be torch.float32 on cpu like the input, not torch.float64 on cpu",
    ),
    (
        *(MAPS, FILTERS[0], window_arguments()),
        "input and weight must be (N, C, H, W) and (F, C / groups, height, width), not (1, 4, 3, 3) and (4, 2, 2)",
    ),
    (
        *(MAPS, FILTERS[:0], window_arguments()),
        "input and weight must be (N, C, H, W) and (F, C / groups, height, width), not (1, 4, 3, 3) and (0, 4, 2, 2)",
    ),
    (MAPS, FILTERS, window_arguments(stride=(1, 0)), "stride must be two integers of at least 1, not (1, 0)"),
    (MAPS, FILTERS, window_arguments(padding=(-1, 0)), "padding must be two integers of at least 0, not (-1, 0)"),
    (MAPS, FILTERS, window_arguments(dilation=(1,)), "dilation must be two integers of at least 1, not (1,)"),
    (
        *(MAPS, FILTERS, window_arguments(groups=0)),
        "groups must divide 6 filters and make 4 input channels of 4 each, not be 0",
    ),
    (
        *(MAPS, FILTERS[:, :1], window_arguments(groups=4)),
        "groups must divide 6 filters and make 4 input channels of 1 each, not be 4",
    ),
    (
        *(MAPS, FILTERS[:, :2], window_arguments()),
        "groups must divide 6 filters and make 4 input channels of 2 each, not be 1",
    ),
    (MAPS, FILTERS, window_arguments(dilation=(1, 3)), "input must be no smaller than the kernel, not (3, 3)"),
]


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize(("x", "weight", "window", "sentence"), REFUSED, ids=[each[3] for each in REFUSED])
def test_operands_that_do_not_fit_are_refused(
    x: Tensor, weight: Tensor, window: tuple[Any, ...], sentence: str, device: str
) -> None:
    grad, x, weight = (each.to(device) for each in (torch.ones(1, 6, 2, 2), x, weight))
    with pytest.raises(BadInputError) as error:
        adder2d(x, weight, *window)
    assert str(error.value) == sentence.replace("on cpu", f"on {device}")
    for operator in (adder2d_input_gradient, adder2d_weight_gradient):
        with pytest.raises(BadInputError) as error:
            operator(grad, x, weight, *window)
        assert str(error.value) == sentence.replace("on cpu", f"on {device}")


def test_operands_on_two_devices_are_refused() -> None:
    with pytest.raises(BadInputError) as error:
        adder2d(MAPS, FILTERS.to("meta"), *window_arguments())
    assert str(error.value) == "weight must be torch.float32 on cpu like the input, not torch.float32 on meta"


def test_a_gradient_that_is_not_the_outputs_is_refused() -> None:
    for grad, sentence in (
        (torch.ones(1, 6, 2, 1), "gradient must be of the output's shape (1, 6, 2, 2), not (1, 6, 2, 1)"),
        (
            torch.ones(1, 6, 2, 2).half(),
            "gradient must be torch.float32 on cpu like the input, not torch.float16 on cpu",
        ),
    ):
        for operator in (adder2d_input_gradient, adder2d_weight_gradient):
            with pytest.raises(BadInputError) as error:
                operator(grad, MAPS, FILTERS, *window_arguments())
            assert str(error.value) == sentence


@pytest.mark.parametrize("factor", [0.0, 1.0, 1e4])
def test_half_precision_gradients_are_rescaled_in_float32(factor: float) -> None:
    """A gradient of 0 stays one, and one beyond the largest half, 65,504, does not become infinite."""
    torch.manual_seed(6)
    x, weight = torch.randn(4, 3, 6, 6).half(), torch.randn(5, 3, 3, 3).half().requires_grad_()
    y = adder2d(x, weight, *astuple(Window()), eta=0.2)
    grad = factor * torch.randn_like(y)
    y.backward(grad)
    raw = oracle(x, weight.detach(), Window(), grad)[2]
    assert factor < 1e4 or raw.abs().max() > 65504
    assert weight.grad is not None
    expected = raw * (0.2 * raw.numel() ** 0.5 / max(raw.norm().item(), 1e-12))
    torch.testing.assert_close(weight.grad.double(), expected, rtol=2**-10, atol=1e-4)


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
