"""Operations of torch models: against formulas worked by hand, torch's own counter, and the count of plain networks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from energy.counts import LayerCount, Version, Workload, count_float
from hwadder import verbs
from hwadder.counting import count_torch, require_known
from hwadder.layers import Adder2d, AdderLinear
from hwadder.models import MODEL_NAMES, build_model, input_shape
from quant.errors import BadInputError


def layers_of(model: nn.Module, *shape: int) -> dict[str, LayerCount]:
    workload = require_known(count_torch(model, shape, "model"))
    return {layer.name: layer for layer in workload.layers}


def others(layer: LayerCount) -> dict[str, int]:
    """Operations outside taps, by kind."""
    totals = Counter[str]()
    for each in layer.others:
        totals[str(each.operation)] += each.count
    return dict(totals)


@pytest.mark.parametrize("name", ["lenet5", "resnet20"])
def test_a_torch_model_counts_as_its_float_network(name: str) -> None:
    def totals(workload: Workload) -> tuple[object, ...]:
        taps = [
            (each.name, each.adder_taps, each.dot_taps, each.output_shape, each.inputs)
            for each in workload.layers
            if each.kind
        ]
        besides = Counter[str]()
        for layer in workload.layers:
            for count in layer.uncharged(Version.ADDER):
                besides[str(count.operation)] += count.count
        return taps, workload.parameters, besides

    model = build_model(name)
    counted = require_known(count_torch(model, input_shape(model), name))
    assert totals(counted) == totals(count_float(verbs.float_network(name)))


def test_products_equal_those_of_torchs_own_counter() -> None:
    model = nn.Sequential(
        *(nn.Conv2d(4, 8, (3, 2), stride=2, padding=1, groups=2), nn.ReLU(), nn.ConvTranspose2d(8, 6, 3, stride=2)),
        *(nn.Flatten(2), nn.Linear(255, 5), nn.Linear(5, 3, bias=False)),
    ).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(1, 4, 13, 14))
    workload = require_known(count_torch(model, (4, 13, 14), "model"))
    # Torch counts a multiplication and an addition for each product.
    assert 2 * workload.dot_taps == counter.get_total_flops() > 0


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_a_twin_has_the_taps_of_its_model_as_products(name: str) -> None:
    # A twin of super-resolution has a bias where its model has batch norm; neither is a tap.
    model, twin = (verbs.count_operations(each).workload for each in (name, f"{name}-cnn"))
    assert model.adder_taps > 0
    with torch.device("meta"):
        assert model.parameters == sum(each.numel() for each in build_model(name).parameters())
    assert (twin.adder_taps, twin.dot_taps) == (0, model.adder_taps + model.dot_taps)


@pytest.mark.parametrize(
    ("name", "products"),
    [
        # What torchvision states of its models of these names.
        ("resnet18", 1_814_073_344),
        ("resnet50", 4_089_184_256),
        # 612.6 G and 316.3 G for 1280x720 (Ahn et al., ECCV 2018, table 1).
        ("vdsr-x2", 612_591_206_400),
        ("edsr-x2", 316_248_883_200),
    ],
)
def test_networks_have_the_products_that_papers_quote(name: str, products: int) -> None:
    workload = verbs.count_operations(name, num_classes=1000).workload
    assert workload.adder_taps + workload.dot_taps == products


def test_layers_and_what_a_forward_writes_out() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.adder = AdderLinear(3, 5, bias=True)

        def forward(self, x: Tensor) -> Tensor:
            y = self.adder(x.flatten(1)[:, :3] * self.scale)
            return torch.cdist(y[:, None], y[:, None], p=1).flatten(1)

    layers = layers_of(Model(), 1, 2, 2)
    assert [(name, each.node, each.adder_taps, each.parameters) for name, each in layers.items()] == [
        ("input", "Input", 0, 0),
        ("Model/mul", "mul", 0, 3),
        ("adder", "AdderLinear", 15, 20),
        ("Model/cdist_forward", "cdist_forward", 5, 0),
    ]
    assert others(layers["adder"]) == {"add": 5}
    assert others(layers["Model/mul"]) == {"multiply": 3}


def test_each_operation_by_hand() -> None:
    """12 channels of 4x4: 192 elements; norms over a whole image or a channel."""
    n, rows = 192, 12
    expected: dict[nn.Module, dict[str, int]] = {
        nn.BatchNorm2d(12): {"multiply": n, "add": n},
        # Without stored statistics: those of each channel, as a group norm of one channel a group.
        nn.BatchNorm2d(12, track_running_stats=False): {
            "add": 2 * (n - rows) + rows + n,
            "subtract": n,
            "multiply": 3 * n + 2 * rows,
            "special function": rows,
        },
        nn.InstanceNorm2d(12): {
            "add": 2 * (n - rows) + rows,
            "subtract": n,
            "multiply": 2 * n + 2 * rows,
            "special function": rows,
        },
        nn.InstanceNorm2d(12, track_running_stats=True): {"multiply": n, "add": n},
        nn.LayerNorm(4): {
            "add": 2 * (n - 48) + 48 + n,
            "subtract": n,
            "multiply": 3 * n + 2 * 48,
            "special function": 48,
        },
        nn.GroupNorm(12, 12, affine=False): {
            "add": 2 * (n - rows) + rows,
            "subtract": n,
            "multiply": 2 * n + 2 * rows,
            "special function": rows,
        },
        nn.Softmax(1): {
            "compare": n - 16,
            "subtract": n,
            "add": n - 16,
            "multiply": n,
            "special function": n + 16,
        },
        nn.ReLU(inplace=True): {"compare": n},
        nn.Hardtanh(): {"compare": 2 * n},
        nn.PReLU(): {"compare": n, "multiply": n},
        nn.GELU(): {"multiply": 3 * n, "add": n, "special function": n},
        nn.Sigmoid(): {"add": n, "special function": 2 * n},
        nn.MaxPool2d(2): {"compare": 48 * 3},
        nn.AvgPool2d(2): {"add": 48 * 3, "multiply": 48},
        nn.AdaptiveAvgPool2d(1): {"add": n - 12, "multiply": 12},
    }
    for module, counts in expected.items():
        layers = layers_of(nn.Sequential(module, nn.PixelShuffle(1)), 12, 4, 4)
        assert others(layers["0"]) == counts, module


def test_attention_is_counted_where_torch_fuses_it() -> None:
    class Attend(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.scaled_dot_product_attention(x, x, x)

    layers = layers_of(Attend(), 2, 5, 3)
    assert sum(each.dot_taps for each in layers.values()) == 2 * (2 * 5 * 5 * 3)
    assert sum(others(each).get("special function", 0) for each in layers.values()) == 2 * (25 + 5)


def test_parameters_that_a_module_reads_of_another_are_booked_once() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1, 1, 8))
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.tied = nn.Linear(8, 8)

        def forward(self, x: Tensor) -> Tensor:
            tokens = torch.cat((self.token.expand(len(x), -1, -1), x), 1)
            attended = self.attention(tokens, tokens, tokens, need_weights=False)[0]
            twice: Tensor = self.tied(self.tied(attended))
            return twice + F.linear(x.sum(1, keepdim=True), self.tied.weight)

    layers = layers_of(Model(), 4, 8)
    assert {name: each.parameters for name, each in layers.items() if each.parameters} == {
        # Both projections, of 3 x 8 x 8 and of 8 x 8, with their biases, and the token that the first one reads.
        "attention/addmm": 4 * (64 + 8) + 8,
        "tied": 64 + 8,
    }
    # Five tokens, to either projection.
    assert layers["attention/addmm"].inputs == 2 * 5 * 8
    assert layers["Model/mm"].inputs == 8


def branching(x: Tensor) -> Tensor:
    return x if x.sum() > 0 else -x


def with_a_tensor_of_its_own(x: Tensor) -> Tensor:
    return x * torch.ones(4, 1, 1, device="cpu")


@pytest.mark.parametrize(
    ("forward", "channels", "reason"),
    [
        (branching, 4, "RuntimeError in inner.1: Tensor.item() cannot be called on meta tensors"),
        (
            with_a_tensor_of_its_own,
            4,
            "RuntimeError in inner.1: Tensor on device cpu is not on the expected device meta!",
        ),
        (nn.Identity(), 3, "RuntimeError in inner.0: Invalid channel dimensions"),
    ],
)
def test_a_model_that_does_not_run_without_values(
    forward: Callable[[Tensor], Tensor], channels: int, reason: str
) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(4, 4, 1), Step())

        def forward(self, x: Tensor) -> Tensor:
            return cast(Tensor, self.inner(x))

    class Step(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return forward(x)

    with pytest.raises(BadInputError) as error:
        count_torch(Model(), (channels, 2, 2), "mine")
    assert str(error.value) == (
        f"model mine must run on a tensor of shape (1, {channels}, 2, 2) that has no values, not raise {reason}"
    )


def test_an_operation_without_a_rule_is_named_with_its_module() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.Sequential(nn.Softplus(), nn.Softplus()))
    count = count_torch(model, (1, 2, 2), "mine")
    assert [(each.operation, each.module, each.times) for each in count.unknown] == [
        ("aten.softplus", "1.0", 1),
        ("aten.softplus", "1.1", 1),
    ]
    with pytest.raises(BadInputError) as error:
        require_known(count)
    assert str(error.value) == (
        "operations of mine must be ones that are counted, not aten.softplus in 1.0 (and 1 more); "
        "--list-unknown lists them instead"
    )


def test_distances_other_than_absolute_ones_are_unknown() -> None:
    class Euclid(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.cdist(x, x, p=3.0)

    assert [each.operation for each in count_torch(Euclid(), (1, 2, 2), "e").unknown] == ["aten._cdist_forward"]


def test_the_model_is_left_as_it_was() -> None:
    model = nn.Sequential(Adder2d(1, 2, 1), nn.BatchNorm2d(2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    count_torch(model, (1, 3, 3), "model")
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("name", ["lenet5", "resnet50-cnn"])
def test_a_checkpoint_is_counted_as_the_model_it_fits(name: str, tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/some.pt"
    torch.save(build_model(name, 100).state_dict(), path)
    count = verbs.count_operations(path)
    assert count.workload == verbs.count_operations(name, num_classes=100).workload


def test_a_checkpoint_of_another_model_is_refused(tmp_path: pytest.TempPathFactory) -> None:
    path = f"{tmp_path}/other.pt"
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(BadInputError) as error:
        verbs.count_operations(path)
    assert (
        str(error.value) == f"checkpoint to count must be of a model that ships ({', '.join(MODEL_NAMES)}), not {path}"
    )


def test_every_published_figure_is_equal_or_explained() -> None:
    rows = verbs.published()
    assert len(rows) == 15 + 41
    assert [(row.model, row.quantity) for row in rows if not row.equal and not row.explanation] == []
    # What the text of a table prints and counting gives, figure by figure (Shu et al., tables 1, 2 and 4).
    transformers = {(row.model, row.network, row.quantity) for row in rows if not row.equal and "deit" in row.model}
    assert transformers == {
        ("deit-base", "cnn", "energy_pj"),
        ("deit-base", "adder", "multiplications"),
        ("deit-base", "adder", "additions"),
        ("deit-base-inner", "cnn", "energy_pj"),
        ("deit-base-inner", "adder", "additions"),
        ("deit-small-inner", "adder", "additions"),
        ("deit-tiny", "adder", "additions"),
        ("deit-tiny-inner", "adder", "multiplications"),
        ("deit-tiny-mnist", "adder", "additions"),
    }


def test_deit_base_by_hand() -> None:
    """197 tokens of 768 channels: a block has 12 * 197 * 768**2 products in linear layers, 197**2 * 768 in each of the
    scores and the values (section 3.1 of the paper)."""
    linear, attention = 12 * 197 * 768**2, 197**2 * 768
    workload = verbs.count_operations("deit-base").workload
    assert workload.adder_taps == 12 * (linear + attention)
    assert workload.dot_taps == 12 * attention + 196 * 768 * 3 * 16**2 + 7680
    only_norms = sum(
        count.count for layer in workload.layers if layer.node == "LayerNorm" for count in layer.others if count.count
    )
    # Nine norms in a block, twelve times the width together (section 3.1), and one at the end: seven operations an
    # element and two a token, an addition fewer, two products and an inverse root.
    assert only_norms == 7 * 197 * 768 * (12 * 12 + 1) + 2 * 197 * (12 * 9 + 1)


def test_inputs_are_what_is_read_beside_the_parameters() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(6, 4))

        def forward(self, x: Tensor) -> Tensor:
            heads = F.linear(x, self.weight).reshape(1, -1, 3, 2).transpose(1, 2)
            return heads @ heads.transpose(2, 3)

    layers = layers_of(Attention(), 5, 4)
    product, scores = (layer for layer in layers.values() if layer.dot_taps)
    assert (product.inputs, product.parameters, product.outputs) == (5 * 4, 6 * 4, 5 * 6)
    # Three heads of five vectors of two elements, twice; three tables of five by five.
    assert (scores.inputs, scores.parameters, scores.outputs) == (2 * 3 * 5 * 2, 0, 3 * 5 * 5)
