"""Top-1 accuracy of a float model on the test split."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hwadder.data import Dataset, normalised
from hwadder.models import input_shape
from quant.errors import BadInputError


def evaluate_float(model: nn.Module, dataset: Dataset, batch_size: int = 64) -> tuple[int, int]:
    """Images of the test split that `model` classifies rightly, and how many there are; ties go to the lowest class.

    Raises BadInputError when the dataset's images or classes do not fit the model.
    """
    require_fit(model, dataset)
    inputs = normalised(dataset.x_test, dataset.mean, dataset.std)
    logits = predict(model, inputs, batch_size)
    correct = int((logits.argmax(dim=1) == torch.from_numpy(dataset.y_test)).sum())
    return correct, len(inputs)


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
