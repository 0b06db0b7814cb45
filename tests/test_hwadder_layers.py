"""The adder layers against four plain loops and the paper's formulas."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from hwadder import cpu_kernels, textbook
from hwadder.layers import Adder2d, AdderLinear, leave_gradients_raw, rescale_gradients
from hwadder.window import Window
from quant.errors import BadInputError


def oracle(x: Tensor, weight: Tensor, window: Window, grad: Tensor) -> tuple[Tensor, ...]:
    """Output, input gradient and raw weight gradient, one tap at a time, straight from FACTS' formulas."""
    stride, padding, dilation = window.stride, window.padding, window.dilation
    padded = nn.functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    filters, per_group, kernel_height, kernel_width = weight.shape
    y = torch.zeros_like(grad)
    d_padded, d_weight = torch.zeros_like(padded), torch.zeros_like(weight)
    for n, f, h, w in itertools.product(*map(range, grad.shape)):
        first = f // (filters // window.groups) * per_group
        for c, i, j in itertools.product(range(per_group), range(kernel_height), range(kernel_width)):
            at = (n, first + c, h * stride[0] + i * dilation[0], w * stride[1] + j * dilation[1])
            difference = padded[at] - weight[f, c, i, j]
            y[n, f, h, w] -= difference.abs()
            d_padded[at] += grad[n, f, h, w] * (-difference).clamp(-1, 1)
            d_weight[f, c, i, j] += grad[n, f, h, w] * difference
    height, width = x.shape[2:]
    return y, d_padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width], d_weight


def adapted(raw: Tensor, eta: float) -> Tensor:
    length: float = raw.norm().item()
    return raw * (eta * math.sqrt(raw.numel()) / max(length, 1e-12))


def quarters(*shape: int) -> Tensor:
    """Random multiples of 1/4 in double precision: their sums are exact in any order."""
    return torch.randint(-12, 13, shape).double() / 4


@st.composite
def cases(draw: st.DrawFn) -> tuple[Adder2d, Tensor]:
    groups = draw(st.integers(1, 3))
    kernel = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    size = tuple(draw(st.integers(max(1, span - 2 * p), 5)) for span, p in zip(spans, padding, strict=True))
    torch.manual_seed(draw(st.integers(0, 2**31)))
    channels, filters = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    eta = draw(st.sampled_from([0.2, 0.1, 1.0]))
    layer = Adder2d(channels, filters, kernel, stride, padding, draw(st.booleans()), groups, eta, dilation).double()
    layer.adder.data = quarters(*layer.adder.shape)
    x = quarters(draw(st.integers(1, 3)), channels, *size)
    if draw(st.booleans()):
        x = x.contiguous(memory_format=torch.channels_last)
    return layer, x.requires_grad_()


@settings(deadline=None, max_examples=60)
@given(cases(), st.sampled_from([1, 60, 1 << 19]))
def test_layer_equals_the_loops(case: tuple[Adder2d, Tensor], chunk_elements: int) -> None:
    layer, x = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textbook, "_CHUNK_ELEMENTS", chunk_elements)
        y = layer(x)
        grad = quarters(*y.shape)
        y.backward(grad)
    bias = 0 if layer.b is None else layer.b.detach()[:, None, None]
    window = Window(layer.stride, layer.padding, layer.dilation, layer.groups)
    expected = oracle(x.detach(), layer.adder.detach(), window, grad)
    assert torch.equal(y.detach(), expected[0] + bias)
    assert x.grad is not None
    assert torch.equal(x.grad, expected[1])
    # The norm is a square root: the only rounding on the way.
    torch.testing.assert_close(layer.adder.grad, adapted(expected[2], layer.eta), rtol=1e-13, atol=1e-13)
    if layer.b is not None:
        assert layer.b.grad is not None
        assert torch.equal(layer.b.grad, grad.sum(dim=(0, 2, 3)))


def test_the_worked_example_of_the_reference() -> None:
    layer = Adder2d(1, 2, 1)
    layer.adder.data = torch.tensor([0.5, 10.0]).view(2, 1, 1, 1)
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], requires_grad=True)
    y = layer(x)
    assert y.tolist() == [[[[-0.5, -1.5], [-2.5, -3.5]], [[-9.0, -8.0], [-7.0, -6.0]]]]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[[0.5, 0.0], [0.0, 0.0]]]]
    assert layer.adder.grad is not None
    torch.testing.assert_close(layer.adder.grad.flatten(), torch.tensor([0.0728780, -0.2732925]), rtol=1e-6, atol=0)


def test_padded_taps_count_as_zero() -> None:
    layer = Adder2d(1, 1, 3, padding=1)
    layer.adder.data.fill_(2)
    assert layer(torch.zeros(1, 1, 1, 1)).item() == -18


def test_gradient_norm_is_fixed_whatever_the_loss_scale() -> None:
    torch.manual_seed(0)
    layer, x = Adder2d(3, 5, 3, eta=0.7).double(), torch.randn(2, 3, 6, 6).double()
    grads = []
    for scale in (1e-3, 1.0, 1e5):
        layer.zero_grad()
        (layer(x).square().sum() * scale).backward()
        assert layer.adder.grad is not None
        grads.append(layer.adder.grad)
        assert layer.adder.grad.norm().item() == pytest.approx(0.7 * layer.adder.numel() ** 0.5, rel=1e-12)
    torch.testing.assert_close(grads[0], grads[2], rtol=1e-10, atol=1e-12)


def test_a_zero_gradient_stays_zero() -> None:
    layer = Adder2d(2, 3, 1)
    (layer(torch.ones(1, 2, 2, 2)) * 0).sum().backward()
    assert layer.adder.grad is not None
    assert not layer.adder.grad.any()


def test_accumulated_gradients_are_a_sum_of_adapted_ones() -> None:
    torch.manual_seed(1)
    layer, first, second = Adder2d(1, 1, 2).double(), torch.randn(1, 1, 3, 3).double(), torch.randn(1, 1, 3, 3).double()
    parts = []
    for x in (first, second):
        layer.zero_grad()
        layer(x).sum().backward()
        assert layer.adder.grad is not None
        parts.append(layer.adder.grad.clone())
    layer.zero_grad()
    layer(first).sum().backward()
    layer(second).sum().backward()
    assert layer.adder.grad is not None
    assert torch.equal(layer.adder.grad, parts[0] + parts[1])


def test_raw_gradients_of_parts_rescale_to_the_gradient_of_one_batch() -> None:
    torch.manual_seed(4)
    whole, parts = (nn.Sequential(Adder2d(2, 3, 3), nn.Flatten(), AdderLinear(48, 2)).double() for _ in range(2))
    parts.load_state_dict(whole.state_dict())
    x, g = torch.randn(6, 2, 6, 6, dtype=torch.double), torch.randn(6, 2, dtype=torch.double)
    whole(x).backward(g)
    leave_gradients_raw(parts)
    for images in (slice(0, 1), slice(1, 4), slice(4, 6)):
        parts(x[images]).backward(g[images])
    rescale_gradients(parts)
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-13, atol=1e-13)


def test_gradients_are_not_rescaled_twice() -> None:
    with pytest.raises(BadInputError) as error:
        rescale_gradients(Adder2d(1, 1, 1))
    assert str(error.value) == (
        "gradients to rescale must be raw (leave_gradients_raw), "
        "not those of Adder2d(1, 1, kernel_size=(1, 1), stride=(1, 1))"
    )


def test_stride_two_reaches_every_pixel_that_was_read() -> None:
    layer = Adder2d(1, 1, 3, stride=2, padding=1)
    layer.adder.data.fill_(5)
    x = torch.zeros(1, 1, 4, 4, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad[0, 0].tolist() == [[1, 2, 1, 1], [2, 4, 2, 2], [1, 2, 1, 1], [1, 2, 1, 1]]


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.booleans(), st.booleans())
def test_linear_is_the_one_by_one_layer(batch: int, channels: int, filters: int, bias: bool, nested: bool) -> None:
    torch.manual_seed(batch * 25 + channels * 5 + filters)
    layer = AdderLinear(channels, filters, bias, eta=0.3).double()
    layer.adder.data = quarters(filters, channels)
    x = quarters(*((2, batch) if nested else (batch,)), channels).requires_grad_()
    y = layer(x)
    grad = quarters(*y.shape)
    y.backward(grad)
    flat = x.detach().reshape(-1, channels)[:, :, None, None]
    weight = layer.adder.detach()[:, :, None, None]
    expected = oracle(flat, weight, Window(), grad.reshape(-1, filters)[:, :, None, None])
    offset = 0 if layer.b is None else layer.b.detach()
    assert torch.equal(y.detach(), expected[0].reshape(y.shape) + offset)
    assert x.grad is not None
    assert torch.equal(x.grad, expected[1].reshape(x.shape))
    torch.testing.assert_close(
        layer.adder.grad, adapted(expected[2].reshape(filters, channels), 0.3), rtol=1e-13, atol=1e-13
    )


def test_parameters_have_the_names_and_distributions_of_the_reference() -> None:
    torch.manual_seed(2)
    layer = Adder2d(16, 64, (3, 5), bias=True, groups=2)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {"adder": (64, 8, 3, 5), "b": (64,)}
    assert abs(layer.adder.mean().item()) < 0.05
    assert abs(layer.adder.std().item() - 1) < 0.05
    assert layer.b is not None
    assert 0 <= layer.b.min().item() <= layer.b.max().item() <= 1
    assert {name: tuple(p.shape) for name, p in AdderLinear(3, 4).named_parameters()} == {"adder": (4, 3)}


def test_no_gradient_is_computed_that_nobody_asks_for() -> None:
    layer, x = Adder2d(1, 1, 1), torch.ones(1, 1, 1, 1, requires_grad=True)
    layer.adder.requires_grad_(False)
    layer(x).sum().backward()
    assert layer.adder.grad is None
    assert x.grad is not None


@pytest.mark.parametrize("layer", [Adder2d(4, 3, 1), AdderLinear(4, 3)])
def test_exact_sums_see_what_x_and_w_do_not_share(layer: Adder2d | AdderLinear) -> None:
    torch.manual_seed(5)
    layer.adder.data = torch.randn_like(layer.adder) + 1e4
    x = torch.randn(2, 4, 1, 1) + 1e4 if isinstance(layer, Adder2d) else torch.randn(2, 4) + 1e4
    expected = -(x.double().view(2, 1, 4) - layer.adder.double().view(3, 4)).abs().sum(2)
    layer.exact = True
    torch.testing.assert_close(layer(x).double().view(2, 3), expected, rtol=2e-6, atol=0)


def test_without_compiled_kernels_the_sums_are_those_of_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, x = Adder2d(2, 3, 3, padding=1), quarters(2, 2, 4, 4).float()
    layer.adder.data = quarters(3, 2, 3, 3).float()
    y = layer(x)
    monkeypatch.setattr(cpu_kernels, "kernel_capability", lambda: None)
    assert torch.equal(layer(x), y)


def test_an_empty_batch_gives_an_empty_batch() -> None:
    assert Adder2d(2, 3, 1)(torch.zeros(0, 2, 4, 4)).shape == (0, 3, 4, 4)
    assert AdderLinear(2, 3)(torch.zeros(0, 2)).shape == (0, 3)


def test_layers_print_what_distinguishes_them() -> None:
    assert repr(Adder2d(2, 4, 3)) == "Adder2d(2, 4, kernel_size=(3, 3), stride=(1, 1))"
    full = Adder2d(2, 4, (3, 1), stride=2, padding=1, bias=True, groups=2, eta=0.1)
    assert repr(full) == (
        "Adder2d(2, 4, kernel_size=(3, 1), stride=(2, 2), padding=(1, 1), bias=True, groups=2, eta=0.1)"
    )
    assert repr(Adder2d(2, 4, 3, dilation=(1, 2), exact=True)) == (
        "Adder2d(2, 4, kernel_size=(3, 3), stride=(1, 1), dilation=(1, 2), exact=True)"
    )
    assert repr(AdderLinear(3, 4, exact=True)) == "AdderLinear(3, 4, exact=True)"
    assert repr(AdderLinear(3, 4)) == "AdderLinear(3, 4)"
    assert repr(AdderLinear(3, 4, bias=True, eta=1.0)) == "AdderLinear(3, 4, bias=True, eta=1.0)"


def test_bad_arguments_and_inputs_are_named() -> None:
    with pytest.raises(BadInputError) as error:
        Adder2d(4, 6, 3, groups=3)
    assert str(error.value) == "groups must divide 4 input and 6 output channels, not be 3"
    with pytest.raises(BadInputError) as error:
        Adder2d(4, 6, 0)
    assert str(error.value) == "kernel_size must be an integer of at least 1 or a pair of them, not 0"
    with pytest.raises(BadInputError) as error:
        Adder2d(1, 1, 1, padding=(0, -1))
    assert str(error.value) == "padding must be an integer of at least 0 or a pair of them, not (0, -1)"
    with pytest.raises(BadInputError) as error:
        Adder2d(1, 1, 1, dilation=0)
    assert str(error.value) == "dilation must be an integer of at least 1 or a pair of them, not 0"
    with pytest.raises(BadInputError) as error:
        Adder2d(1, 1, 3.0)  # type: ignore[arg-type]
    assert str(error.value) == "kernel_size must be an integer of at least 1 or a pair of them, not 3.0"
    with pytest.raises(BadInputError) as error:
        Adder2d(2, 0, 3)
    assert str(error.value) == "out_channels must be an integer of at least 1, not 0"
    with pytest.raises(BadInputError) as error:
        Adder2d(2, 2, 3, groups=0)
    assert str(error.value) == "groups must be an integer of at least 1, not 0"
    with pytest.raises(BadInputError) as error:
        AdderLinear(2.0, 1)  # type: ignore[arg-type]
    assert str(error.value) == "in_features must be an integer of at least 1, not 2.0"
    layer = "Adder2d(2, 1, kernel_size=(3, 3), stride=(1, 1))"
    with pytest.raises(BadInputError) as error:
        Adder2d(2, 1, 3)(torch.zeros(1, 3, 4, 4))
    assert str(error.value) == f"input of {layer} must be of shape (N, 2, H, W), not (1, 3, 4, 4)"
    with pytest.raises(BadInputError) as error:
        Adder2d(2, 1, 3)(torch.zeros(1, 2, 2, 4))
    assert str(error.value) == f"input of {layer} must be no smaller than its kernel, not (2, 4)"
    with pytest.raises(BadInputError) as error:
        AdderLinear(2, 1)(torch.zeros(1, 3))
    assert str(error.value) == "input of AdderLinear(2, 1) must be of shape (..., 2), not (1, 3)"
