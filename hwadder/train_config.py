"""What decides a training run: one frozen dataclass, filled from a shipped recipe, a TOML file and options."""

from __future__ import annotations

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from quant.errors import BadInputError
from quant.files import require_file

T = TypeVar("T")

_KINDS = {int: "an integer", float: "a number", bool: "true or false"}


class FloatFormat(StrEnum):
    """Numbers that forward and backward compute with; adder layers keep float32 sums, the optimizer float32 weights."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


def _setting(default: T, meaning: str, at_least: float = -math.inf, below: float = math.inf) -> T:
    """A field with its line of help and its range, [at_least, below)."""
    metadata = {"meaning": meaning, "at_least": at_least, "below": below}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Settings of training; the defaults are those of the shipped LeNet-5 (recipe mnist-lenet5).

    Each setting's meaning stands beside it, and is also the help of its option on the command line.
    """

    epochs: int = _setting(100, "Passes over the training images.", 1)
    batch_size: int = _setting(64, "Images of one step of the optimizer, over all processes and passes.", 2)
    accumulate: int = _setting(1, "Passes that a process splits its share of a step into, to need less memory.", 1)
    learning_rate: float = _setting(0.05, "Where the cosine of the learning rate starts.")
    cosine_from: int = _setting(
        0, "Number of the first epoch on the cosine, which ends at the number after the last.", 0
    )
    momentum: float = _setting(0.9, "Of SGD.", 0, 1)
    weight_decay: float = _setting(5e-4, "Of every parameter.", 0)
    shift_pixels: int = _setting(2, "Images move by up to this much; black moves in.", 0)
    rotate_degrees: float = _setting(12.0, "Images turn by up to this much.", 0)
    scale_fraction: float = _setting(0.12, "Each axis of an image is scaled by up to this fraction.", 0, 1)
    warp_pixels: float = _setting(0.5, "Standard deviation of a smooth field that bends images.", 0)
    flip: bool = _setting(False, "Mirror half of the images.")
    crop_area: float = _setting(
        1.0, "Least share of its area that a random crop of an image file keeps; 1 leaves the middle."
    )
    validation_every: int = _setting(
        10, "One training image in so many of each class is held out to choose the best epoch; 0 holds out none.", 0
    )
    validate_every_epochs: int = _setting(1, "Epochs from one validation to the next; the last is always validated.", 1)
    # The function makes a dataclass field, which ruff cannot know.
    precision: FloatFormat = _setting(  # noqa: RUF009
        FloatFormat.FP32, "Numbers of forward and backward; adder sums stay float32."
    )
    channels_last: bool = _setting(False, "Keep activations with the channel innermost.")
    compile_model: bool = _setting(False, "Compile the model with torch.compile.")
    sync_batch_norm: bool = _setting(False, "Batch norm over all processes; needs CUDA.")
    seed: int = _setting(0, "Of initial weights, order and augmentation.", 0)
    threads: int = _setting(
        1, "CPU threads; with 1 the weights are the same on any number of cores, 0 leaves it to torch.", 0
    )
    workers: int = _setting(4, "Processes that decode image files.", 0)
    checkpoint_minutes: float = _setting(10.0, "Minutes from one resume file to the next within an epoch.", 0)

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            least, below = each.metadata["at_least"], each.metadata["below"]
            if isinstance(value, float | int) and not least <= value:
                raise BadInputError(f"{each.name} must be at least {least}, not {value}")
            if isinstance(value, float | int) and below < math.inf and not value < below:
                raise BadInputError(f"{each.name} must be less than {below}, not {value}")
        if not 0 < self.learning_rate < math.inf:
            raise BadInputError(f"learning_rate must be positive and finite, not {self.learning_rate}")
        if not self.weight_decay < math.inf:
            raise BadInputError(f"weight_decay must be finite, not {self.weight_decay}")
        if not 0 < self.crop_area <= 1:
            raise BadInputError(f"crop_area must be in (0, 1], not {self.crop_area}")
        if self.validation_every == 1:
            raise BadInputError("validation_every must be 0 or at least 2, not 1")

    def to_table(self) -> dict[str, Any]:
        """The settings as plain values by name, as TOML has them."""
        return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asdict(self).items()}

    def summary(self) -> str:
        """The settings in one line."""
        return ", ".join(f"{name} {value}" for name, value in self.to_table().items())

    def changes_from(self, other: TrainConfig) -> dict[str, tuple[Any, Any]]:
        """What a resumed run would compute otherwise: settings as (own value, other's value) by name."""
        own, others = self.to_table(), other.to_table()
        free = ("workers", "checkpoint_minutes")
        return {name: (own[name], others[name]) for name in own if name not in free and own[name] != others[name]}


def settings() -> Mapping[str, tuple[type, str]]:
    """Type and meaning of each setting, by name."""
    types = get_type_hints(TrainConfig)
    return {each.name: (types[each.name], each.metadata["meaning"]) for each in fields(TrainConfig)}


def changed(config: TrainConfig, table: Mapping[str, object], source: str) -> TrainConfig:
    """`config` with the settings of a table from `source` in place of its own.

    Raises BadInputError for an unknown key, naming the nearest known one, and for a value of the wrong type.
    """
    known = settings()
    values: dict[str, Any] = {}
    for name, value in table.items():
        if name not in known:
            (nearest,) = difflib.get_close_matches(name, known, n=1, cutoff=0)
            raise BadInputError(f"key of {source} must be a setting of training, not {name}; the nearest is {nearest}")
        values[name] = _typed(name, value, known[name][0])
    return replace(config, **values)


def _typed(name: str, value: object, kind: type) -> object:
    if issubclass(kind, StrEnum):
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        raise BadInputError(f"{name} must be {' or '.join(kind)}, not {value}")
    if kind is float and type(value) is int:
        return float(value)
    # A bool is an int to isinstance, and not what was meant.
    if type(value) is not kind:
        raise BadInputError(f"{name} must be {_KINDS[kind]}, not {value!r}")
    return value


def read_table(path: Path) -> dict[str, object]:
    """The settings in a TOML file; raises BadInputError when it is missing or no TOML."""
    require_file(path, "configuration")
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"configuration must be TOML, not text with an error ({error}): {path}") from error


def recipe(name: str) -> TrainConfig:
    """A shipped recipe by name: `mnist-lenet5`, `cifar-resnet` or `imagenet`."""
    text = resources.files("hwadder").joinpath("recipes", f"{name}.toml").read_text()
    return changed(TrainConfig(), tomllib.loads(text), f"recipe {name}")


def default_recipe(model: str, image_shape: tuple[int, int, int]) -> str:
    """Name of the recipe for a model and its images (C, H, W): by the size of colour images, or else LeNet-5's."""
    channels, height, _ = image_shape
    if channels != 3 or model.startswith("lenet5"):
        return "mnist-lenet5"
    return "imagenet" if height >= 128 else "cifar-resnet"
