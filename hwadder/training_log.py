"""What training tells of its epochs: a CSV file, its curves, and TensorBoard's files."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from quant.errors import MissingToolError
from quant.files import replacing_file

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


@dataclass(frozen=True, slots=True)
class EpochRecord:
    """One line of the log: mean loss and share of right answers, over the epoch and on the validation images; the
    latter are None in epochs without validation."""

    epoch: int
    learning_rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


def best_epoch(log: list[EpochRecord]) -> EpochRecord | None:
    """The epoch of the highest validation accuracy and, among equals, the lowest loss; None before any validation."""

    def quality(record: EpochRecord) -> tuple[float, float]:
        assert record.validation_accuracy is not None
        assert record.validation_loss is not None
        return record.validation_accuracy, -record.validation_loss

    return max((record for record in log if record.validation_loss is not None), key=quality, default=None)


def write_log(out: Path, log: list[EpochRecord]) -> None:
    """Replace `out`.csv, one line per epoch."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(EpochRecord))
    writer.writerows(asdict(record).values() for record in log)
    with replacing_file(out.with_name(out.name + ".csv")) as temporary:
        temporary.write_text(text.getvalue())


def write_curves(out: Path, log: list[EpochRecord]) -> None:
    """Replace `out`.png, the log's curves."""
    figure = Figure(figsize=(8, 3), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split in ("train", "validation"):
            values = [(record.epoch, getattr(record, f"{split}_{quantity}")) for record in log]
            points = [(epoch, value) for epoch, value in values if value is not None]
            if points:
                axes.plot(*zip(*points, strict=True), label=split)
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing_file(out.with_name(out.name + ".png")) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def open_tensorboard(folder: Path, first_epoch: int) -> SummaryWriter:
    """A writer of TensorBoard's files, which hides what an earlier run wrote from `first_epoch` on.

    Raises MissingToolError where TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingToolError(
            "package tensorboard must be installed, not missing: `python -m pip install tensorboard`"
        ) from error
    return SummaryWriter(str(folder), purge_step=first_epoch)


def write_tensorboard(writer: SummaryWriter, record: EpochRecord) -> None:
    """Add one epoch, a curve for each column of the log."""
    values = asdict(record)
    epoch = values.pop("epoch")
    for name, value in values.items():
        if value is not None:
            writer.add_scalar(name.replace("_", "/", 1), value, epoch)
    writer.flush()
