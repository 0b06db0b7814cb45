"""Accuracy: of logits and of a model worked out by hand, of the official ResNet-20, and of the shipped LeNet-5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from hwadder.accuracy import float_logits, label_ranks
from hwadder.checkpoint import load_checkpoint
from hwadder.data import Dataset, load_dataset
from hwadder.models import build_model, shipped_weights
from quant.errors import BadInputError


class Brightest(nn.Module):
    """Logits are the two pixels as normalised; the batch norm shows whether evaluation mode was used."""

    def __init__(self) -> None:
        super().__init__()
        self.input_shape = (2, 1, 1)
        self.bn = nn.BatchNorm1d(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.bn(x.flatten(1))
        return y


def pixels() -> Dataset:
    """Less the means 0 and 0.2 the pixels are 0 < 0.8, 1 > 0.8, 0.6 > 0.4, and a tie: classes 1, 0, 0 and 0."""
    images = np.array([(0, 255), (255, 255), (153, 153), (0, 51)], dtype=np.uint8).reshape(-1, 2, 1, 1)
    labels = np.array([1, 0, 1, 0])
    return Dataset("pixels", images[:2], labels[:2], images, labels, np.array([0.0, 0.2]), np.ones(2))


def ranks(model: nn.Module, dataset: Dataset, batch_size: int = 64) -> list[int]:
    logits = np.concatenate(list(float_logits(model, dataset, batch_size)))
    return [int(rank) for rank in label_ranks(logits, dataset.y_test)]


def test_ranks_count_the_classes_before_an_images_own() -> None:
    logits = np.array([[3, 5, 5, -1], [3, 5, 5, -1], [3, 5, 5, -1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert label_ranks(logits, np.array([1, 2, 0, 0, 3])).tolist() == [0, 1, 2, 0, 3]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9), st.data())
def test_rank_zero_is_the_argmax_and_ranks_are_a_stable_order(row: list[int], data: st.DataObject) -> None:
    label = data.draw(st.integers(0, len(row) - 1))
    (rank,) = label_ranks(np.array([row]), np.array([label])).tolist()
    # Python's sort is stable, so equal logits stay in the order of their classes.
    assert sorted(range(len(row)), key=lambda each: -row[each])[rank] == label
    assert (rank == 0) == (int(np.argmax(row)) == label)


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_right_answers_are_counted_over_all_batches(batch_size: int) -> None:
    model = Brightest()
    assert ranks(model, pixels(), batch_size) == [0, 0, 1, 0]
    assert model.training


def test_data_that_do_not_fit_are_named() -> None:
    with pytest.raises(BadInputError) as error:
        ranks(build_model("lenet5"), pixels())
    assert str(error.value) == "images of pixels must be of shape (1, 28, 28) for LeNet5, not (2, 1, 1)"


def test_the_official_resnet20_classifies_as_published(data_folder: Path) -> None:
    model = build_model("resnet20")
    load_checkpoint(data_folder / "ResNet20-AdderNet.pth", model)
    found = ranks(model, load_dataset(str(data_folder / "cifar10-subset.npz")))
    assert len(found) == 512
    # FACTS 8: 473; one image more or less, because float sums depend on the machine's order of addition.
    assert 472 <= found.count(0) <= 474


def test_the_shipped_lenet5_reads_at_least_985_of_the_1000_held_out_digits() -> None:
    model = build_model("lenet5")
    load_checkpoint(shipped_weights("lenet5"), model)
    found = ranks(model, load_dataset("mnist"))
    assert len(found) == 1000
    assert found.count(0) >= 985
