"""Random changes of images: their bounds, their share, and what stays where it is."""

from __future__ import annotations

import dataclasses

import torch

from hwadder.augmentation import augmented
from hwadder.train_config import TrainConfig


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
