"""Training on a few small images: its formulas, what it writes, and what stops it with a sentence."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import functools
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from training_runs import SHORT, Small, bars, quietly

from hwadder.accuracy import float_logits, label_ranks
from hwadder.checkpoint import read_state_dict
from hwadder.data import every_nth_of_class, load_dataset
from hwadder.distributed import Processes
from hwadder.layers import Adder2d
from hwadder.models import build_model
from hwadder.train_config import FloatFormat, TrainConfig, changed, recipe
from hwadder.training import Device, TrainResult, TrainRun, cosine_learning_rate, train
from hwadder.training_log import EpochRecord
from quant.errors import BadInputError, MissingToolError


def test_training_writes_the_best_epoch_the_last_the_log_and_its_curves(tmp_path: Path) -> None:
    out, model = tmp_path / "new" / "net.pt", Small()
    result = train(SHORT, bars(), model, quietly(out))
    assert sorted(path.name for path in out.parent.iterdir()) == ["net.pt", "net.pt.csv", "net.pt.last", "net.pt.png"]
    assert result.checkpoint == out
    assert [record.epoch for record in result.log] == [1, 2, 3, 4]
    assert result.finished
    qualities = [(each.validation_accuracy, -(each.validation_loss or 0), each) for each in result.log]
    assert result.best == max(qualities, key=lambda quality: quality[:2])[2]
    with (tmp_path / "new" / "net.pt.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        dataclasses.asdict(record) for record in result.log
    ]
    with Image.open(out.with_name("net.pt.png")) as image:
        assert image.format == "PNG"
    last = read_state_dict(out.with_name("net.pt.last"))
    assert all(torch.equal(value, last[name]) for name, value in model.state_dict().items())


def best_of(result: TrainResult) -> EpochRecord:
    assert result.best is not None
    return result.best


def test_the_checkpoint_is_that_of_the_best_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "net.pt"
    best = best_of(train(SHORT, bars(), Small(seed=4), quietly(out))).epoch
    assert best < SHORT.epochs

    def interrupt(_out: Path, log: list[EpochRecord]) -> None:
        if len(log) == best:
            raise KeyboardInterrupt

    # The same run, interrupted when the best epoch is done, leaves the same weights in its resume file.
    monkeypatch.setattr("hwadder.training.write_log", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(SHORT, bars(), Small(seed=4), quietly(tmp_path / "other.pt"))
    expected = read_state_dict(tmp_path / "other.pt.last")
    assert all(torch.equal(value, expected[name]) for name, value in read_state_dict(out).items())


def test_without_images_held_out_the_last_epoch_is_the_result(tmp_path: Path) -> None:
    out, model = tmp_path / "net.pt", Small()
    result = train(dataclasses.replace(SHORT, validation_every=0), bars(), model, quietly(out))
    assert best_of(result).epoch == SHORT.epochs
    assert {record.validation_loss for record in result.log} == {None}
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in read_state_dict(out).items())


def test_validation_may_be_rare_and_the_last_epoch_always_has_one(tmp_path: Path) -> None:
    config = dataclasses.replace(SHORT, epochs=5, validate_every_epochs=2)
    result = train(config, bars(), Small(), quietly(tmp_path / "net.pt"))
    assert [record.validation_accuracy is not None for record in result.log] == [False, True, False, True, True]
    assert best_of(result).epoch in (2, 4, 5)


class Double(nn.Module):
    """An adder network in float64 without batch norm: no image of a batch influences another."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.input_shape = (1, 8, 8)
        self.conv = Adder2d(1, 3, 3, stride=2)
        self.fc = nn.Linear(27, 2)
        self.double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.fc(torch.tanh(self.conv(x.double()).flatten(1) / 9))
        return y


STILL = TrainConfig(
    epochs=2, batch_size=8, validation_every=4, shift_pixels=0, rotate_degrees=0, scale_fraction=0, warp_pixels=0
)


def test_a_compiled_model_trains_as_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The compiler's front alone: behind it, dropout would draw other numbers.
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend="aot_eager"))
    logs = []
    for compiles in (False, True):
        config = dataclasses.replace(SHORT, epochs=2, compile_model=compiles)
        logs.append(train(config, bars(), Small(), quietly(tmp_path / f"{compiles}.pt")).log)
    for one, other in zip(*logs, strict=True):
        assert dataclasses.asdict(other) == pytest.approx(dataclasses.asdict(one), rel=1e-5)


@pytest.mark.filterwarnings("ignore:adder layers should be followed by batch or layer norm")
def test_one_step_is_that_of_the_formulas(tmp_path: Path) -> None:
    data, model = bars(), Double()
    held_out = every_nth_of_class(data.y_train, 4)
    images, labels = torch.from_numpy(data.x_train[~held_out]) / 255, torch.from_numpy(data.y_train[~held_out])
    x, w = images.double(), model.conv.adder.detach().clone()
    taps = F.unfold(x, 3, stride=2).unsqueeze(1)  # (N, 1, 9, positions)
    rows = w.flatten(1)[None, :, :, None]
    # Through autograd: the sums, with their gradient with respect to w taken from eq. 4 of the paper.
    sums = (-(taps - rows).abs().sum(dim=2)).requires_grad_()
    logits = model.fc(torch.tanh(sums.reshape(len(x), 3, 3, 3).flatten(1) / 9))
    torch.autograd.backward(F.cross_entropy(logits, labels))
    assert sums.grad is not None
    raw = (sums.grad[:, :, None] * (taps - rows)).sum(dim=(0, 3)).view_as(w)
    gradient = raw * 0.2 * math.sqrt(w.numel()) / raw.norm() + 5e-4 * w

    config = dataclasses.replace(STILL, batch_size=len(images))
    train(config, data, model, quietly(tmp_path / "a.pt", stop_after_steps=1))
    torch.testing.assert_close(model.conv.adder.detach(), w - 0.05 * gradient, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:adder layers should be followed by batch or layer norm")
@pytest.mark.parametrize("passes", [2, 4])
def test_passes_add_up_to_one_large_batch(passes: int, tmp_path: Path) -> None:
    data, models = bars(32), (Double(), Double())  # 24 images to train on, in batches of 9, 9 and 6
    logs = []
    for accumulate, model in zip((1, passes), models, strict=True):
        config = dataclasses.replace(STILL, batch_size=9 if passes == 2 else 8, accumulate=accumulate)
        logs.append(train(config, data, model, quietly(tmp_path / "a.pt")).log)
    weights = [dict(model.named_parameters()) for model in models]
    for name in weights[0]:
        torch.testing.assert_close(weights[1][name], weights[0][name], rtol=0, atol=1e-12)
    for one, several in zip(*logs, strict=True):
        assert several.train_loss == pytest.approx(one.train_loss, rel=1e-12)
        assert several.train_accuracy == one.train_accuracy


def test_training_gives_the_layers_back_as_they_were(tmp_path: Path) -> None:
    for before in (True, False):
        model = Small()
        model.conv.rescales_in_backward = before
        train(dataclasses.replace(SHORT, epochs=1), bars(), model, quietly(tmp_path / "a.pt"))
        assert model.conv.rescales_in_backward is before


@pytest.mark.parametrize("precision", [FloatFormat.BF16, FloatFormat.FP16])
def test_mixed_precision_learns_and_keeps_float32_weights(precision: FloatFormat, tmp_path: Path) -> None:
    model = Small()
    config = dataclasses.replace(SHORT, epochs=8, precision=precision, batch_size=6)
    result = train(config, bars(), model, quietly(tmp_path / "a.pt"))
    assert best_of(result).train_loss < 0.8 * result.log[0].train_loss
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_seed_decides_the_run_and_the_callers_numbers_go_on(tmp_path: Path) -> None:
    logs = []
    for seed, caller in ((0, 1), (0, 2), (3, 1)):
        model = Small()
        torch.manual_seed(caller)
        logs.append(train(dataclasses.replace(SHORT, seed=seed), bars(), model, quietly(tmp_path / "a.pt")).log)
        after = torch.rand(1)
        torch.manual_seed(caller)
        assert torch.equal(after, torch.rand(1))
    assert logs[0] == logs[1] != logs[2]


def test_the_number_of_threads_is_the_configurations_and_is_put_back(tmp_path: Path) -> None:
    model, before, seen = Small(), torch.get_num_threads(), set()
    model.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    train(dataclasses.replace(SHORT, epochs=1, threads=3), bars(), model, quietly(tmp_path / "a.pt"))
    assert 3 in seen
    assert torch.get_num_threads() == before


def test_the_test_split_is_not_looked_at(tmp_path: Path) -> None:
    data = bars()
    other = dataclasses.replace(data, x_test=255 - data.x_test[:], y_test=1 - data.y_test)
    logs = [train(SHORT, each, Small(), quietly(tmp_path / "a.pt")).log for each in (data, other)]
    assert logs[0] == logs[1]


def test_a_loss_that_is_not_finite_stops_with_a_sentence(tmp_path: Path) -> None:
    model = Small()
    model.fc.weight.data.fill_(math.nan)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), model, quietly(tmp_path / "a.pt"))
    assert str(error.value) == "training loss must be finite, not nan in epoch 1; lower the learning rate 0.05"
    assert not (tmp_path / "a.pt").exists()


def test_a_loss_gone_wrong_in_one_process_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has a good loss; what is summed over all processes has not."""
    monkeypatch.setattr(Processes, "summed", lambda _self, values: values + math.inf)
    with pytest.raises(BadInputError, match=r"^training loss must be finite, not inf in epoch 1; "):
        train(SHORT, bars(), Small(), quietly(tmp_path / "a.pt"))


def test_data_that_do_not_fit_are_named_before_any_work(tmp_path: Path) -> None:
    data = bars()
    for other, message in (
        (
            dataclasses.replace(data, x_train=data.x_train[:][:, :, 1:]),
            "images of bars must be of shape (1, 8, 8) for Small, not (1, 7, 8)",
        ),
        (
            dataclasses.replace(data, class_names=("a", "b", "c")),
            "output of Small must be (N, 3) logits for bars, not of shape (N, 2)",
        ),
        (
            dataclasses.replace(data, x_train=data.x_train[:6], y_train=data.y_train[:6]),
            "training images of bars must be at least 4 of a class, not 6 in all",
        ),
    ):
        with pytest.raises(BadInputError) as error:
            train(SHORT, other, Small(), quietly(tmp_path / "a.pt"))
        assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "a.pt"
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), quietly(out))
    expected = f"output {out}.last must be writable, not refused by the system ("
    assert str(error.value).startswith(expected)


def test_progress_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(dataclasses.replace(SHORT, epochs=1), bars(), Small(), TrainRun(tmp_path / "a.pt", device=Device.CPU))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 1: validation" in captured.err


def test_the_learning_rate_follows_the_references_cosine() -> None:
    reference = recipe("cifar-resnet")
    for index in range(399):
        epoch = index + 1  # its loop runs from 1 to 399
        expected = 0.05 * (1 + math.cos(math.pi * epoch / 400))
        assert cosine_learning_rate(reference, index) == pytest.approx(expected, rel=1e-12)
    config = TrainConfig(epochs=400, learning_rate=0.1)
    assert cosine_learning_rate(config, 0) == 0.1
    assert cosine_learning_rate(config, 200) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.long
def test_lenet5_learns_to_read_digits(tmp_path: Path) -> None:
    digits, model = load_dataset("mnist"), build_model("lenet5")
    gentle = {"rotate_degrees": 0.0, "scale_fraction": 0.0, "warp_pixels": 0.0, "shift_pixels": 1}
    config = changed(TrainConfig(epochs=7, batch_size=32, validation_every=0), gentle, "test")
    train(config, digits, model, quietly(tmp_path / "lenet5.pt"))
    ranks = label_ranks(np.concatenate(list(float_logits(model, digits))), digits.y_test)
    # 985 of 1,000 on the machine where this was written.
    assert (ranks == 0).sum() >= 975


def test_what_the_machine_or_the_images_lack_is_named_before_any_work(tmp_path: Path) -> None:
    out = tmp_path / "a.pt"
    for change, message in (
        (
            {"accumulate": 5},
            "batch_size and training images must be at least 10, two for each of 5 parts of a step, not 8 and 18",
        ),
        ({"crop_area": 0.5}, "crop_area must be 1 for images of one size, like those of bars, not less"),
        ({"sync_batch_norm": True}, "sync_batch_norm must be false without CUDA, not true"),
    ):
        with pytest.raises(BadInputError) as error:
            train(dataclasses.replace(SHORT, **change), bars(), Small(), quietly(out))
        assert str(error.value) == message
    with pytest.raises(BadInputError) as error:
        TrainRun(out, stop_after_minutes=0)
    assert str(error.value) == "stop_after_minutes must be positive, not 0"
    assert not list(tmp_path.iterdir())


def test_cuda_where_there_is_none_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), TrainRun(tmp_path / "a.pt", device=Device.CUDA))
    assert str(error.value) == "device must be cpu where torch finds no CUDA, not cuda"


def test_an_adder_layer_without_batch_norm_is_warned_of(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="^adder layers should be followed by batch or layer norm, .*: conv$"):
        train(STILL, bars(), Double(), quietly(tmp_path / "a.pt"))


def test_a_missing_tensorboard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run = dataclasses.replace(quietly(tmp_path / "a.pt"), tensorboard=tmp_path / "board")
    with pytest.raises(MissingToolError) as error:
        train(SHORT, bars(), Small(), run)
    assert str(error.value) == "package tensorboard must be installed, not missing: `python -m pip install tensorboard`"
    assert not list(tmp_path.iterdir())


def test_tensorboard_gets_every_column_of_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []

    class Writer(contextlib.AbstractContextManager["Writer"]):
        def __init__(self, folder: str, purge_step: int) -> None:
            assert (folder, purge_step) == (str(tmp_path / "board"), 1)

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            written.append((name, value, epoch))

        def flush(self) -> None:
            pass

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=Writer))
    run = dataclasses.replace(quietly(tmp_path / "a.pt"), tensorboard=tmp_path / "board")
    log = train(SHORT, bars(), Small(), run).log
    names = ("learning_rate", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy")
    assert written == [
        (name.replace("_", "/"), getattr(record, name), record.epoch) for record in log for name in names
    ]
