"""From torch to plain data: the float network, computed node by node here, equals the torch model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwadder.bridge import to_float_network
from hwadder.layers import Adder2d, AdderLinear
from hwadder.models import ResNet, build_model, input_shape
from quant import float_network as fn
from quant.errors import BadInputError


def adder_sums(x: Tensor, weight: Tensor) -> Tensor:
    """(N, C, L) taps against (F, C) weights: the definition, all at once."""
    return -(x[:, None] - weight[None, :, :, None]).abs().sum(dim=2)


def convolution(node: fn.Conv2d, x: Tensor) -> Tensor:
    weight = torch.from_numpy(node.weight)
    if node.kind is fn.Kind.DOT:
        y = F.conv2d(x, weight, None, node.stride, node.padding, 1, node.groups)
    else:
        height, width = fn.window_output(
            (x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3]), node.stride, node.padding
        )
        taps = F.unfold(x, weight.shape[2:], padding=node.padding, stride=node.stride).chunk(node.groups, dim=1)
        rows = weight.flatten(1).chunk(node.groups)
        y = torch.cat([adder_sums(*each) for each in zip(taps, rows, strict=True)], dim=1)
        y = y.reshape(len(x), -1, height, width)
    return y if node.bias is None else y + torch.from_numpy(node.bias)[:, None, None]


def linear(node: fn.Linear, x: Tensor) -> Tensor:
    weight = torch.from_numpy(node.weight)
    y = x @ weight.T if node.kind is fn.Kind.DOT else adder_sums(x[:, :, None], weight)[:, :, 0]
    return y if node.bias is None else y + torch.from_numpy(node.bias)


def batch_norm(node: fn.BatchNorm, x: Tensor) -> Tensor:
    mean, variance, gamma, beta = map(torch.from_numpy, (node.mean, node.variance, node.gamma, node.beta))
    return F.batch_norm(x, mean, variance, gamma, beta, eps=node.epsilon)


EXECUTORS: dict[type, Callable[..., Tensor]] = {
    fn.Conv2d: convolution,
    fn.Linear: linear,
    fn.BatchNorm: batch_norm,
    fn.Relu: lambda _node, x: x.clamp(min=0),
    fn.Add: lambda _node, x, y: x + y,
    fn.MaxPool: lambda node, x: F.max_pool2d(x, node.kernel, node.stride, node.padding),
    fn.AveragePool: lambda node, x: F.avg_pool2d(x, node.kernel, node.stride, node.padding),
    fn.Flatten: lambda _node, x: x.flatten(1),
    fn.Argmax: lambda _node, x: x.argmax(dim=1),
}


def computed(network: fn.FloatNetwork, images: Tensor) -> Tensor:
    values = {network.input.name: images}
    for node in network.nodes[1:]:
        values[node.name] = EXECUTORS[type(node)](node, *(values[name] for name in fn.sources(node)))
        assert tuple(values[node.name].shape[1:]) == network.shapes[node.name]
    return values[network.nodes[-1].name]


def randomised(model: nn.Module) -> nn.Module:
    """In double precision, with batch norms that have seen something and scales of both signs."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, mean=-20)
            nn.init.uniform_(module.running_var, 0.5, 90)
            if module.affine:
                nn.init.normal_(module.weight)
                nn.init.normal_(module.bias)
    return model.double().eval()


def bridged(model: nn.Module, shape: tuple[int, int, int]) -> fn.FloatNetwork:
    return to_float_network(model, shape, np.zeros(shape[0]), np.ones(shape[0]), "net")


def assert_equal_to_torch(model: nn.Module, shape: tuple[int, int, int]) -> fn.FloatNetwork:
    torch.manual_seed(0)
    randomised(model)
    network = bridged(model, shape)
    images = torch.rand(3, *shape).double()
    torch.testing.assert_close(computed(network, images), model(images), rtol=1e-10, atol=1e-10)
    return network


def kinds(network: fn.FloatNetwork) -> list[tuple[str, str]]:
    return [(node.name, type(node).__name__) for node in network]


def test_lenet5_becomes_the_same_network() -> None:
    network = assert_equal_to_torch(build_model("lenet5"), (1, 28, 28))
    assert kinds(network) == [
        ("input", "Input"),
        *(("conv1", "Conv2d"), ("bn1", "BatchNorm"), ("relu", "Relu"), ("pool", "MaxPool")),
        *(("conv2", "Conv2d"), ("bn2", "BatchNorm"), ("relu_1", "Relu"), ("pool_1", "MaxPool")),
        *(("conv3", "Conv2d"), ("bn3", "BatchNorm"), ("relu_2", "Relu"), ("flatten", "Flatten")),
        *(("fc1", "Linear"), ("bn4", "BatchNorm"), ("relu_3", "Relu"), ("fc2", "Linear"), ("bn5", "BatchNorm")),
    ]


def test_a_resnet_becomes_the_same_network() -> None:
    network = assert_equal_to_torch(ResNet(8, widths=(2, 3, 4), input_shape=(3, 8, 8)), (3, 8, 8))
    names = [name for name, _ in kinds(network)]
    assert names[:12] == [
        *("input", "conv1", "bn1", "relu", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu", "layer1.0.conv2"),
        *("layer1.0.bn2", "layer1.0.add", "layer1.0.relu_1", "layer2.0.downsample.0"),
    ]
    # Batch norm on the logits, after a 1x1 convolution on the pooled map.
    assert kinds(network)[-4:] == [
        ("avgpool", "AveragePool"),
        ("fc", "Conv2d"),
        ("bn2", "BatchNorm"),
        ("flatten", "Flatten"),
    ]
    assert network.shapes["bn2"] == (10, 1, 1)


class Operations(nn.Module):
    """Every way of writing what converts, beside the modules of LeNet5 and ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 6, (3, 1), stride=(2, 1), padding=(1, 0), groups=2)
        self.adder = Adder2d(6, 6, (1, 3), padding=(0, 1), bias=True, groups=3)
        self.bn = nn.BatchNorm2d(6, affine=False, eps=1e-3)
        self.drop, self.same = nn.Dropout(0.5), nn.Identity()
        self.max, self.average = nn.MaxPool2d(3, stride=1, padding=1), nn.AvgPool2d((2, 1), padding=(1, 0))
        self.adaptive = nn.AdaptiveAvgPool2d((None, 2))
        self.flatten, self.fc, self.last = nn.Flatten(), nn.Linear(6, 5), AdderLinear(5, 3, bias=True)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn(self.conv(x)))
        y = F.relu(self.drop(self.adder(x)))
        x = torch.add(input=self.same(x), other=y)
        x += x
        x = F.max_pool2d(self.max(x), 2, stride=1).relu()
        x = F.dropout(F.avg_pool2d(self.average(x), kernel_size=(1, 2), stride=1), training=self.training)
        x = self.adaptive(x)
        x = torch.relu(F.adaptive_avg_pool2d(x.contiguous(), 1))
        x = x.view(x.size(0), -1).reshape(x.shape[0], -1)
        x = self.flatten(x)
        logits: Tensor = self.last(torch.flatten(self.fc(x), 1))
        return logits


def test_every_spelling_of_an_operation_converts() -> None:
    network = assert_equal_to_torch(Operations(), (4, 9, 8))
    assert not {"drop", "same"} & {node.name for node in network}


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: x.mean((2, 3)),
        lambda x: torch.mean(x, dim=[-1, -2]),
        lambda x: x.mean(dim=(2, 3), keepdim=True).flatten(1),
        lambda x: F.adaptive_avg_pool2d(x, (1, 1)).view(-1, 3),
    ],
    ids="1234",
)
def test_every_spelling_of_global_pooling_converts(pool: Callable[[Tensor], Tensor]) -> None:
    class Pooled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return pool(x)

    network = assert_equal_to_torch(Pooled(), (3, 4, 5))
    assert [kind for _, kind in kinds(network)] == ["Input", "AveragePool", "Flatten"]


def test_argmax_of_the_logits_converts() -> None:
    class Class(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.flatten(1).argmax(dim=1)

    assert [kind for _, kind in kinds(assert_equal_to_torch(Class(), (2, 2, 2)))] == ["Input", "Flatten", "Argmax"]


def test_the_input_carries_shape_and_normalisation_and_the_model_keeps_its_mode() -> None:
    layer = nn.Linear(8, 2)
    model = nn.Sequential(nn.Flatten(), layer).train()
    network = to_float_network(model, (2, 2, 2), [0.1, 0.2], (1, 2), "name")
    assert network.name == "name"
    assert network.input.shape == (2, 2, 2)
    assert (network.input.mean.tolist(), network.input.std.tolist()) == ([0.1, 0.2], [1.0, 2.0])
    assert model.training
    # The network is data of its own: what happens to the model later does not reach it.
    linear_node = network.nodes[2]
    assert isinstance(linear_node, fn.Linear)
    before = linear_node.weight.copy()
    layer.weight.data.zero_()
    assert np.array_equal(linear_node.weight, before)


class Wrong(nn.Module):
    """One of each thing that does not convert."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 3, dilation=2), nn.Sigmoid())
        self.up = nn.ConvTranspose2d(4, 4, 2, stride=2)
        self.mirrored = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
        self.named = nn.Conv2d(4, 4, 3, padding="same")
        self.pool = nn.AvgPool2d(2, padding=1, count_include_pad=False)
        self.fresh = nn.BatchNorm2d(4, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.block(x)) * 2
        x = self.fresh(self.named(self.mirrored(x)))
        x = F.max_pool2d(self.pool(x), 2, ceil_mode=True) + 1
        return torch.softmax(x.flatten(1), dim=1)


def test_everything_that_does_not_convert_is_named_at_once() -> None:
    with pytest.raises(BadInputError) as error:
        bridged(Wrong(), (3, 9, 9))
    assert str(error.value) == (
        "Wrong must be made of layers that convert, not of "
        "block.0 (Conv2d, fx node block_0): dilation (2, 2); only 1 is supported; "
        "block.1 (Sigmoid, fx node block_1): use Adder2d, AdderLinear, Conv2d, Linear, BatchNorm, ReLU, max, average "
        "or global pooling, flatten and addition; "
        "up (ConvTranspose2d, fx node up): upsample outside the network, or use a convolution; "
        "forward (mul, fx node mul): only batch norm may scale, and it folds into the layer before it; "
        "mirrored (Conv2d, fx node mirrored): padding_mode 'reflect'; only 'zeros' is supported; "
        "named (Conv2d, fx node named): padding 'same'; give it as numbers; "
        "fresh (BatchNorm2d, fx node fresh): no running statistics; build it with track_running_stats=True; "
        "pool (AvgPool2d, fx node pool): count_include_pad=False with padding; count the padding; "
        "forward (max_pool2d, fx node max_pool2d): ceil_mode=True; pad the input instead; "
        "forward (add, fx node add): only two tensors may be added; "
        "forward (softmax, fx node softmax): leave it out: it does not change which class is largest"
    )


def test_a_dilated_adder_layer_is_refused() -> None:
    with pytest.raises(BadInputError) as error:
        bridged(nn.Sequential(Adder2d(3, 4, 3, dilation=(1, 2))), (3, 9, 9))
    assert str(error.value) == (
        "Sequential must be made of layers that convert, not of "
        "0 (Adder2d, fx node _0): dilation (1, 2); only 1 is supported"
    )


def one(operation: Callable[[Any], Any]) -> nn.Module:
    class One(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return operation(x)

    return One()


START = "One must be made of layers that convert, not of forward "


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            lambda x: x if x.sum() > 0 else -x,
            "forward of One must be the same for every input so that torch.fx can trace it, not raise TraceError: "
            "symbolically traced variables cannot be used as inputs to control flow",
        ),
        (lambda x: (x, x), "output of One must be one tensor, not (x, x)"),
        (
            lambda x: x @ x.new_zeros(9, 9),
            "One must run on images of shape (4, 6, 6), not raise RuntimeError: mat1 and mat2 shapes cannot be "
            "multiplied (48x6 and 9x9)",
        ),
        (lambda x: x.squeeze(), START + "(squeeze, fx node squeeze): use flatten(1)"),
        (
            lambda x: x.view(-1, 36),
            START + "(view, fx node view): from shape (2, 4, 6, 6) to (8, 36) at batch 2; only flatten(1) is supported",
        ),
        (
            lambda x: x.mean(1),
            START + "(mean, fx node mean): dim 1; only the mean over (2, 3) is supported",
        ),
        (
            lambda x: F.adaptive_avg_pool2d(x, 4),
            START + "(adaptive_avg_pool2d, fx node adaptive_avg_pool2d): output size (4, 4) on a map of (6, 6); only "
            "sizes that divide the map are supported",
        ),
        (
            lambda x: F.dropout(x, 0.5),
            START + "(dropout, fx node dropout): it drops values in evaluation too; pass training=self.training",
        ),
        (
            lambda x: x.relu_() + x,
            START + "(relu, fx node relu_): overwrites a tensor that is used elsewhere too; use the form not in place",
        ),
        (
            lambda x: torch.add(x, x, alpha=2),
            START + "(add, fx node add): alpha 2; only 1 is supported",
        ),
        (
            lambda x: torch.add(input=x, other=x, out=None),
            START + "(add, fx node add): got an unexpected keyword argument 'out'; leave it out",
        ),
        (lambda x: 1 + x, START + "(add, fx node add): only two tensors may be added"),
        (
            lambda x: x + F.max_pool2d(x, 6),
            START + "(add, fx node add): tensors of shapes (4, 6, 6) and (4, 1, 1); only equal shapes may be added",
        ),
        (
            lambda x: F.max_pool2d(x, 2, dilation=2),
            START + "(max_pool2d, fx node max_pool2d): dilation 2; only 1 is supported",
        ),
        (
            lambda x: F.avg_pool2d(x, 2, divisor_override=3),
            START + "(avg_pool2d, fx node avg_pool2d): divisor_override=3; divide by the window's size",
        ),
        (
            lambda x: torch.cat([x, x], 1),
            START + "(cat, fx node cat): only residual addition joins two branches",
        ),
    ],
    ids=[str(i) for i in range(16)],
)
def test_what_does_not_convert_is_named(operation: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(BadInputError) as error:
        bridged(one(operation), (4, 6, 6))
    assert str(error.value) == message


def test_a_subclass_of_a_layer_is_not_taken_for_the_layer() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) * 2

    with pytest.raises(BadInputError) as error:
        bridged(nn.Sequential(Doubled(1, 1, 1)), (1, 2, 2))
    assert "0 (conv2d, fx node conv2d): use the module torch.nn.Conv2d" in str(error.value)
    assert "0 (mul, fx node mul): only batch norm may scale" in str(error.value)


def test_weights_that_are_not_finite_are_named() -> None:
    model = nn.Sequential(Adder2d(1, 1, 1))
    next(model.parameters()).data.fill_(torch.nan)
    with pytest.raises(BadInputError) as error:
        bridged(model, (1, 2, 2))
    assert str(error.value) == "weight of 0 must be finite, not hold 1 NaN or infinite values"


def test_the_official_names_are_kept() -> None:
    model = build_model("resnet20")
    layers = {node.name for node in bridged(model, input_shape(model)) if isinstance(node, fn.Conv2d | fn.BatchNorm)}
    assert layers == {name.rpartition(".")[0] for name in model.state_dict()}
