"""Training a network: SGD with momentum under one cosine of the learning rate, on one process or on several.

A step's images are split into parts, as many to each process as it accumulates. Each part has its own random numbers,
decided by the seed, the epoch, the step and the part alone: so a run goes on from any step bit for bit, and two
processes draw what one process draws in two passes. The gradients of all parts are summed raw, and only then rescaled
layer by layer (`hwadder.layers`), so the adaptive learning rate sees the gradient of the whole step.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from hwadder.accuracy import require_fit
from hwadder.augmentation import augmented
from hwadder.batches import Indices, LabelledImages
from hwadder.checkpoint import save_checkpoint
from hwadder.data import Dataset, every_nth_of_class, normalised
from hwadder.distributed import Processes, joined_processes, local_rank
from hwadder.image_files import ImageFiles, RandomCrop
from hwadder.layers import Adder2d, AdderLinear, leave_gradients_raw, rescale_gradients
from hwadder.models import adders_without_norm
from hwadder.resume_file import TrainState, changed_entry, read_resume_file, write_resume_file
from hwadder.train_config import FloatFormat, TrainConfig
from hwadder.training_log import EpochRecord, best_epoch, open_tensorboard, write_curves, write_log, write_tensorboard
from quant.errors import BadInputError
from quant.files import remove_leftovers

_AUTOCAST = {FloatFormat.FP32: torch.float32, FloatFormat.BF16: torch.bfloat16, FloatFormat.FP16: torch.float16}
_STEPS_BETWEEN_CHECKS = 32
"""Reading the loss waits for a GPU, so that a loss gone wrong is looked for now and then only."""
_SECONDS_BETWEEN_DRAWINGS = 60


class Device(StrEnum):
    """Where training runs; `auto` is CUDA where there is one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@dataclass(frozen=True, slots=True)
class TrainRun:
    """What a run does beside computing, none of which changes the weights it ends with.

    Attributes:
        out: the best epoch's checkpoint; `out`.last, `out`.csv and `out`.png stand beside it.
        resume: go on from `out`.last; without it, that of an unfinished run is refused, not replaced.
        stop_after_minutes: stop then, ready to be resumed.
        device: where to run. Another device rounds otherwise; another number of processes draws other numbers too.
        tensorboard: folder for TensorBoard's files.
        progress: show a bar on stderr.
    """

    out: Path
    resume: bool = False
    stop_after_minutes: float = math.inf
    device: Device = Device.AUTO
    tensorboard: Path | None = None
    progress: bool = True

    def __post_init__(self) -> None:
        if not self.stop_after_minutes > 0:
            raise BadInputError(f"stop_after_minutes must be positive, not {self.stop_after_minutes}")

    @property
    def last(self) -> Path:
        """The file to resume from."""
        return self.out.with_name(self.out.name + ".last")


@dataclass(frozen=True, slots=True)
class TrainResult:
    """The checkpoint, its epoch, the whole log, and whether training came to its end or was stopped.

    `best` is chosen by validation accuracy and then validation loss; it is the last epoch where no images are held out,
    and None (and the checkpoint not there yet) where a run was stopped before.
    """

    checkpoint: Path
    best: EpochRecord | None
    log: tuple[EpochRecord, ...]
    finished: bool


def train(config: TrainConfig, dataset: Dataset, model: nn.Module, run: TrainRun) -> TrainResult:
    """Train `model` in place on the training split and write the best epoch's state dict to `run.out`.

    Beside it `out`.last (everything needed to resume), `out`.csv (the log) and `out`.png (its curves), each replaced
    whole: after every epoch, `out`.last also within, `out`.png every minute. With `run.resume` the run goes on from
    `out`.last, bit for bit as if never stopped; without, what an unfinished run left there is an error. The test split
    is not touched. Progress goes to stderr. Raises BadInputError when model, data, machine and files do not fit, and
    when the loss stops being finite.
    """
    device = _torch_device(run.device)
    with joined_processes(device) as processes:
        state = _state_to_begin_with(run)
        training_images, validation_images = _split(config, dataset, processes)
        model.to(device)
        require_fit(model, dataset)
        adders_without_norm(model)
        if config.sync_batch_norm:
            if device.type != "cuda":
                raise BadInputError("sync_batch_norm must be false without CUDA, not true")
            nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        cuda_devices = [device] if device.type == "cuda" else []
        # The caller's random numbers are left alone.
        with (
            torch.random.fork_rng(devices=cuda_devices),
            _threads(config.threads),
            _repeatable_convolutions(),
            _raw_gradients(model),
        ):
            trainer = _Trainer(config, dataset, (training_images, validation_images), model, device, processes)
            return _Loop(trainer, run, state).result()


def stored_config(last: Path) -> TrainConfig:
    """The configuration of the run that wrote a resume file."""
    return read_resume_file(last).config


def cosine_learning_rate(config: TrainConfig, epoch: int) -> float:
    """`learning_rate / 2 * (1 + cos(pi * e / end))`, e being `epoch`, counted from 0, on from `cosine_from`, and `end`
    the number after the last epoch's (the reference's schedule: e from 1 to 399, end 400)."""
    share = (epoch + config.cosine_from) / (config.epochs + config.cosine_from)
    return config.learning_rate / 2 * (1 + math.cos(math.pi * share))


def _state_to_begin_with(run: TrainRun) -> TrainState | None:
    if run.resume:
        return read_resume_file(run.last)
    if run.last.exists():
        state = read_resume_file(run.last)
        if state.loses_work:
            raise BadInputError(
                f"output {run.out} must be free of unfinished training, not in epoch {len(state.log) + 1} of "
                f"{state.config.epochs}: go on with --resume, or remove {run.last}"
            )
    return None


def _torch_device(device: Device) -> torch.device:
    has_cuda = torch.cuda.is_available()
    if device is Device.CUDA and not has_cuda:
        raise BadInputError("device must be cpu where torch finds no CUDA, not cuda")
    if device is Device.CPU or not has_cuda:
        return torch.device("cpu")
    chosen = torch.device("cuda", local_rank())
    torch.cuda.set_device(chosen)
    return chosen


def _split(config: TrainConfig, dataset: Dataset, processes: Processes) -> tuple[Indices, Indices]:
    """Indices of the training images and of those held out to choose the best epoch."""
    held_out = np.zeros(len(dataset.y_train), dtype=np.bool_)
    if config.validation_every:
        held_out = every_nth_of_class(dataset.y_train, config.validation_every)
    if (config.validation_every and not held_out.any()) or (~held_out).sum() < 2:
        raise BadInputError(
            f"training images of {dataset.name} must be at least {config.validation_every} of a class, "
            f"not {len(held_out)} in all"
        )
    parts = config.accumulate * processes.count
    if min(config.batch_size, (~held_out).sum()) < 2 * parts:
        raise BadInputError(
            f"batch_size and training images must be at least {2 * parts}, two for each of {parts} parts of a step, "
            f"not {config.batch_size} and {(~held_out).sum()}"
        )
    if config.crop_area < 1 and not isinstance(dataset.x_train, ImageFiles):
        raise BadInputError(f"crop_area must be 1 for images of one size, like those of {dataset.name}, not less")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


@contextlib.contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _repeatable_convolutions() -> Iterator[None]:
    """cuDNN's gradients may add in any order unless told not to, and then no second run equals the first."""
    library = torch.backends.cudnn
    before = library.deterministic, library.benchmark
    library.deterministic, library.benchmark = True, False
    try:
        yield
    finally:
        library.deterministic, library.benchmark = before


@contextlib.contextmanager
def _raw_gradients(model: nn.Module) -> Iterator[None]:
    layers = [layer for layer in model.modules() if isinstance(layer, Adder2d | AdderLinear)]
    before = [layer.rescales_in_backward for layer in layers]
    leave_gradients_raw(model)
    try:
        yield
    finally:
        for layer, rescales in zip(layers, before, strict=True):
            layer.rescales_in_backward = rescales


def _random_seed(*key: int) -> int:
    """One seed out of several numbers, each of which changes it."""
    (word,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return int(word >> np.uint64(1))  # torch's seeds are signed


@dataclass(slots=True)
class _Position:
    """How far a run has come: epochs done, steps of the next one, and sums of those steps (loss, right, images)."""

    epoch: int
    step: int
    sums: Tensor


class _Trainer:
    """A model with its optimizer and its images; one step, one validation, its state."""

    def __init__(
        self,
        config: TrainConfig,
        dataset: Dataset,
        split: tuple[Indices, Indices],
        model: nn.Module,
        device: torch.device,
        processes: Processes,
    ) -> None:
        self.config, self.dataset, self.model, self.device, self.processes = config, dataset, model, device, processes
        self.data = dataset.training_digest()
        self.training, self.validation = split
        self.images = LabelledImages(dataset.x_train, dataset.y_train, device, config.workers)
        self.mean, self.std = (torch.from_numpy(each).float().to(device) for each in (dataset.mean, dataset.std))
        self.optimizer = torch.optim.SGD(
            model.parameters(), config.learning_rate, config.momentum, weight_decay=config.weight_decay
        )
        self.scaler = torch.amp.GradScaler(device.type, enabled=config.precision is FloatFormat.FP16)
        self.memory_format = torch.channels_last if config.channels_last else torch.contiguous_format
        self.network: nn.Module = model
        self.parts = config.accumulate * processes.count
        # Batch norm cannot train on one image, so a remainder too small for every part is left out of its epoch.
        self.starts = range(0, len(self.training) - 2 * self.parts + 1, config.batch_size)

    def ready(self) -> None:
        """Wrap the model for training, once its weights are those to begin with."""
        if self.processes.count > 1:
            self.network = DistributedDataParallel(self.model)
        if self.config.compile_model:
            self.network = torch.compile(self.network)  # type: ignore[assignment]

    def steps(self, epoch: int, first: int) -> Iterator[list[tuple[Tensor, Tensor]]]:
        """This process's parts of each step of an epoch, from the step `first` on: images and labels."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(self.training)
        batches = [order[start : start + self.config.batch_size] for start in self.starts[first:]]
        own = slice(self.processes.rank * self.config.accumulate, (self.processes.rank + 1) * self.config.accumulate)
        groups = [part for batch in batches for part in np.array_split(batch, self.parts)[own]]
        crop = None if self.config.crop_area == 1 else RandomCrop(self.config.crop_area, self.config.seed, epoch)
        parts = self.images.batches(groups, crop)
        for _ in batches:
            yield [next(parts) for _ in range(self.config.accumulate)]

    def step(self, at: _Position, parts: list[tuple[Tensor, Tensor]]) -> None:
        """One step of the optimizer; adds its loss, right answers and images to the sums of `at`."""
        start = self.starts[at.step]
        images_of_step = min(self.config.batch_size, len(self.training) - start)
        self.optimizer.zero_grad()
        for number, (images, labels) in enumerate(parts):
            part = self.processes.rank * self.config.accumulate + number
            torch.manual_seed(_random_seed(self.config.seed, at.epoch, at.step, part))
            with self._without_sum_over_processes(number < len(parts) - 1):
                logits = self._logits(self.network, augmented(images, self.config), self.config.precision)
                loss = F.cross_entropy(logits, labels, reduction="sum")
                # Gradients are averaged over processes, so that their factor makes it a sum.
                scaled: Tensor = self.scaler.scale(loss * (self.processes.count / images_of_step))
                torch.autograd.backward(scaled)
            at.sums += _sums(loss, logits, labels)
        self.scaler.unscale_(self.optimizer)
        rescale_gradients(self.model)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        at.step += 1

    def _without_sum_over_processes(self, wanted: bool) -> contextlib.AbstractContextManager[None]:
        if wanted and isinstance(self.network, DistributedDataParallel):
            return self.network.no_sync()
        return contextlib.nullcontext()

    def _logits(self, network: nn.Module, images: Tensor, precision: FloatFormat) -> Tensor:
        inputs = normalised(images, self.mean, self.std).contiguous(memory_format=self.memory_format)
        with torch.autocast(self.device.type, _AUTOCAST[precision], enabled=precision is not FloatFormat.FP32):
            logits: Tensor = network(inputs)
        return logits if precision is FloatFormat.FP32 else logits.float()

    def validated(self) -> tuple[float, float] | tuple[None, None]:
        """Mean loss and share of right answers on the held-out images, in float32, as `hwadder evaluate` computes."""
        if not len(self.validation):
            return None, None
        self.processes.share_buffers(self.model)
        self.model.eval()
        sums = torch.zeros(3, dtype=torch.float64, device=self.device)
        own = self.validation[self.processes.rank :: self.processes.count]
        size = max(1, self.config.batch_size // self.parts)
        with torch.no_grad():
            for images, labels in self.images.batches([own[at : at + size] for at in range(0, len(own), size)]):
                logits = self._logits(self.model, images, FloatFormat.FP32)
                sums += _sums(F.cross_entropy(logits, labels, reduction="sum"), logits, labels)
        loss, right, count = self.processes.summed(sums).tolist()
        return loss / count, right / count

    def state(self, at: _Position, log: list[EpochRecord]) -> TrainState:
        """Everything that the rest of the run depends on."""
        momenta = {
            name: self.optimizer.state[parameter]["momentum_buffer"]
            for name, parameter in self.model.named_parameters()
            if self.optimizer.state.get(parameter, {}).get("momentum_buffer") is not None
        }
        state_dict, scaler = self.model.state_dict(), self.scaler.state_dict()
        return TrainState(state_dict, momenta, scaler, self.config, self.data, tuple(log), at.step, at.sums)

    def restore(self, state: TrainState, last: Path) -> tuple[_Position, list[EpochRecord]]:
        """Take up what was read from `last`; returns where it was, and its log."""
        differing = self.config.changes_from(state.config)
        if differing:
            changes = ", ".join(f"{name} {value} instead of {was}" for name, (value, was) in differing.items())
            raise BadInputError(f"resumed training must keep its configuration, not take {changes}: {last}")
        if state.data != self.data:
            raise BadInputError(
                f"resumed training must keep its images and labels, not take others from {self.dataset.name}: {last}"
            )
        if not 0 <= state.step <= (len(self.starts) if len(state.log) < self.config.epochs else 0):
            raise changed_entry("step", last)
        if state.scaler.keys() != self.scaler.state_dict().keys():
            raise changed_entry("scaler", last)
        try:
            self.model.load_state_dict(state.state_dict)
        except RuntimeError as error:
            raise BadInputError(
                f"resume file must match {type(self.model).__name__}, not another model: {last}"
            ) from error
        parameters = dict(self.model.named_parameters())
        for name, momentum in state.momenta.items():
            if name not in parameters or momentum.shape != parameters[name].shape:
                raise changed_entry("momenta", last)
            self.optimizer.state[parameters[name]]["momentum_buffer"] = momentum.to(parameters[name])
        self.scaler.load_state_dict(state.scaler)
        # Sums over several processes were added up in the file, and are counted once.
        sums = state.sums.to(self.device) if self.processes.is_first else self.no_sums()
        return _Position(len(state.log), state.step, sums), list(state.log)

    def no_sums(self) -> Tensor:
        """Sums of no step."""
        return torch.zeros(3, dtype=torch.float64, device=self.device)


class _Loop:
    """Epoch after epoch, with everything that is written, shown and watched on the way."""

    def __init__(self, trainer: _Trainer, run: TrainRun, state: TrainState | None) -> None:
        self.trainer, self.run, self.config, self.processes = trainer, run, trainer.config, trainer.processes
        self.started = self.saved = self.drawn = time.monotonic()
        self.at = _Position(0, 0, trainer.no_sums())
        self.log: list[EpochRecord] = []
        if state is not None:
            self.at, self.log = trainer.restore(state, run.last)
        self.processes.wait()  # until all have read what the first is about to replace
        if self.processes.is_first:
            for suffix in ("", ".last", ".csv", ".png"):
                remove_leftovers(run.out.with_name(run.out.name + suffix))
        trainer.ready()

    def result(self) -> TrainResult:
        """Train to the end, or until the time is up."""
        with contextlib.ExitStack() as stack:
            writer = None
            if self.run.tensorboard is not None and self.processes.is_first:
                writer = stack.enter_context(open_tensorboard(self.run.tensorboard, len(self.log) + 1))
            self._save()  # fails here, not after an epoch, where the folder cannot be written to
            if self.log:
                self._write_log()  # whose last line a run killed after its resume file has not written
            advance = stack.enter_context(self._bar())
            while self.at.epoch < self.config.epochs:
                if not self._epoch(advance):
                    return self._outcome(finished=False)
                if writer is not None:
                    write_tensorboard(writer, self.log[-1])
        return self._outcome(finished=True)

    def _epoch(self, advance: Callable[[], None]) -> bool:
        """What is left of one epoch, its validation and its files; False where the time was up before its end."""
        trainer, at = self.trainer, self.at
        learning_rate = cosine_learning_rate(self.config, at.epoch)
        for group in trainer.optimizer.param_groups:
            group["lr"] = learning_rate
        trainer.model.train()
        trainer.network.train()
        for parts in trainer.steps(at.epoch, at.step):
            trainer.step(at, parts)
            advance()
            if at.step % _STEPS_BETWEEN_CHECKS == 0:
                self._finite_sums()
            stop, save = self._due()
            if stop or save:
                self._save()
            if stop:
                return False
        loss, right, count = self._finite_sums().tolist()
        number = at.epoch + 1
        validates = number % self.config.validate_every_epochs == 0 or number == self.config.epochs
        validation = trainer.validated() if validates else (None, None)
        record = EpochRecord(number, learning_rate, loss / count, right / count, *validation)
        self.log.append(record)
        self.at = _Position(number, 0, trainer.no_sums())
        if self.processes.is_first and record is self._best():
            # On the CPU, so that no reader needs the device of training.
            save_checkpoint(self.run.out, {name: value.cpu() for name, value in trainer.model.state_dict().items()})
        self._save()
        self._write_log()
        return True

    def _write_log(self) -> None:
        """Replace the log and, at the end and now and then, its curves: they take longer than a short epoch."""
        if not self.processes.is_first:
            return
        write_log(self.run.out, self.log)
        if self.at.epoch == self.config.epochs or time.monotonic() - self.drawn >= _SECONDS_BETWEEN_DRAWINGS:
            write_curves(self.run.out, self.log)
            self.drawn = time.monotonic()

    def _due(self) -> list[bool]:
        """Whether the time is up, and whether it is time for a resume file."""
        now = time.monotonic()
        stop = now - self.started >= 60 * self.run.stop_after_minutes
        save = now - self.saved >= 60 * self.config.checkpoint_minutes
        return self.processes.agreed(stop, save)

    def _save(self) -> None:
        """Replace the resume file."""
        sums = self._finite_sums()
        if self.processes.is_first:
            try:
                at = _Position(self.at.epoch, self.at.step, sums)
                write_resume_file(self.run.last, self.trainer.state(at, self.log))
            except BadInputError as error:
                if not self.run.last.exists():
                    raise
                raise BadInputError(
                    f"{error}; the state of training before is kept, make room and go on with --resume"
                ) from error
        if self.processes.count > 1:
            self.at.sums = sums if self.processes.is_first else self.trainer.no_sums()
        self.saved = time.monotonic()

    def _finite_sums(self) -> Tensor:
        """Sums over all processes, so that a loss gone wrong in one of them ends them all."""
        sums = self.processes.summed(self.at.sums)
        loss = float(sums[0])
        if not math.isfinite(loss):
            raise BadInputError(
                f"training loss must be finite, not {loss} in epoch {self.at.epoch + 1}; lower the learning rate "
                f"{self.config.learning_rate}"
            )
        return sums

    def _best(self) -> EpochRecord | None:
        return best_epoch(self.log) if self.config.validation_every else self.log[-1]

    def _outcome(self, *, finished: bool) -> TrainResult:
        return TrainResult(self.run.out, self._best() if self.log else None, tuple(self.log), finished)

    @contextlib.contextmanager
    def _bar(self) -> Iterator[Callable[[], None]]:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        shown = self.run.progress and self.processes.is_first
        steps = len(self.trainer.starts)
        with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
            task = bar.add_task("training", total=self.config.epochs * steps)

            def advance() -> None:
                bar.update(task, description=self._described(), completed=self.at.epoch * steps + self.at.step)

            advance()
            yield advance
            advance()

    def _described(self) -> str:
        accuracy = self.log[-1].validation_accuracy if self.log else None
        return f"epoch {len(self.log)}" + ("" if accuracy is None else f": validation {accuracy:.2%}")


def _sums(loss: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
    """Loss, right answers and images as a tensor, which a GPU need not be waited for."""
    right = (logits.argmax(dim=1) == labels).sum()
    return torch.stack([loss.detach(), right, torch.full_like(right, len(labels))]).double()
