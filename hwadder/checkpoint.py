"""Reading checkpoints of every form in the wild without running code from them, and writing them whole or not."""

from __future__ import annotations

import io
import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from quant.errors import BadInputError
from quant.files import replacing_file, require_file

_ZIP_MAGIC = b"PK\x03\x04"
_LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""How files of `torch.save` begin: a zip archive since 1.6, before that a pickled magic number."""

_WRAPPERS = ("state_dict", "model", "net")


class _Frozen(type):
    """Classes whose attributes a pickle cannot set."""

    def __setattr__(cls, name: str, value: object) -> None:
        raise AttributeError(name)


class _Module(metaclass=_Frozen):
    """Stands in for a module's class in a whole-model pickle: holds the attributes, has no behaviour."""

    dump_patches = False  # read by torch's legacy loader, which would write a file if it were true

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


_STAND_INS = (
    *("adder.adder2d", "resnet20.ResNet", "resnet20.BasicBlock", "resnet50.ResNet", "resnet50.Bottleneck"),
    *(f"torch.nn.modules.conv.{name}" for name in ("Conv1d", "Conv2d")),
    *(f"torch.nn.modules.batchnorm.{name}" for name in ("BatchNorm1d", "BatchNorm2d")),
    *(f"torch.nn.modules.activation.{name}" for name in ("ReLU", "ReLU6")),
    *(f"torch.nn.modules.pooling.{name}" for name in ("AvgPool2d", "MaxPool2d", "AdaptiveAvgPool2d")),
    *(f"torch.nn.modules.container.{name}" for name in ("Sequential", "ModuleList", "ModuleDict")),
    *("torch.nn.modules.linear.Linear", "torch.nn.modules.linear.Identity", "torch.nn.modules.dropout.Dropout"),
    *("torch.nn.modules.flatten.Flatten", "torch.nn.parallel.data_parallel.DataParallel"),
    "torch.nn.parallel.distributed.DistributedDataParallel",
)
"""Classes that a whole-model pickle of the reference networks names; each is read as an own, inert class."""


@dataclass(frozen=True, slots=True)
class _Rebuild:
    """A function that a pickle may call and not change: a plain function would take attributes."""

    function: Callable[..., Any]

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


class _LegacyUnpickler(pickle.Unpickler):
    """Knows tensors, containers and stand-ins; torch's own weights-only loader refuses the source text that legacy
    pickles of whole models carry."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._known: dict[str, Any] = {
            "collections.OrderedDict": OrderedDict,
            "__builtin__.set": set,
            "builtins.set": set,
            "torch._utils._rebuild_tensor_v2": _Rebuild(torch._utils._rebuild_tensor_v2),
            "torch._utils._rebuild_parameter": _Rebuild(torch._utils._rebuild_parameter),
            **{name: stand_in for stand_in, name in _stand_ins()},
        }

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in self._known:
            raise pickle.UnpicklingError(f"GLOBAL {module}.{name} was refused")
        return self._known[f"{module}.{name}"]


def _stand_ins() -> list[tuple[type, str]]:
    """A new class each: torch keys its list by class, and one class cannot stand for several names."""
    return [(_Frozen(name.rpartition(".")[2], (_Module,), {}), name) for name in _STAND_INS]


def read_archive(path: Path) -> Any:
    """The object in a file of `torch.save`, tensors on the CPU; raises BadInputError when it is no whole checkpoint or
    names anything but tensors, containers and the reference's module classes."""
    require_file(path, "checkpoint")
    with path.open("rb") as file:
        head = file.read(len(_LEGACY_MAGIC))
    if not head.startswith(_ZIP_MAGIC) and head != _LEGACY_MAGIC:
        state = "an empty file" if not head else "another kind of file"
        raise BadInputError(f"checkpoint must be a file written by torch.save, not {state}: {path}")
    try:
        with warnings.catch_warnings():
            # The legacy loader compares a class's source with the pickled one, and stand-ins have none.
            warnings.simplefilter("ignore")
            if head == _LEGACY_MAGIC:
                restricted = SimpleNamespace(
                    __name__="pickle",
                    Unpickler=_LegacyUnpickler,
                    load=lambda file, **keywords: _LegacyUnpickler(file, **keywords).load(),
                )
                return torch.load(path, map_location="cpu", weights_only=False, pickle_module=restricted)
            with torch.serialization.safe_globals([*_stand_ins()]):
                return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged or hostile file can raise anything inside the loader.
        refused = re.search(r"GLOBAL (\S+)", str(error))
        if refused:
            name = refused[1].removeprefix("builtins.").removeprefix("__builtin__.")
            raise BadInputError(
                f"checkpoint must hold only tensors and the reference's modules, not {name}, which was not run: {path}"
            ) from error
        raise BadInputError(f"checkpoint must be whole, not truncated or damaged: {path}") from error


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name: unwrapped, a whole model taken apart, `module.` prefixes stripped.

    Raises BadInputError when the file is missing, damaged, no checkpoint, would run code, or holds NaN or infinite
    values.
    """
    content = read_archive(path)
    while isinstance(content, dict) and (key := next((key for key in _WRAPPERS if key in content), None)):
        content = content[key]
    if isinstance(content, _Module):
        content = _taken_apart(content)
    if not isinstance(content, dict) or not content:
        raise BadInputError(f"checkpoint must hold tensors by name, not {_describe(content)}: {path}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise BadInputError(f"checkpoint must hold tensors by name, not {name!r} as {_describe(value)}: {path}")
        bad = int(value.numel() - torch.isfinite(value.detach()).sum())
        if bad:
            raise BadInputError(
                f"entry {name} of checkpoint must be finite, not hold {bad} NaN or infinite values: {path}"
            )
    while all(name.startswith("module.") for name in content):
        content = {name.removeprefix("module."): value for name, value in content.items()}
    return {name: value.detach() for name, value in content.items()}


def load_checkpoint(path: Path, model: nn.Module) -> None:
    """Load a checkpoint into `model`, strictly: every entry, no other, each of the right shape.

    Two departures of older files are mended: ShiftAddNet's `.weight` for `.adder`, and a missing
    `num_batches_tracked`, which no result depends on. Raises BadInputError, and then `model` is as it was.
    """
    model.load_state_dict(fitted(read_state_dict(path), model, path))


def fitted(state: dict[str, Tensor], model: nn.Module, path: Path) -> dict[str, Tensor]:
    """The entries of a checkpoint as `model` names them; raises BadInputError where it is another model's.

    `path` is for the message; `model` may be on meta tensors.
    """
    state, expected = dict(state), model.state_dict()
    for name in expected:
        as_weight = name.removesuffix("adder") + "weight"
        if name.endswith(".adder") and name not in state and as_weight in state and as_weight not in expected:
            state[name] = state.pop(as_weight)
        if name.endswith("num_batches_tracked"):
            state.setdefault(name, expected[name])
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    if missing or unexpected:
        parts = [f"lack {_some(missing)}"] * bool(missing) + [f"hold {_some(unexpected)}"] * bool(unexpected)
        raise BadInputError(f"checkpoint must match {type(model).__name__}, not {' and '.join(parts)}: {path}")
    for name, value in expected.items():
        if state[name].shape != value.shape:
            raise BadInputError(
                f"entry {name} of checkpoint must be of shape {tuple(value.shape)}, "
                f"not {tuple(state[name].shape)}: {path}"
            )
    return state


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a state dict, or a dictionary of plain values and tensors, so that `path` is always whole."""
    # Through memory: torch names the archive after its file, and a temporary name would change the bytes.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with replacing_file(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _taken_apart(module: Any, prefix: str = "") -> dict[str, Any]:
    """The state dict of an unpickled module: its parameters and buffers, then those of its children."""
    attributes = vars(module)
    skipped = attributes.get("_non_persistent_buffers_set", set())
    own = {**attributes.get("_parameters", {}), **attributes.get("_buffers", {})}
    state = {prefix + name: value for name, value in own.items() if value is not None and name not in skipped}
    for name, child in attributes.get("_modules", {}).items():
        if child is not None:
            state |= _taken_apart(child, f"{prefix}{name}.")
    return state


def _describe(value: object) -> str:
    return "an empty dictionary" if value == {} else type(value).__name__


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
