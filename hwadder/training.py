"""Training an adder network with the reference's recipe: SGD with momentum under one cosine of the learning rate."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F

from hwadder.accuracy import predict, require_fit
from hwadder.checkpoint import read_archive, save_checkpoint
from hwadder.data import Dataset, every_nth_of_class, normalised
from hwadder.models import adders_without_batch_norm
from quant.errors import BadInputError
from quant.files import replacing_file

_LEAST = {
    "epochs": 1,
    "batch_size": 2,
    "shift_pixels": 0,
    "rotate_degrees": 0,
    "scale_fraction": 0,
    "warp_pixels": 0,
    "validation_every": 2,
    "threads": 1,
}


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What decides a training run; the defaults are those of the shipped LeNet5.

    One image in `validation_every` of each class is split from the training images to choose the best epoch. The CIFAR
    recipe of the reference is 400 epochs from 0.1 in batches of 256, shifts of 4 pixels, flips, no other deformation.
    With one of `threads` the weights come out the same to the last bit however many cores there are; with more, torch
    splits its sums otherwise.
    """

    epochs: int = 100
    batch_size: int = 64
    learning_rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    shift_pixels: int = 2
    rotate_degrees: float = 12.0
    scale_fraction: float = 0.12
    warp_pixels: float = 0.5
    flip: bool = False
    validation_every: int = 10
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise BadInputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not self.scale_fraction < 1:
            raise BadInputError(f"scale_fraction must be less than 1, not {self.scale_fraction}")
        if not 0 < self.learning_rate < math.inf:
            raise BadInputError(f"learning_rate must be positive and finite, not {self.learning_rate}")
        if not 0 <= self.momentum < 1:
            raise BadInputError(f"momentum must be in [0, 1), not {self.momentum}")
        if not 0 <= self.weight_decay < math.inf:
            raise BadInputError(f"weight_decay must be at least 0 and finite, not {self.weight_decay}")


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of the log: mean loss and share of right answers, over the epoch and on the validation images."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The best epoch, chosen by validation accuracy and then validation loss, and the whole log."""

    checkpoint: Path
    best: EpochRecord
    log: tuple[EpochRecord, ...]


def train(
    config: TrainConfig, dataset: Dataset, model: nn.Module, out: Path, resume: bool = False, progress: bool = True
) -> TrainResult:
    """Train `model` in place on the training split and write the best epoch's state dict to `out`.

    Beside it `out`.last (everything needed to resume), `out`.csv (the log) and `out`.png (its curves), each replaced
    whole after every epoch. With `resume` the run goes on from `out`.last, bit for bit as if never stopped. The test
    split is not touched. Progress goes to stderr. Raises BadInputError when model, data and files do not fit, and when
    the loss stops being finite.
    """
    require_fit(model, dataset)
    adders_without_batch_norm(model)
    validation = every_nth_of_class(dataset.y_train, config.validation_every)
    if validation.sum() == 0 or (~validation).sum() < 2:
        raise BadInputError(
            f"training images of {dataset.name} must be at least {config.validation_every} of a class, "
            f"not {len(validation)} in all"
        )
    # All random numbers come from one stream, whose state is part of the resume file; the caller's is left alone.
    with torch.random.fork_rng(devices=[]), _threads(config.threads):
        torch.manual_seed(config.seed)
        run = _Run(config, dataset, validation, model)
        last = out.with_name(out.name + ".last")
        log = run.restored(last) if resume else []
        if not resume:
            save_checkpoint(last, run.state(log))  # fails here, not after an epoch, where the folder is read-only
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
            batches_per_epoch = len(run.batch_starts)
            task = bar.add_task("training", total=config.epochs * batches_per_epoch)
            bar.update(task, completed=len(log) * batches_per_epoch)
            for epoch in range(len(log), config.epochs):
                log.append(run.epoch(epoch, lambda: bar.advance(task)))
                record = log[-1]
                bar.update(task, description=f"epoch {epoch + 1}: validation {record.validation_accuracy:.2%}")
                if record is _best(log):
                    save_checkpoint(out, model.state_dict())
                save_checkpoint(last, run.state(log))
                _write_log(out, log)
    return TrainResult(out, _best(log), tuple(log))


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def cosine_learning_rate(initial: float, epoch: int, epochs: int) -> float:
    """`initial / 2 * (1 + cos(pi * epoch / epochs))`, epochs counted from 0 (the reference's schedule)."""
    return initial / 2 * (1 + math.cos(math.pi * epoch / epochs))


def augmented(images: Tensor, config: TrainConfig) -> Tensor:
    """uint8 images (N, C, H, W), each moved, turned, scaled and mirrored at random within the configuration's bounds;
    black moves in."""
    count, _, height, width = images.shape
    if config.rotate_degrees or config.scale_fraction or config.warp_pixels:
        images = _deformed(images, math.radians(config.rotate_degrees), config.scale_fraction, config.warp_pixels)
    if config.shift_pixels:
        padded = F.pad(images, (config.shift_pixels,) * 4)
        top, left = torch.randint(0, 2 * config.shift_pixels + 1, (2, count, 1))
        rows, columns = top + torch.arange(height), left + torch.arange(width)
        picked = padded[torch.arange(count)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
        images = picked.permute(0, 3, 1, 2)
    if config.flip:
        images = torch.where(torch.rand(count, 1, 1, 1) < 0.5, images.flip(3), images)
    return images.contiguous()


def _deformed(images: Tensor, radians: float, fraction: float, warp_pixels: float) -> Tensor:
    """Each image turned by up to `radians` and scaled on each axis by up to `fraction`, both uniformly drawn, and bent
    by a smooth field of displacements with a standard deviation of about `warp_pixels`."""
    count, _, height, width = images.shape
    angle, across, down = torch.rand(3, count) * 2 - 1
    cosine, sine = torch.cos(angle * radians), torch.sin(angle * radians)
    across, down, zero = 1 + across * fraction, 1 + down * fraction, torch.zeros(count)
    rows = torch.stack([across * cosine, -across * sine, zero, down * sine, down * cosine, zero], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    # One draw per quarter of an axis, interpolated: neighbours move together (Simard et al., ICDAR 2003).
    field = F.interpolate(torch.randn(count, 2, 4, 4), (height, width), mode="bicubic", align_corners=False)
    # The grid's axes run from -1 to 1.
    pixels = torch.tensor([2 / width, 2 / height])
    grid += field.permute(0, 2, 3, 1) * pixels * warp_pixels
    return F.grid_sample(images.float(), grid, align_corners=False).round().byte()


class _Run:
    """A model with its optimizer and its share of the data."""

    def __init__(self, config: TrainConfig, dataset: Dataset, validation: NDArray[Any], model: nn.Module) -> None:
        self.config, self.dataset, self.model = config, dataset, model
        self.device = next(model.parameters()).device
        self.images = torch.from_numpy(dataset.x_train[~validation])
        self.labels = torch.from_numpy(dataset.y_train[~validation])
        self.validation_inputs = normalised(dataset.x_train[validation], dataset.mean, dataset.std)
        self.validation_labels = torch.from_numpy(dataset.y_train[validation])
        # Batch norm cannot train on a batch of one image, so a remainder of one is left out of its epoch.
        self.batch_starts = range(0, len(self.images) - 1, config.batch_size)
        self.optimizer = torch.optim.SGD(
            model.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay
        )

    def epoch(self, epoch: int, after_batch: Any) -> EpochRecord:
        """Train one epoch and measure it."""
        learning_rate = cosine_learning_rate(self.config.learning_rate, epoch, self.config.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.model.train()
        order = torch.randperm(len(self.images))
        loss_sum, correct, seen = 0.0, 0, 0
        for start in self.batch_starts:
            chosen = order[start : start + self.config.batch_size]
            images = augmented(self.images[chosen], self.config)
            inputs = normalised(images.numpy(), self.dataset.mean, self.dataset.std).to(self.device)
            labels = self.labels[chosen].to(self.device)
            logits = self.model(inputs)
            loss = F.cross_entropy(logits, labels)
            if not math.isfinite(loss.item()):
                raise BadInputError(
                    f"training loss must be finite, not {loss.item()} in epoch {epoch + 1}; lower the learning rate "
                    f"{self.config.learning_rate}"
                )
            self.optimizer.zero_grad()
            torch.autograd.backward(loss)
            self.optimizer.step()
            loss_sum += loss.item() * len(chosen)
            correct += int((logits.argmax(dim=1) == labels).sum())
            seen += len(chosen)
            after_batch()
        logits = predict(self.model, self.validation_inputs, self.config.batch_size)
        return EpochRecord(
            epoch=epoch + 1,
            learning_rate=learning_rate,
            train_loss=loss_sum / seen,
            train_accuracy=correct / seen,
            validation_loss=float(F.cross_entropy(logits, self.validation_labels)),
            validation_accuracy=int((logits.argmax(dim=1) == self.validation_labels).sum()) / len(logits),
        )

    def state(self, log: list[EpochRecord]) -> dict[str, Any]:
        """Everything that the rest of the run depends on."""
        return {
            "state_dict": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "config": asdict(self.config),
            "log": [asdict(record) for record in log],
        }

    def restored(self, last: Path) -> list[EpochRecord]:
        """Take up the state in `last` and return its log."""
        state = read_archive(last)
        if not isinstance(state, dict) or not {"state_dict", "optimizer", "random", "config", "log"} <= state.keys():
            raise BadInputError(f"resume file must be one that training wrote, not another checkpoint: {last}")
        if state["config"] != asdict(self.config):
            pairs = ((name, state["config"].get(name), value) for name, value in asdict(self.config).items())
            changed = [f"{name} {value} instead of {was}" for name, was, value in pairs if was != value]
            raise BadInputError(f"resumed training must keep its configuration, not take {', '.join(changed)}: {last}")
        try:
            self.model.load_state_dict(state["state_dict"])
        except RuntimeError as error:
            raise BadInputError(
                f"resume file must match {type(self.model).__name__}, not another model: {last}"
            ) from error
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        return [EpochRecord(**record) for record in state["log"]]


def _best(log: list[EpochRecord]) -> EpochRecord:
    return max(log, key=lambda record: (record.validation_accuracy, -record.validation_loss))


def _write_log(out: Path, log: list[EpochRecord]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochRecord))
    writer.writerows(asdict(record).values() for record in log)
    with replacing_file(out.with_name(out.name + ".csv")) as temporary:
        temporary.write_text(text.getvalue())

    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split in ("train", "validation"):
            epochs = [record.epoch for record in log]
            axes.plot(epochs, [getattr(record, f"{split}_{quantity}") for record in log], label=split)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing_file(out.with_name(out.name + ".png")) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
