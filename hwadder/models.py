"""The networks that ship with hwadder, and how a user's own network is found.

A model is a `torch.nn.Module` with an attribute `input_shape`, the (C, H, W) of one image. Every adder network has a
CNN twin, its name followed by `-cnn`: the same modules under the same names, with convolutions and linear layers where
the adder layers stand. A user's model is named `module:function`; calling the function without arguments returns it.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn

from hwadder.arithmetic import Arithmetic
from hwadder.imagenet_resnet import Basic, Bottleneck, ImageNetResNet
from hwadder.layers import Adder2d, AdderLinear
from hwadder.super_resolution import SCALES, Edsr, Vdsr
from hwadder.vision_transformer import AdderParts, TransformerShape, VisionTransformer
from quant.errors import BadInputError

Shape = tuple[int, int, int]
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)
_TWIN = "-cnn"


class LeNet5(nn.Module):
    """LeNet-5 with every layer an adder and batch norm after each, the logits included.

    6 filters 5x5 (padding 2), pool, 16 filters 5x5, pool, 120 filters 5x5, 84, `num_classes`: 416,520 taps for a 28x28
    image of one channel and ten classes.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, arithmetic: Arithmetic = Arithmetic.ADDER) -> None:
        super().__init__()
        self.input_shape: Shape = (in_channels, 28, 28)
        self.conv1 = arithmetic.layer2d(in_channels, 6, 5, padding=2)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = arithmetic.layer2d(6, 16, 5)
        self.bn2 = nn.BatchNorm2d(16)
        self.conv3 = arithmetic.layer2d(16, 120, 5)
        self.bn3 = nn.BatchNorm2d(120)
        self.fc1 = arithmetic.linear(120, 84)
        self.bn4 = nn.BatchNorm1d(84)
        self.fc2 = arithmetic.linear(84, num_classes)
        self.bn5 = nn.BatchNorm1d(num_classes)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 28, 28) to logits (N, classes)."""
        x = self.pool(self.relu(self.bn1(self.conv1(x))))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.relu(self.bn3(self.conv3(x))).flatten(1)
        x = self.relu(self.bn4(self.fc1(x)))
        logits: Tensor = self.bn5(self.fc2(x))
        return logits


class BasicBlock(nn.Module):
    """Two 3x3 adder layers beside a shortcut; the names are the reference's."""

    def __init__(self, in_channels: int, channels: int, stride: int, arithmetic: Arithmetic) -> None:
        super().__init__()
        self.conv1 = arithmetic.layer2d(in_channels, channels, 3, stride=stride, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()
        self.conv2 = arithmetic.layer2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = None
        if stride != 1 or in_channels != channels:
            projection = arithmetic.layer2d(in_channels, channels, 1, stride=stride)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, channels, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        y: Tensor = self.relu(self.bn2(self.conv2(x)) + shortcut)
        return y


class ResNet(nn.Module):
    """The CIFAR residual network of AdderNet (arXiv 1912.13200, section 4): depth 6n + 2, three stages of n blocks.

    The first and the last layer stay dot products, and batch norm follows the logits. `widths` and `input_shape`
    make a smaller network of the same kinds of layers.
    """

    def __init__(
        self,
        depth: int,
        num_classes: int = 10,
        widths: tuple[int, int, int] = (16, 32, 64),
        input_shape: Shape = (3, 32, 32),
        arithmetic: Arithmetic = Arithmetic.ADDER,
    ) -> None:
        super().__init__()
        if depth < 8 or depth % 6 != 2:
            raise BadInputError(f"depth of a ResNet must be 6n + 2 with n of at least 1, not {depth}")
        blocks = (depth - 2) // 6
        self.input_shape: Shape = input_shape
        self.conv1 = nn.Conv2d(input_shape[0], widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU()
        self.layer1 = _stage(widths[0], widths[0], blocks, stride=1, arithmetic=arithmetic)
        self.layer2 = _stage(widths[0], widths[1], blocks, stride=2, arithmetic=arithmetic)
        self.layer3 = _stage(widths[1], widths[2], blocks, stride=2, arithmetic=arithmetic)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Conv2d(widths[2], num_classes, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.bn2(self.fc(self.avgpool(x)))
        return logits.flatten(1)


def _stage(in_channels: int, channels: int, blocks: int, stride: int, arithmetic: Arithmetic) -> nn.Sequential:
    first = BasicBlock(in_channels, channels, stride, arithmetic)
    return nn.Sequential(first, *(BasicBlock(channels, channels, 1, arithmetic) for _ in range(blocks - 1)))


class VggSmall(nn.Module):
    """VGG-small for CIFAR: six 3x3 layers of 128, 128, 256, 256, 512 and 512 channels, a pool after every second one.

    The widths are those of LQ-Nets (Zhang et al., ECCV 2018; its cifar10-vgg-small). There batch norm follows the pool;
    here it stands before it, straight behind the layer, where hardware folds it. The first and the last layer stay dot
    products. 603,979,776 adder taps for a 32x32 image. `widths` and `input_shape` make a smaller network of its kind.
    """

    def __init__(
        self,
        num_classes: int = 10,
        widths: tuple[int, int, int] = (128, 256, 512),
        input_shape: Shape = (3, 32, 32),
        arithmetic: Arithmetic = Arithmetic.ADDER,
    ) -> None:
        super().__init__()
        self.input_shape: Shape = input_shape
        self.conv1 = nn.Conv2d(input_shape[0], widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.conv2 = arithmetic.layer2d(widths[0], widths[0], 3, padding=1)
        self.bn2 = nn.BatchNorm2d(widths[0])
        self.conv3 = arithmetic.layer2d(widths[0], widths[1], 3, padding=1)
        self.bn3 = nn.BatchNorm2d(widths[1])
        self.conv4 = arithmetic.layer2d(widths[1], widths[1], 3, padding=1)
        self.bn4 = nn.BatchNorm2d(widths[1])
        self.conv5 = arithmetic.layer2d(widths[1], widths[2], 3, padding=1)
        self.bn5 = nn.BatchNorm2d(widths[2])
        self.conv6 = arithmetic.layer2d(widths[2], widths[2], 3, padding=1)
        self.bn6 = nn.BatchNorm2d(widths[2])
        self.fc = nn.Linear(widths[2] * (input_shape[1] // 8) * (input_shape[2] // 8), num_classes)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to logits (N, classes)."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.pool(self.relu(self.bn2(self.conv2(x))))
        x = self.relu(self.bn3(self.conv3(x)))
        x = self.pool(self.relu(self.bn4(self.conv4(x))))
        x = self.relu(self.bn5(self.conv5(x)))
        x = self.pool(self.relu(self.bn6(self.conv6(x))))
        logits: Tensor = self.fc(x.flatten(1))
        return logits


MODEL_NAMES = (
    *("lenet5", "resnet20", "resnet32", "vgg-small", "resnet18", "resnet50", "deit-tiny", "deit-small", "deit-base"),
    *(f"{network}-x{scale}" for network in ("vdsr", "edsr") for scale in SCALES),
)
"""The models that ship; each has a twin, and the transformers have variants (`build_model`)."""

_DEIT_SHAPES = {
    "deit-tiny": TransformerShape(192, 3),
    "deit-small": TransformerShape(384, 6),
    "deit-base": TransformerShape(768, 12),
    "deit-tiny-mnist": TransformerShape(192, 3, blocks=6, channels=1),
}
_DEIT_PARTS = {"": AdderParts.BOTH, "-linear": AdderParts.LINEAR, "-attention": AdderParts.ATTENTION}
_LARGE = (720, 1280)
"""Height and width of the images that super-resolution makes, the size at which its papers state costs."""


def build_model(name: str, num_classes: int = 10, seed: int = 0, image_shape: Shape | None = None) -> nn.Module:
    """A new model by name: one of `MODEL_NAMES`, or a user's `module:function` (found from the current folder too; it
    decides its own number of classes).

    A name followed by `-cnn` is the same model with products in place of adders. `deit-*` takes `-linear` or
    `-attention`, which makes only these parts adders, or `-inner`, which leaves the first and last block to products;
    `deit-tiny-mnist` is the six-block model of Shu et al. (NeurIPS 2021). Super-resolution makes 1280x720 images,
    edsr-x3 1278x720: 1280 is no multiple of 3.

    `image_shape` is the input shape of a user's model that has none of its own. The same seed gives the same initial
    weights; the caller's random numbers are not disturbed. Raises BadInputError
    for any other name.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _user_model(name, image_shape) if ":" in name else _shipped_model(name, num_classes)


def _shipped_model(name: str, num_classes: int) -> nn.Module:
    arithmetic = Arithmetic.DOT if name.endswith(_TWIN) else Arithmetic.ADDER
    match name.removesuffix(_TWIN).split("-"):
        case ["lenet5"]:
            return LeNet5(num_classes, arithmetic=arithmetic)
        case ["resnet20" | "resnet32" as network]:
            return ResNet(int(network.removeprefix("resnet")), num_classes, arithmetic=arithmetic)
        case ["vgg", "small"]:
            return VggSmall(num_classes, arithmetic=arithmetic)
        case ["resnet18"]:
            return ImageNetResNet(Basic, (2, 2, 2, 2), num_classes, arithmetic)
        case ["resnet50"]:
            return ImageNetResNet(Bottleneck, (3, 4, 6, 3), num_classes, arithmetic)
        case ["vdsr", "x2" | "x3" | "x4"]:
            return Vdsr(_LARGE, arithmetic)
        case ["edsr", "x2" | "x3" | "x4" as scale]:
            factor = int(scale[1:])
            return Edsr(factor, (_LARGE[0] // factor, _LARGE[1] // factor), arithmetic)
        case ["deit", *_] if (model := _deit(name, num_classes)) is not None:
            return model
    raise BadInputError(
        f"model must be one of {', '.join(MODEL_NAMES)}, each with -cnn for its twin, or module:function, not {name!r}"
    )


def _deit(name: str, num_classes: int) -> nn.Module | None:
    for base, shape in _DEIT_SHAPES.items():
        variant = name.removeprefix(base)
        if variant == _TWIN:
            return VisionTransformer(shape, num_classes, AdderParts.NONE)
        if variant == "-inner":
            return VisionTransformer(shape, num_classes, multiplicative_ends=True)
        if variant in _DEIT_PARTS:
            return VisionTransformer(shape, num_classes, _DEIT_PARTS[variant])
    return None


def _user_model(name: str, image_shape: Shape | None) -> nn.Module:
    module_name, _, function_name = name.partition(":")
    # Appended, not inserted: a caller's folder named like one of ours must not shadow it.
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        function = getattr(importlib.import_module(module_name), function_name)
        model = function()
    except Exception as error:
        # Whatever the user's file raises, the sentence must say whose it is.
        raise BadInputError(
            f"model {name} must be importable and callable, not raise {type(error).__name__}: {error}"
        ) from error
    finally:
        sys.path.remove(here)
    if not isinstance(model, nn.Module):
        raise BadInputError(f"model {name} must return a torch.nn.Module, not {type(model).__name__}")
    if image_shape is not None:
        setattr(model, "input_shape", image_shape)  # noqa: B010 - a module's attributes are typed as parts of it
    input_shape(model)
    return model


def input_shape(model: nn.Module) -> Shape:
    """The (C, H, W) of one image, from the model's attribute `input_shape`; raises BadInputError without one."""
    shape = getattr(model, "input_shape", None)
    if (
        not isinstance(shape, tuple | list)
        or len(shape) != 3
        or not all(isinstance(size, int) and size > 0 for size in shape)
    ):
        raise BadInputError(
            f"model {type(model).__name__} must have an attribute input_shape of three positive integers (C, H, W), "
            f"not {shape!r}"
        )
    return shape[0], shape[1], shape[2]


def shipped_weights(name: str) -> Path:
    """The checkpoint shipped with the package for a model's name; raises BadInputError when there is none."""
    checkpoints = {"lenet5": "lenet5-mnist.pt"}
    if name not in checkpoints:
        raise BadInputError(
            f"model without --checkpoint must be one with shipped weights, {' or '.join(checkpoints)}, not {name!r}"
        )
    return Path(str(resources.files("hwadder"))) / "weights" / checkpoints[name]


def adders_without_norm(model: nn.Module) -> tuple[str, ...]:
    """Paths of the adder layers whose output goes into neither a batch nor a layer norm, found by running one image.

    A norm of a view counts, such as those of query, key and value behind one layer that makes all three. Warns with
    one sentence when there are any: such networks stay at chance in training.
    """
    producers: dict[int, str] = {}
    outputs: list[Tensor] = []  # kept alive so that no id is used twice
    handles = []

    def record(path: str, module: nn.Module) -> None:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, _NORMS):
                producers.pop(id(_viewed(inputs[0])), None)
            else:
                producers[id(_viewed(output))] = path
                outputs.append(_viewed(output))

        handles.append(module.register_forward_hook(hook))

    for path, module in model.named_modules():
        if isinstance(module, (Adder2d, AdderLinear, *_NORMS)):
            record(path, module)
    was_training = model.training
    device = next((parameter.device for parameter in model.parameters()), None)
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, *input_shape(model), device=device))
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()
    paths = tuple(producers.values())
    if paths:
        warnings.warn(
            f"adder layers should be followed by batch or layer norm, or training stays at chance: {', '.join(paths)}",
            stacklevel=2,
        )
    return paths


def _viewed(tensor: Tensor) -> Tensor:
    return tensor if tensor._base is None else tensor._base
