"""The file that a stopped run goes on from: everything that the rest of the run depends on."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwadder.checkpoint import read_archive, save_checkpoint
from hwadder.train_config import TrainConfig, changed
from hwadder.training_log import EpochRecord
from quant.errors import BadInputError


@dataclass(frozen=True, slots=True, eq=False)
class TrainState:
    """A run between two steps.

    Attributes:
        state_dict: the model's.
        momenta: the optimizer's, by the name of the parameter.
        scaler: state of the gradient scaler; empty but for fp16.
        config: the run's.
        data: `Dataset.training_digest` of its images and labels.
        log: one record for each epoch done.
        step: steps done of the next epoch.
        sums: loss, right answers and images of those steps, (3,) float64.
    """

    state_dict: dict[str, Tensor]
    momenta: dict[str, Tensor]
    scaler: dict[str, float]
    config: TrainConfig
    data: str
    log: tuple[EpochRecord, ...]
    step: int
    sums: Tensor

    @property
    def loses_work(self) -> bool:
        """Whether a run that begins anew throws away steps of one that has not come to its end."""
        return len(self.log) + self.step > 0 and len(self.log) < self.config.epochs


def write_resume_file(path: Path, state: TrainState) -> None:
    """Replace `path`, which is whole at any moment."""
    content = {each.name: getattr(state, each.name) for each in fields(state)}
    content |= {"config": state.config.to_table(), "log": [asdict(record) for record in state.log]}
    save_checkpoint(path, content)


def read_resume_file(path: Path) -> TrainState:
    """The state in a resume file, tensors on the CPU; raises BadInputError for any other file."""
    content = read_archive(path)
    names = [each.name for each in fields(TrainState)]
    if not isinstance(content, dict) or not set(names) <= content.keys():
        raise BadInputError(f"resume file must be one that training wrote, not another checkpoint: {path}")
    known = {
        "state_dict": _is_table(content["state_dict"], Tensor),
        "momenta": _is_table(content["momenta"], Tensor),
        "scaler": _is_table(content["scaler"], int | float),
        "config": isinstance(content["config"], dict),
        "data": isinstance(content["data"], str),
        "log": isinstance(content["log"], list)
        and all(_is_record(record, epoch) for epoch, record in enumerate(content["log"], 1)),
        "step": type(content["step"]) is int,
        "sums": _is_sums(content["sums"]),
    }
    for name, is_known in known.items():
        if not is_known:
            raise changed_entry(name, path)
    config = changed(TrainConfig(), content["config"], str(path))
    log = tuple(EpochRecord(**record) for record in content["log"])
    if len(log) > config.epochs:
        raise changed_entry("log", path)
    return TrainState(**{name: content[name] for name in names} | {"config": config, "log": log})


def changed_entry(name: str, path: Path) -> BadInputError:
    """The sentence for a resume file in which one entry cannot have been written by training."""
    return BadInputError(f"resume file must be as training wrote it, not with another {name}: {path}")


def _is_table(value: object, kind: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(k, str) and isinstance(v, kind) for k, v in value.items())


def _is_record(value: object, epoch: int) -> bool:
    if not isinstance(value, dict) or value.keys() != {each.name for each in fields(EpochRecord)}:
        return False
    validation = value["validation_loss"], value["validation_accuracy"]
    numbers = [value["learning_rate"], value["train_loss"], value["train_accuracy"]]
    numbers += validation if validation != (None, None) else ()
    return value["epoch"] == epoch and all(isinstance(each, float) and math.isfinite(each) for each in numbers)


def _is_sums(value: object) -> bool:
    return isinstance(value, Tensor) and value.shape == (3,) and value.dtype == torch.float64
