"""The settings of training: their ranges, TOML, and the shipped recipes."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from hwadder.train_config import FloatFormat, TrainConfig, changed, default_recipe, read_table, recipe
from quant.errors import BadInputError

RECIPES = ("cifar-resnet", "imagenet", "mnist-lenet5")


def message_of(table: dict[str, object]) -> str:
    with pytest.raises(BadInputError) as error:
        changed(TrainConfig(), table, "x.toml")
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"validation_every": 1}, "validation_every must be 0 or at least 2, not 1"),
        ({"threads": -1}, "threads must be at least 0, not -1"),
        ({"accumulate": 0}, "accumulate must be at least 1, not 0"),
        ({"crop_area": 0.0}, "crop_area must be in (0, 1], not 0.0"),
        ({"epochs": math.nan}, "epochs must be at least 1, not nan"),
        ({"shift_pixels": -1}, "shift_pixels must be at least 0, not -1"),
        ({"scale_fraction": 1.0}, "scale_fraction must be less than 1, not 1.0"),
        ({"learning_rate": math.inf}, "learning_rate must be positive and finite, not inf"),
        ({"momentum": 1.0}, "momentum must be less than 1, not 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0, not -1.0"),
        ({"weight_decay": math.inf}, "weight_decay must be finite, not inf"),
    ],
    ids=str,
)
def test_bad_configurations_are_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(BadInputError) as error:
        dataclasses.replace(TrainConfig(), **change)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_a_table_replaces_settings_and_keeps_the_others() -> None:
    table: dict[str, object] = {"learning_rate": 1, "flip": True, "precision": "bf16"}
    config = changed(TrainConfig(epochs=7), table, "x.toml")
    assert config == TrainConfig(epochs=7, learning_rate=1.0, flip=True, precision=FloatFormat.BF16)
    assert changed(TrainConfig(), config.to_table(), "x.toml") == config


def test_unknown_keys_and_wrong_types_are_named() -> None:
    for table, message in (
        ({"epoch": 3}, "key of x.toml must be a setting of training, not epoch; the nearest is epochs"),
        (
            {"learn_rate": 0.1},
            "key of x.toml must be a setting of training, not learn_rate; the nearest is learning_rate",
        ),
        ({"epochs": 3.0}, "epochs must be an integer, not 3.0"),
        ({"epochs": True}, "epochs must be an integer, not True"),
        ({"momentum": "high"}, "momentum must be a number, not 'high'"),
        ({"flip": 1}, "flip must be true or false, not 1"),
        ({"precision": "fp8"}, "precision must be fp32 or bf16 or fp16, not fp8"),
        ({"seed": -1}, "seed must be at least 0, not -1"),
    ):
        assert message_of(table) == message  # type: ignore[arg-type]


def test_files_that_are_no_toml_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(BadInputError) as error:
        read_table(path)
    assert str(error.value) == f"configuration must be an existing file, not missing: {path}"
    path.write_text("epochs = 3\n")
    assert read_table(path) == {"epochs": 3}
    for content in (b"epochs 3", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(BadInputError) as error:
            read_table(path)
        assert str(error.value).startswith("configuration must be TOML, not text with an error (")
        assert str(error.value).endswith(f"): {path}")


def test_every_shipped_recipe_is_read_and_states_what_it_departs_from() -> None:
    files = sorted(Path(str(each)).stem for each in resources.files("hwadder").joinpath("recipes").iterdir())
    assert tuple(files) == RECIPES
    stated = {"epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "flip", "validation_every"}
    stated |= {"shift_pixels", "rotate_degrees", "scale_fraction", "warp_pixels"}
    for name in RECIPES:
        table = tomllib.loads(resources.files("hwadder").joinpath("recipes", f"{name}.toml").read_text())
        assert stated <= table.keys()
        assert recipe(name).to_table().items() >= table.items()


def test_the_recipes_are_those_of_the_shipped_lenet5_and_of_the_reference() -> None:
    assert recipe("mnist-lenet5") == TrainConfig()
    cifar = recipe("cifar-resnet")
    assert (cifar.epochs, cifar.batch_size, cifar.learning_rate) == (399, 256, 0.1)
    assert (cifar.momentum, cifar.weight_decay, cifar.shift_pixels, cifar.flip) == (0.9, 5e-4, 4, True)


def test_the_default_recipe_follows_model_and_images() -> None:
    assert default_recipe("lenet5", (1, 28, 28)) == "mnist-lenet5"
    assert default_recipe("lenet5-cnn", (1, 28, 28)) == "mnist-lenet5"
    assert default_recipe("mine:grey", (1, 64, 64)) == "mnist-lenet5"
    assert default_recipe("resnet20", (3, 32, 32)) == "cifar-resnet"
    assert default_recipe("mine:large", (3, 224, 224)) == "imagenet"
