"""Which class a model chooses: logits of a float model, and where an image's own class ranks among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hwadder.data import Dataset, normalised
from hwadder.models import input_shape
from quant.errors import BadInputError


def label_ranks(logits: NDArray[Any], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many classes come before each image's own, (N,) of logits (N, classes): 0 is right, below 5 is top-5 right.

    Among equal logits the lowest class comes first, as in an argmax.
    """
    own = np.take_along_axis(logits, labels[:, None], axis=1)
    earlier = (logits == own) & (np.arange(logits.shape[1]) < labels[:, None])
    ranks: NDArray[np.int64] = ((logits > own) | earlier).sum(axis=1)
    return ranks


def float_logits(model: nn.Module, dataset: Dataset, batch_size: int = 64) -> Iterator[NDArray[np.float32]]:
    """Logits (n, classes) of the test split, batch after batch.

    Raises BadInputError when the dataset's images or classes do not fit the model.
    """
    require_fit(model, dataset)
    for first in range(0, len(dataset.x_test), batch_size):
        inputs = normalised(dataset.x_test[first : first + batch_size], dataset.mean, dataset.std)
        yield predict(model, inputs, batch_size).numpy()


def predict(model: nn.Module, inputs: Tensor, batch_size: int) -> Tensor:
    """Logits (N, classes) of normalised inputs (N, C, H, W), in evaluation mode; the model's mode is left as it was."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return torch.cat([model(batch.to(device)).cpu() for batch in torch.split(inputs, batch_size)])
    finally:
        model.train(was_training)


def require_fit(model: nn.Module, dataset: Dataset) -> None:
    """Raise BadInputError unless `model` takes the dataset's images and gives at least one logit for each class."""
    if dataset.image_shape != input_shape(model):
        raise BadInputError(
            f"images of {dataset.name} must be of shape {input_shape(model)} for {type(model).__name__}, "
            f"not {dataset.image_shape}"
        )
    logits = predict(model, torch.zeros(1, *dataset.image_shape), 1)
    if logits.dim() != 2 or logits.shape[1] < dataset.num_classes:
        raise BadInputError(
            f"output of {type(model).__name__} must be (N, {dataset.num_classes}) logits for {dataset.name}, "
            f"not of shape (N, {', '.join(map(str, logits.shape[1:]))})"
        )
