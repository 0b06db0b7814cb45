"""Image files decoded on demand: which part of each is taken, and how much of a folder is in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from training_runs import SHORT, quietly

from hwadder import data
from hwadder.batches import LabelledImages
from hwadder.data import load_dataset
from hwadder.image_files import ImageFiles, RandomCrop
from hwadder.training import train
from quant.errors import BadInputError

SHAPE = (3, 16, 16)


def sizes() -> Iterator[tuple[int, int]]:
    generator = np.random.default_rng(0)
    while True:
        width, height = generator.integers(20, 40, 2).tolist()
        yield width, height


def write_folder(root: Path, per_class: int = 6) -> None:
    """Images of different sizes, a class of red and one of blue ones; one is grey, one a CMYK JPEG."""
    size = sizes()
    for split, count in (("train", per_class), ("val", 2)):
        for name, colour in (("blue", (0, 0, 200)), ("red", (200, 0, 0))):
            (root / split / name).mkdir(parents=True)
            for index in range(count):
                Image.new("RGB", next(size), colour).save(root / split / name / f"{index}.png")
    Image.new("L", (30, 20), 77).save(root / "val" / "red" / "0.png")
    Image.new("RGB", (70, 50), (200, 0, 0)).convert("CMYK").save(root / "train" / "red" / "9.jpg")


def files_of(image: Image.Image, folder: Path, shape: tuple[int, int, int] = SHAPE) -> ImageFiles:
    image.save(folder / "image.png")
    return ImageFiles(folder, np.array([b"image.png"]), shape)


def test_the_middle_of_the_shorter_side_is_taken(tmp_path: Path) -> None:
    # 64 x 32 with a white square where the middle 28 x 28 is: the square fills the result.
    image = Image.new("RGB", (64, 32))
    image.paste((255, 255, 255), (18, 2, 46, 30))
    files = files_of(image, tmp_path, (3, 28, 28))
    assert (files[:] == 255).all()
    image.paste((0, 0, 0), (18, 2, 46, 3))
    assert (files_of(image, tmp_path, (3, 28, 28))[:][0, :, 0] == 0).all()


def test_files_are_read_like_an_array(tmp_path: Path) -> None:
    write_folder(tmp_path)
    images = load_dataset(str(tmp_path), SHAPE)
    assert isinstance(images.x_train, ImageFiles)
    assert images.x_train.shape == (13, 3, 16, 16)
    assert images.image_shape == SHAPE
    assert images.y_train.tolist() == [0] * 6 + [1] * 7
    assert images.mean.tolist() == [0.485, 0.456, 0.406]
    every = images.x_train[:]
    assert every.dtype == np.uint8
    assert every.shape == (13, 3, 16, 16)
    assert np.array_equal(images.x_train[np.array([7, 0])], every[[7, 0]])
    assert np.array_equal(images.x_train[images.y_train == 1], every[6:])
    assert np.array_equal(images.x_train[1::5], every[1::5])
    assert (every[:6, 2] == 200).all()
    assert (every[12, 0] > 150).all()
    assert (images.x_test[:][2] == 77).all()


def test_grey_models_get_grey_images(tmp_path: Path) -> None:
    write_folder(tmp_path)
    images = load_dataset(str(tmp_path), (1, 16, 16))
    assert images.x_train[:].shape == (13, 1, 16, 16)
    assert (images.mean.tolist(), images.std.tolist()) == ([0.0], [1.0])


def test_an_enormous_image_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(Image.new("L", (30, 20)), tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(BadInputError) as error:
        files[:]
    assert str(error.value) == f"image {tmp_path / 'image.png'} must be of at most 200 pixels, not larger"


def test_images_that_cannot_be_taken_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path)
    with pytest.raises(BadInputError) as error:
        load_dataset(str(tmp_path), (4, 16, 16))
    assert str(error.value) == f"model for images of {tmp_path} must take 1 or 3 channels, not 4"
    images = load_dataset(str(tmp_path), SHAPE)
    damaged = tmp_path / "train" / "blue" / "3.png"
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(BadInputError) as error:
        images.x_train[:]
    assert str(error.value) == f"image {damaged} must be readable, not damaged"


def test_folders_too_large_for_memory_are_decoded_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
        Image.new("RGB", (16, 16)).save(tmp_path / split / "a" / "0.png")
    assert isinstance(load_dataset(str(tmp_path), SHAPE).x_train, np.ndarray)
    monkeypatch.setattr(data, "_MEMORY_BYTES", 2 * 3 * 16 * 16 - 1)
    assert isinstance(load_dataset(str(tmp_path), SHAPE).x_train, ImageFiles)


@given(st.integers(0, 2**20), st.integers(1, 500), st.integers(1, 500), st.floats(0.01, 1))
def test_random_crops_lie_inside_and_keep_their_area(index: int, width: int, height: int, least: float) -> None:
    left, top, right, bottom = RandomCrop(least, 3, 5).box(index, width, height)
    assert 0 <= left < right <= width * (1 + 1e-12)
    assert 0 <= top < bottom <= height * (1 + 1e-12)
    cut = right - left == width or bottom - top == height
    assert cut or (right - left) * (bottom - top) >= least * width * height * (1 - 1e-9)


def test_random_crops_are_decided_by_seed_epoch_and_image_alone() -> None:
    boxes = [RandomCrop(0.1, seed, epoch).box(index, 90, 70) for seed in (0, 1) for epoch in (0, 1) for index in (0, 1)]
    assert len(set(boxes)) == 8
    assert RandomCrop(0.1, 1, 0).box(1, 90, 70) == boxes[5]


def test_a_jpeg_drafted_for_a_crop_shows_the_same_part(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 512).astype(np.uint8)
    Image.fromarray(np.broadcast_to(ramp, (512, 512)).copy()).save(tmp_path / "ramp.jpg", quality=95)
    files = ImageFiles(tmp_path, np.array([b"ramp.jpg"]), (1, 16, 16))
    for epoch in range(5):
        crop = RandomCrop(0.3, 0, epoch)
        left, _, right, _ = crop.box(0, 512, 512)
        expected = (left + (np.arange(16) + 0.5) / 16 * (right - left)) / 512 * 255
        row = files.decoded(np.array([0]), crop)[0, 0, 8]
        assert np.abs(row - expected).max() < 4


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_however_many_workers_decode(workers: int, tmp_path: Path) -> None:
    write_folder(tmp_path)
    images = load_dataset(str(tmp_path), SHAPE)
    crop = RandomCrop(0.2, 0, 1)
    groups = [np.array([0, 12, 3]), np.array([5]), np.array([7, 8])]
    source = LabelledImages(images.x_train, images.y_train, torch.device("cpu"), workers)
    batches = list(source.batches(groups, crop))
    assert isinstance(images.x_train, ImageFiles)
    for group, (pixels, labels) in zip(groups, batches, strict=True):
        assert np.array_equal(pixels.numpy(), images.x_train.decoded(group, crop))
        assert labels.tolist() == images.y_train[group].tolist()


@pytest.mark.parametrize("workers", [0, 1])
def test_training_on_files_learns_and_names_a_damaged_one(workers: int, tmp_path: Path) -> None:
    write_folder(tmp_path / "images", per_class=12)
    dataset = load_dataset(str(tmp_path / "images"), SHAPE)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.Flatten(), nn.LazyLinear(2))
    vars(model)["input_shape"] = SHAPE
    model(torch.zeros(1, *SHAPE))
    config = dataclasses.replace(SHORT, epochs=3, crop_area=0.5, workers=workers)
    result = train(config, dataset, model, quietly(tmp_path / "a.pt"))
    assert result.best is not None
    assert result.best.validation_accuracy == 1
    damaged = tmp_path / "images" / "train" / "red" / "3.png"
    damaged.write_bytes(b"no image")
    with pytest.raises(BadInputError) as error:
        train(config, dataset, model, quietly(tmp_path / "b.pt"))
    assert str(error.value) == f"image {damaged} must be readable, not damaged"
