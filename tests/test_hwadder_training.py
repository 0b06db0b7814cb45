"""Training on a few small images: resumed bit for bit, stopped with a sentence, and never looking at the test split."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from hwadder.checkpoint import read_archive, read_state_dict
from hwadder.data import Dataset
from hwadder.layers import Adder2d
from hwadder.training import TrainConfig, augmented, cosine_learning_rate, train
from quant.errors import BadInputError

SHORT = TrainConfig(epochs=4, batch_size=8, validation_every=4)


def bars(count: int = 24) -> Dataset:
    """8x8 images of one bright row (class 0) or column (class 1)."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 40, (2 * count, 1, 8, 8), dtype=np.uint8)
    labels = np.arange(2 * count) % 2
    for image, label in zip(images, labels, strict=True):
        at = generator.integers(2, 6)
        image[0, *((at, slice(None)) if label == 0 else (slice(None), at))] = 255
    zero, one = np.zeros(1), np.ones(1)
    return Dataset("bars", images[:count], labels[:count], images[count:], labels[count:], zero, one)


class Small(nn.Module):
    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.input_shape = (1, 8, 8)
        self.conv, self.bn = Adder2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(8)
        self.dropout = nn.Dropout(0.1)  # draws random numbers too, and resuming must account for them
        self.fc = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.bn(self.conv(x)))).flatten(1)
        logits: torch.Tensor = self.fc(self.dropout(x))
        return logits


def test_training_writes_the_best_epoch_the_last_the_log_and_its_curves(tmp_path: Path) -> None:
    out, model = tmp_path / "new" / "net.pt", Small()
    result = train(SHORT, bars(), model, out, progress=False)
    assert sorted(path.name for path in out.parent.iterdir()) == ["net.pt", "net.pt.csv", "net.pt.last", "net.pt.png"]
    assert result.checkpoint == out
    assert [record.epoch for record in result.log] == [1, 2, 3, 4]
    assert result.best == max(result.log, key=lambda each: (each.validation_accuracy, -each.validation_loss))
    with (tmp_path / "new" / "net.pt.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [{key: float(value) for key, value in row.items()} for row in rows] == [
        dataclasses.asdict(record) for record in result.log
    ]
    with Image.open(out.with_name("net.pt.png")) as image:
        assert image.format == "PNG"
    last = read_state_dict(out.with_name("net.pt.last"))
    assert all(torch.equal(value, last[name]) for name, value in model.state_dict().items())


def test_the_checkpoint_is_that_of_the_best_epoch(tmp_path: Path) -> None:
    out = tmp_path / "net.pt"
    best = train(SHORT, bars(), Small(seed=1), out, progress=False).best.epoch
    assert best < SHORT.epochs
    # The same run, stopped when the best epoch is done, leaves the same weights in its resume file.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwadder.training._Run.epoch", stopping_after(best))
        with pytest.raises(KeyboardInterrupt):
            train(SHORT, bars(), Small(seed=1), tmp_path / "other.pt", progress=False)
    expected = read_state_dict(tmp_path / "other.pt.last")
    assert all(torch.equal(value, expected[name]) for name, value in read_state_dict(out).items())


def stopping_after(epochs: int):  # type: ignore[no-untyped-def]
    """`_Run.epoch` as it is, interrupted at the start of the epoch after `epochs`."""
    from hwadder.training import _Run

    original = _Run.epoch

    def epoch(self, index, after_batch):  # type: ignore[no-untyped-def]
        if index == epochs:
            raise KeyboardInterrupt
        return original(self, index, after_batch)

    return epoch


def test_a_resumed_run_equals_one_never_stopped(tmp_path: Path) -> None:
    whole = train(SHORT, bars(), Small(), tmp_path / "whole.pt", progress=False)
    stopped = tmp_path / "stopped.pt"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwadder.training._Run.epoch", stopping_after(2))
        with pytest.raises(KeyboardInterrupt):
            train(SHORT, bars(), Small(), stopped, progress=False)
    resumed = train(SHORT, bars(), Small(seed=9), stopped, resume=True, progress=False)
    assert resumed.log == whole.log
    for suffix in ("", ".csv"):
        files = [tmp_path / f"{name}.pt{suffix}" for name in ("whole", "stopped")]
        assert files[0].read_bytes() == files[1].read_bytes()
    # Pickling one string twice or once gives other bytes, so the resume files are compared by what they hold.
    last = [read_archive(tmp_path / f"{name}.pt.last") for name in ("whole", "stopped")]
    torch.testing.assert_close(last[0].pop("log"), last[1].pop("log"), rtol=0, atol=0)
    torch.testing.assert_close(last[0].pop("config"), last[1].pop("config"), rtol=0, atol=0)
    torch.testing.assert_close(last[0].pop("random"), last[1].pop("random"), rtol=0, atol=0)
    torch.testing.assert_close(last[0].pop("state_dict"), last[1].pop("state_dict"), rtol=0, atol=0)
    momenta = [state.pop("optimizer")["state"] for state in last]
    torch.testing.assert_close(momenta[0], momenta[1], rtol=0, atol=0)
    assert last == [{}, {}]


def test_the_seed_decides_the_run_and_the_callers_numbers_go_on(tmp_path: Path) -> None:
    logs = []
    for seed, caller in ((0, 1), (0, 2), (3, 1)):
        model = Small()
        torch.manual_seed(caller)
        logs.append(train(dataclasses.replace(SHORT, seed=seed), bars(), model, tmp_path / "a.pt", progress=False).log)
        after = torch.rand(1)
        torch.manual_seed(caller)
        assert torch.equal(after, torch.rand(1))
    assert logs[0] == logs[1] != logs[2]


def test_the_number_of_threads_is_the_configurations_and_is_put_back(tmp_path: Path) -> None:
    model, before, seen = Small(), torch.get_num_threads(), set()
    model.register_forward_hook(lambda *_: seen.add(torch.get_num_threads()))
    train(dataclasses.replace(SHORT, epochs=1, threads=3), bars(), model, tmp_path / "a.pt", progress=False)
    assert 3 in seen
    assert torch.get_num_threads() == before


def test_the_test_split_is_not_looked_at(tmp_path: Path) -> None:
    data = bars()
    other = dataclasses.replace(data, x_test=255 - data.x_test, y_test=1 - data.y_test)
    logs = [train(SHORT, each, Small(), tmp_path / "a.pt", progress=False).log for each in (data, other)]
    assert logs[0] == logs[1]


def test_the_learning_rate_follows_the_references_cosine() -> None:
    assert cosine_learning_rate(0.1, 0, 400) == 0.1
    assert cosine_learning_rate(0.1, 200, 400) == pytest.approx(0.05, rel=1e-12)
    assert cosine_learning_rate(0.1, 100, 400) == pytest.approx(0.05 * (1 + math.sqrt(0.5)), rel=1e-12)


def still(**changes: object) -> TrainConfig:
    config = TrainConfig(shift_pixels=0, rotate_degrees=0, scale_fraction=0, warp_pixels=0)
    return dataclasses.replace(config, **changes)  # type: ignore[arg-type]


def test_augmentation_shifts_within_its_bounds_and_moves_black_in() -> None:
    torch.manual_seed(0)
    images = torch.zeros(200, 2, 7, 9, dtype=torch.uint8)
    images[:, 0, 3, 4], images[:, 1, 3, 4] = 100, 200
    moved = augmented(images, still(shift_pixels=2))
    assert moved.dtype == torch.uint8
    assert moved.sum(dim=(2, 3)).tolist() == [[100, 200]] * 200
    rows, columns = (
        moved[:, 0].flatten(1).argmax(dim=1).div(9, rounding_mode="floor"),
        moved[:, 0].flatten(1).argmax(1) % 9,
    )
    assert set(rows.tolist()) == set(range(1, 6))
    assert set(columns.tolist()) == set(range(2, 7))
    assert torch.equal(moved[:, 1], moved[:, 0] * 2)


def test_augmentation_mirrors_half_of_the_images() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (200, 1, 3, 3), dtype=torch.uint8)
    flipped = augmented(images, still(flip=True))
    same, mirrored = (flipped == images).flatten(1).all(1), (flipped == images.flip(3)).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert 70 < int(mirrored.sum()) < 130


def test_augmentation_turns_and_scales_about_the_centre() -> None:
    torch.manual_seed(0)
    images = torch.zeros(50, 1, 9, 9, dtype=torch.uint8)
    images[:, :, 4, :] = 255
    turned = augmented(images, still(rotate_degrees=45.0))
    assert (turned[:, 0, 4, 4] > 200).all()
    # A bar through the centre, turned, leaves its row at the ends.
    assert (turned[:, 0, 4, 0] < 255).float().mean() > 0.5
    scaled = augmented(images, still(scale_fraction=0.5))
    assert (scaled[:, 0, 4, 4] > 120).all()
    assert scaled[:, 0, 0].max() == 0
    assert torch.equal(augmented(images, still()), images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"batch_size": 1}, "batch_size must be at least 2, not 1"),
        ({"validation_every": 1}, "validation_every must be at least 2, not 1"),
        ({"threads": 0}, "threads must be at least 1, not 0"),
        ({"shift_pixels": -1}, "shift_pixels must be at least 0, not -1"),
        ({"scale_fraction": 1.0}, "scale_fraction must be less than 1, not 1.0"),
        ({"learning_rate": math.inf}, "learning_rate must be positive and finite, not inf"),
        ({"momentum": 1.0}, "momentum must be in [0, 1), not 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0 and finite, not -1.0"),
    ],
    ids=str,
)
def test_bad_configurations_are_named(change: dict[str, float], message: str) -> None:
    with pytest.raises(BadInputError) as error:
        dataclasses.replace(TrainConfig(), **change)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_a_loss_that_is_not_finite_stops_with_a_sentence(tmp_path: Path) -> None:
    model = Small()
    model.fc.weight.data.fill_(math.nan)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), model, tmp_path / "a.pt", progress=False)
    assert str(error.value) == "training loss must be finite, not nan in epoch 1; lower the learning rate 0.05"
    assert not (tmp_path / "a.pt").exists()


def test_data_that_do_not_fit_are_named_before_any_work(tmp_path: Path) -> None:
    data = bars()
    for changed, message in (
        (
            dataclasses.replace(data, x_train=data.x_train[:, :, 1:]),
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
            train(SHORT, changed, Small(), tmp_path / "a.pt", progress=False)
        assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_an_output_that_cannot_be_written_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "a.pt"
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), out, progress=False)
    expected = f"output {out}.last must be writable, not refused by the system ("
    assert str(error.value).startswith(expected)


def test_resume_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    out, last = tmp_path / "a.pt", tmp_path / "a.pt.last"
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), out, resume=True, progress=False)
    assert str(error.value) == f"checkpoint must be an existing file, not missing: {last}"
    train(SHORT, bars(), Small(), out, progress=False)
    with pytest.raises(BadInputError) as error:
        train(dataclasses.replace(SHORT, epochs=9, seed=4), bars(), Small(), out, resume=True, progress=False)
    assert str(error.value) == (
        f"resumed training must keep its configuration, not take epochs 9 instead of 4, seed 4 instead of 0: {last}"
    )
    wider = Small()
    wider.fc = nn.Linear(4, 3)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), wider, out, resume=True, progress=False)
    assert str(error.value) == f"resume file must match Small, not another model: {last}"
    torch.save(read_archive(out), last)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), out, resume=True, progress=False)
    assert str(error.value) == f"resume file must be one that training wrote, not another checkpoint: {last}"


def test_progress_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(dataclasses.replace(SHORT, epochs=1), bars(), Small(), tmp_path / "a.pt")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "epoch 1: validation" in captured.err
