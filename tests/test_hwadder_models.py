"""The shipped networks' shapes and names, and how a user's own is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from hwadder.arithmetic import Arithmetic
from hwadder.bridge import to_float_network
from hwadder.layers import Adder2d, AdderLinear
from hwadder.models import (
    MODEL_NAMES,
    ResNet,
    VggSmall,
    adders_without_norm,
    build_model,
    input_shape,
    shipped_weights,
)
from quant.errors import BadInputError
from quant.golden import classify
from quant.quantizer import QuantizerOptions, quantize


def adder_taps(model: nn.Module) -> int:
    """Taps of one image: output positions times the weights that each meets, counted by running it."""
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, Adder2d | AdderLinear)
        total += output[0].numel() * module.adder[0].numel()

    for module in model.modules():
        if isinstance(module, Adder2d | AdderLinear):
            module.register_forward_hook(count)
    model.eval()(torch.zeros(1, *input_shape(model)))
    return total


def test_lenet5_has_the_published_taps_and_only_adders() -> None:
    model = build_model("lenet5")
    assert adder_taps(model) == 416_520
    assert not [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert adders_without_norm(model) == ()


@pytest.mark.parametrize(("name", "entries", "taps"), [("resnet20", 132, 40_370_176), ("resnet32", 204, 68_681_728)])
def test_resnets_have_the_references_entries_and_taps(name: str, entries: int, taps: int) -> None:
    model = build_model(name)
    assert len(model.state_dict()) == entries
    assert adder_taps(model) == taps
    assert adders_without_norm(model) == ()


def test_vgg_small_has_the_widths_of_lq_nets_and_its_taps_are_counted_by_hand() -> None:
    model = build_model("vgg-small")
    layers = [module for module in model.modules() if isinstance(module, Adder2d | nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [128, 128, 256, 256, 512, 512]
    # Channels in and out, 3x3 taps, positions of a layer.
    by_hand = ((128, 128, 32), (128, 256, 16), (256, 256, 16), (256, 512, 8), (512, 512, 8))
    assert adder_taps(model) == sum(inputs * outputs * 9 * side**2 for inputs, outputs, side in by_hand)
    assert adders_without_norm(model) == ()


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "resnet32", "vgg-small"])
def test_a_twin_has_the_same_modules_with_dot_products(name: str) -> None:
    model, twin = build_model(name), build_model(f"{name}-cnn", seed=3)
    assert adder_taps(twin) == 0
    shapes = {key.replace(".adder", ".weight"): value.shape for key, value in model.state_dict().items()}
    assert {key: value.shape for key, value in twin.state_dict().items()} == shapes
    kinds = {Adder2d: nn.Conv2d, AdderLinear: nn.Linear}
    counterparts = [kinds.get(type(module), type(module)) for module in model.modules()]
    assert [type(module) for module in twin.modules()] == counterparts


def test_twins_become_integer_networks() -> None:
    torch.manual_seed(0)
    images = np.random.default_rng(0).integers(0, 256, (8, 3, 8, 8), dtype=np.uint8)
    for model in (
        ResNet(8, 4, (2, 3, 4), (3, 8, 8), Arithmetic.DOT),
        VggSmall(4, (2, 3, 4), (3, 8, 8), Arithmetic.DOT),
    ):
        model(torch.randn(8, 3, 8, 8))  # running statistics of batch norm that are not all 0 and 1
        network = to_float_network(model, (3, 8, 8), np.zeros(3), np.ones(3), "twin")
        quantized = quantize(network, images, QuantizerOptions()).network
        logits = model.eval()(torch.from_numpy(images).float() / 255)
        classes = np.concatenate(list(classify(quantized, images)))
        # Where the two largest logits are further apart than eight bits can err, both choose the same class.
        best = logits.topk(2).values
        clear = (best[:, 0] - best[:, 1] > 0.05 * logits.abs().max()).numpy()
        assert clear.any()
        assert np.array_equal(classes[clear], logits.argmax(dim=1).numpy()[clear])


def test_resnet_names_are_the_references() -> None:
    names = list(build_model("resnet20").state_dict())
    assert {name.rpartition(".")[0] for name in names if not name.startswith("layer")} == {"conv1", "bn1", "fc", "bn2"}
    assert {name for name in names if name.startswith("layer2.0") and "bn" not in name} == {
        "layer2.0.conv1.adder",
        "layer2.0.conv2.adder",
        "layer2.0.downsample.0.adder",
        *(f"layer2.0.downsample.1.{each}" for each in ("weight", "bias", "running_mean", "running_var")),
        "layer2.0.downsample.1.num_batches_tracked",
    }
    assert not [name for name in names if name.startswith("layer1.0.downsample")]


def test_a_small_resnet_has_every_kind_of_layer() -> None:
    model = ResNet(8, num_classes=7, widths=(2, 3, 4), input_shape=(3, 8, 8)).eval()
    assert model(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    with pytest.raises(BadInputError) as error:
        ResNet(18)
    assert str(error.value) == "depth of a ResNet must be 6n + 2 with n of at least 1, not 18"


def test_the_seed_decides_the_weights_and_the_callers_numbers_go_on() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, second, third = (build_model("lenet5", seed=seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.adder"], third["conv1.adder"])


def test_the_number_of_classes_is_the_last_layers_width() -> None:
    for name in ("lenet5", "resnet20"):
        model = build_model(name, num_classes=3).eval()
        assert model(torch.zeros(1, *input_shape(model))).shape == (1, 3)


def test_a_users_model_is_found_from_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_networks.py").write_text(
        "from torch import nn\n"
        "def good():\n"
        "    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))\n"
        "    model.input_shape = (3, 2, 2)\n"
        "    return model\n"
        "def shapeless():\n"
        "    return nn.Linear(2, 2)\n"
        "def not_a_model():\n"
        "    return 3\n"
        "def broken():\n"
        "    raise RuntimeError('no such file')\n"
    )
    monkeypatch.chdir(tmp_path)
    assert input_shape(build_model("my_networks:good")) == (3, 2, 2)
    for name, message in {
        "my_networks:shapeless": "model Linear must have an attribute input_shape of three positive integers (C, H, W),"
        " not None",
        "my_networks:not_a_model": "model my_networks:not_a_model must return a torch.nn.Module, not int",
        "my_networks:broken": "model my_networks:broken must be importable and callable, not raise RuntimeError: "
        "no such file",
        "my_networks:absent": "model my_networks:absent must be importable and callable, not raise AttributeError: "
        "module 'my_networks' has no attribute 'absent'",
        "no_such_module:build": "model no_such_module:build must be importable and callable, not raise "
        "ModuleNotFoundError: No module named 'no_such_module'",
        "vgg": "model must be one of lenet5, resnet20, resnet32, vgg-small, resnet18, resnet50, deit-tiny, "
        "deit-small, deit-base, vdsr-x2, vdsr-x3, vdsr-x4, edsr-x2, edsr-x3, edsr-x4, each with -cnn for its twin, or "
        "module:function, not 'vgg'",
    }.items():
        with pytest.raises(BadInputError) as error:
            build_model(name)
        assert str(error.value) == message


def test_adders_without_norm_are_named() -> None:
    model = nn.Sequential(
        *(Adder2d(1, 2, 1), nn.BatchNorm2d(2), Adder2d(2, 3, 1), nn.ReLU(), nn.Flatten(), AdderLinear(3, 4)),
        *(nn.Unflatten(1, (2, 2)), nn.LayerNorm(2), nn.Flatten(), AdderLinear(4, 2)),
    )
    vars(model)["input_shape"] = (1, 1, 1)
    message = "^adder layers should be followed by batch or layer norm, or training stays at chance: 2, 9$"
    for device in ("cpu", "meta"):
        with pytest.warns(UserWarning, match=message):
            assert adders_without_norm(model.to(device)) == ("2", "9")


DEITS = [f"deit-tiny{variant}" for variant in ("-mnist", "-linear", "-attention", "-inner", "-mnist-linear")]


@pytest.mark.parametrize("name", [*MODEL_NAMES, *DEITS])
def test_shipped_models_have_a_norm_behind_every_adder(name: str) -> None:
    with torch.device("meta"):
        model = build_model(name)
    assert adders_without_norm(model) == ()


def test_shipped_weights_exist_and_unknown_ones_are_named() -> None:
    assert shipped_weights("lenet5").is_file()
    with pytest.raises(BadInputError) as error:
        shipped_weights("resnet20")
    assert str(error.value) == "model without --checkpoint must be one with shipped weights, lenet5, not 'resnet20'"
