"""The shipped networks' shapes and names, and how a user's own is found."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from hwadder.layers import Adder2d, AdderLinear
from hwadder.models import ResNet, adders_without_batch_norm, build_model, input_shape, shipped_weights
from quant.errors import BadInputError


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
    assert adders_without_batch_norm(model) == ()


@pytest.mark.parametrize(("name", "entries", "taps"), [("resnet20", 132, 40_370_176), ("resnet32", 204, 68_681_728)])
def test_resnets_have_the_references_entries_and_taps(name: str, entries: int, taps: int) -> None:
    model = build_model(name)
    assert len(model.state_dict()) == entries
    assert adder_taps(model) == taps
    assert adders_without_batch_norm(model) == ()


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
        "vgg": "model must be lenet5, resnet20, resnet32 or module:function, not 'vgg'",
    }.items():
        with pytest.raises(BadInputError) as error:
            build_model(name)
        assert str(error.value) == message


def test_adders_without_batch_norm_are_named() -> None:
    model = nn.Sequential(
        Adder2d(1, 2, 1), nn.BatchNorm2d(2), Adder2d(2, 3, 1), nn.ReLU(), nn.Flatten(), AdderLinear(3, 2)
    )
    vars(model)["input_shape"] = (1, 1, 1)
    message = "^adder layers should be followed by batch norm, or training stays at chance: 2, 5$"
    with pytest.warns(UserWarning, match=message):
        assert adders_without_batch_norm(model) == ("2", "5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert adders_without_batch_norm(build_model("lenet5")) == ()


def test_shipped_weights_exist_and_unknown_ones_are_named() -> None:
    assert shipped_weights("lenet5").is_file()
    with pytest.raises(BadInputError) as error:
        shipped_weights("resnet20")
    assert str(error.value) == "model without --checkpoint must be one with shipped weights, lenet5, not 'resnet20'"
