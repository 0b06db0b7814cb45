"""Every form of checkpoint found in the wild, each built here, and files that are none."""

from __future__ import annotations

import collections
import importlib
import io
import pickle
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from hwadder.checkpoint import load_checkpoint, read_archive, read_state_dict, save_checkpoint
from hwadder.models import ResNet, build_model
from quant.errors import BadInputError

State = dict[str, Tensor]


def small(seed: int = 0) -> ResNet:
    torch.manual_seed(seed)
    return ResNet(8, widths=(2, 3, 4), input_shape=(3, 8, 8))


def assert_loads(path: Path, expected: State) -> None:
    model = small(seed=1)
    load_checkpoint(path, model)
    loaded = model.state_dict()
    assert list(loaded) == list(expected)
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)


def prefixed(state: State) -> State:
    return {f"module.{name}": value for name, value in state.items()}


def shiftaddnet(state: State) -> State:
    return {name.replace(".adder", ".weight"): value for name, value in state.items()}


def without_counters(state: State) -> State:
    return {name: value for name, value in state.items() if "num_batches" not in name}


def as_parameters(state: State) -> dict[str, Any]:
    return {name: nn.Parameter(value) if value.is_floating_point() else value for name, value in state.items()}


FORMS: dict[str, Callable[[State], Any]] = {
    "plain": lambda state: state,
    "ordered": collections.OrderedDict,
    "prefixed": prefixed,
    "prefixed twice": lambda state: prefixed(prefixed(state)),
    "state_dict": lambda state: {"epoch": 3, "state_dict": prefixed(state), "best_acc1": 0.9},
    "model": lambda state: {"model": state},
    "net": lambda state: {"net": state, "acc": 91.0},
    "shiftaddnet": shiftaddnet,
    "no counters": without_counters,
    "parameters": as_parameters,
}


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_every_form_of_state_dict_loads(form: Callable[[State], Any], is_zip: bool, tmp_path: Path) -> None:
    state = small().state_dict()
    path = tmp_path / "net.pth"
    torch.save(form(dict(state)), path, _use_new_zipfile_serialization=is_zip)
    assert_loads(path, state)


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_tensors_saved_on_a_gpu_load_on_the_cpu(is_zip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = small().state_dict()
    path = tmp_path / "net.pth"
    with monkeypatch.context() as patch:
        # The tag that torch writes beside each storage is all that tells such a file apart.
        patch.setattr(torch.serialization, "location_tag", lambda _storage: "cuda:0")
        torch.save(state, path, _use_new_zipfile_serialization=is_zip)
    assert b"cuda:0" in path.read_bytes()
    assert_loads(path, state)


REFERENCE_SOURCES = {
    "adder": "from torch import nn\nclass adder2d(nn.Module):\n    pass\n",
    "resnet20": "from torch import nn\nclass ResNet(nn.Module):\n    pass\nclass BasicBlock(nn.Module):\n    pass\n",
}


def as_reference_modules(model: nn.Module) -> nn.Module:
    """The same network made of the classes that the reference's whole-model pickles name."""
    adder, resnet20 = importlib.import_module("adder"), importlib.import_module("resnet20")
    classes = {"Adder2d": adder.adder2d, "ResNet": resnet20.ResNet, "BasicBlock": resnet20.BasicBlock}
    for name, child in model.named_children():
        setattr(model, name, as_reference_modules(child))
    if type(model).__name__ in classes:
        renamed: nn.Module = classes[type(model).__name__]()
        renamed.__dict__.update(vars(model))
        return renamed
    return model


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"net": model}, nn.DataParallel], ids="123")
def test_whole_model_pickles_load_without_their_classes(
    wrap: Callable[[nn.Module], Any], is_zip: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In files of their own, so that a legacy pickle carries the classes' source text too.
    for name, source in REFERENCE_SOURCES.items():
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "net.pth"
    state = {name: value.clone() for name, value in small().state_dict().items()}
    torch.save(wrap(as_reference_modules(small())), path, _use_new_zipfile_serialization=is_zip)
    assert (b"class adder2d(nn.Module)" in path.read_bytes()) != is_zip
    for name in REFERENCE_SOURCES:
        del sys.modules[name]
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('imported')")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_loads(path, state)
    assert not REFERENCE_SOURCES.keys() & sys.modules.keys()
    assert sorted(tmp_path.iterdir()) == before


class Trap:
    """Unpickled the usual way, it would create a file."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.victim)!r}, 'w').close()",))


class OwnModule(nn.Module):
    """A class that the file names and hwadder does not know."""


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_would_run_code_is_refused_and_not_run(is_zip: bool, tmp_path: Path) -> None:
    path, victim = tmp_path / "net.pth", tmp_path / "victim"
    torch.save({"conv1.weight": Trap(victim)}, path, _use_new_zipfile_serialization=is_zip)
    with pytest.raises(BadInputError) as error:
        load_checkpoint(path, small())
    assert str(error.value) == (
        f"checkpoint must hold only tensors and the reference's modules, not exec, which was not run: {path}"
    )
    assert not victim.exists()


def test_a_legacy_pickle_cannot_change_what_it_is_lent(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"x": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for name in (b"ctorch._utils\n_rebuild_tensor_v2\n", b"cadder\nadder2d\n"):
        # The third part of a pickle's state sets attributes: here `dump_patches` of the object named before.
        forged = b"\x80\x02" + name + b"N}X\x0c\x00\x00\x00dump_patches\x88s\x86b."
        start = whole.index(b"\x80\x02}q\x00X\x01\x00\x00\x00x")
        path.write_bytes(whole[:start] + forged)
        with pytest.raises(BadInputError) as error:
            read_archive(path)
        assert str(error.value) == f"checkpoint must be whole, not truncated or damaged: {path}"
    assert not hasattr(torch._utils._rebuild_tensor_v2, "dump_patches")


def test_a_blocked_module_and_an_unknown_class_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"

    class System:
        def __reduce__(self) -> tuple[Any, ...]:
            return (sys.modules["posix"].system, ("true",))

    for content, name in ((System(), "posix.system"), (OwnModule(), f"{__name__}.OwnModule")):
        torch.save(content, path)
        with pytest.raises(BadInputError) as error:
            read_archive(path)
        assert str(error.value) == (
            f"checkpoint must hold only tensors and the reference's modules, not {name}, which was not run: {path}"
        )


def test_files_that_are_no_checkpoint_are_named(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    files = {
        "plain.pkl": pickle.dumps(Trap(victim)),
        "text.pth": b"not a checkpoint at all",
        "empty.pth": b"",
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        state = "another kind of file" if content else "an empty file"
        with pytest.raises(BadInputError) as error:
            read_state_dict(path)
        assert str(error.value) == f"checkpoint must be a file written by torch.save, not {state}: {path}"
    assert not victim.exists()
    for path, state in ((tmp_path / "absent.pth", "missing"), (tmp_path, "a folder")):
        with pytest.raises(BadInputError) as error:
            read_state_dict(path)
        assert str(error.value) == f"checkpoint must be an existing file, not {state}: {path}"


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kept", [30, 0.3, 0.7, 0.99], ids=str)
def test_truncated_checkpoints_are_named(is_zip: bool, kept: float, tmp_path: Path) -> None:
    path, buffer = tmp_path / "net.pth", io.BytesIO()
    torch.save(small().state_dict(), buffer, _use_new_zipfile_serialization=is_zip)
    whole = buffer.getvalue()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(BadInputError) as error:
        read_state_dict(path)
    assert str(error.value) == f"checkpoint must be whole, not truncated or damaged: {path}"


def test_an_archive_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x_train.npy", b"")
    with pytest.raises(BadInputError) as error:
        read_state_dict(path)
    assert str(error.value) == f"checkpoint must be whole, not truncated or damaged: {path}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "checkpoint must hold tensors by name, not list"),
        ({}, "checkpoint must hold tensors by name, not an empty dictionary"),
        ({"fc.weight": 3}, "checkpoint must hold tensors by name, not 'fc.weight' as int"),
        ({1: torch.zeros(1)}, "checkpoint must hold tensors by name, not 1 as Tensor"),
        (
            {"fc.weight": torch.tensor([1.0, torch.nan, torch.inf])},
            "entry fc.weight of checkpoint must be finite, not hold 2 NaN or infinite values",
        ),
    ],
    ids="12345",
)
def test_contents_that_are_no_finite_tensors_are_named(content: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path)
    with pytest.raises(BadInputError) as error:
        read_state_dict(path)
    assert str(error.value) == f"{message}: {path}"


def test_checkpoints_of_another_network_are_named_and_change_nothing(tmp_path: Path) -> None:
    path, state = tmp_path / "net.pth", small().state_dict()
    wrong_shape = {**state, "layer1.0.conv1.adder": torch.zeros(2, 2, 5, 5)}
    missing = {name: value for name, value in state.items() if not name.startswith("layer3.0.conv")}
    unexpected = {**state, **{f"layer4.{i}.adder": torch.zeros(1) for i in range(5)}}
    for content, message in (
        (wrong_shape, "entry layer1.0.conv1.adder of checkpoint must be of shape (2, 2, 3, 3), not (2, 2, 5, 5)"),
        (missing, "checkpoint must match ResNet, not lack layer3.0.conv1.adder, layer3.0.conv2.adder"),
        (
            unexpected,
            "checkpoint must match ResNet, not hold layer4.0.adder, layer4.1.adder, layer4.2.adder and 2 more",
        ),
        (
            {**missing, "extra": torch.zeros(1)},
            "checkpoint must match ResNet, not lack layer3.0.conv1.adder, layer3.0.conv2.adder and hold extra",
        ),
    ):
        save_checkpoint(path, content)
        model = small(seed=1)
        with pytest.raises(BadInputError) as error:
            load_checkpoint(path, model)
        assert str(error.value) == f"{message}: {path}"
        untouched = small(seed=1).state_dict()
        assert all(torch.equal(value, untouched[name]) for name, value in model.state_dict().items())


def test_saving_gives_the_same_bytes_and_leaves_nothing_beside(tmp_path: Path) -> None:
    state = small().state_dict()
    first, second = tmp_path / "one" / "a.pt", tmp_path / "two.pt"
    save_checkpoint(first, state)
    save_checkpoint(second, state)
    save_checkpoint(second, state)
    assert first.read_bytes() == second.read_bytes()
    assert sorted(tmp_path.iterdir()) == [tmp_path / "one", tmp_path / "two.pt"]
    assert_loads(first, state)


def test_the_official_checkpoint_loads_strictly(data_folder: Path) -> None:
    model = build_model("resnet20")
    load_checkpoint(data_folder / "ResNet20-AdderNet.pth", model)
    assert len(read_state_dict(data_folder / "ResNet20-AdderNet.pth")) == 132
    # FACTS 2: weights reach far beyond the activations, and one batch norm scale is negative.
    assert max(value.abs().max().item() for name, value in model.state_dict().items() if "adder" in name) > 35
    assert min(module.weight.min().item() for module in model.modules() if isinstance(module, nn.BatchNorm2d)) < 0
