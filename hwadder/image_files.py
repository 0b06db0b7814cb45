"""Images of a folder that are decoded when they are asked for: more than memory holds, or of different sizes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quant.errors import BadInputError

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels."""

_MIDDLE = 7 / 8
"""Share of the shorter side that is kept: 224 of 256 pixels, as ImageNet is commonly evaluated."""


@contextlib.contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """An image file whose pixels fit uint8; raises BadInputError for another, a damaged and an enormous one, also while
    its pixels are read."""
    try:
        with Image.open(path) as image:
            # Pillow would cut everything above 255 off.
            if image.mode.startswith(("I", "F")):
                raise BadInputError(f"image {path} must have at most 8 bits a channel, not the mode {image.mode}")
            yield image
    except Image.DecompressionBombError as error:
        most = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise BadInputError(f"image {path} must be of at most {most} pixels, not larger") from error
    except (OSError, SyntaxError) as error:
        raise BadInputError(f"image {path} must be readable, not damaged") from error


@dataclass(frozen=True, slots=True)
class RandomCrop:
    """Which part of each image an epoch sees: at least `least_area` of it, decided by seed, epoch and image alone."""

    least_area: float
    seed: int
    epoch: int

    def box(self, index: int, width: int, height: int) -> Box:
        """A box of 3:4 to 4:3 and of random area, anywhere inside; cut where such a box is longer than the image."""
        area, log_ratio, x, y = np.random.default_rng([self.seed, self.epoch, index]).random(4)
        area = width * height * (self.least_area + (1 - self.least_area) * area)
        ratio = (4 / 3) ** (2 * log_ratio - 1)
        box_width, box_height = min(width, (area * ratio) ** 0.5), min(height, (area / ratio) ** 0.5)
        left, top = x * (width - box_width), y * (height - box_height)
        return left, top, left + box_width, top + box_height


@dataclass(frozen=True, slots=True, eq=False)
class ImageFiles:
    """Image files that are read like an array (N, C, H, W) of uint8, by a slice or by indices.

    Each is scaled so that the middle 7/8 of its shorter side fills `image_shape`. `names` are paths below `root` as
    bytes: an array, because a million strings would fill a gigabyte in every worker.
    """

    root: Path
    names: NDArray[np.bytes_]
    image_shape: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, C, H, W)."""
        return (len(self.names), *self.image_shape)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, chosen: slice | NDArray[np.int64] | NDArray[np.bool_]) -> NDArray[np.uint8]:
        return self.decoded(np.arange(len(self))[chosen])

    def decoded(self, indices: NDArray[np.int64], crop: RandomCrop | None = None) -> NDArray[np.uint8]:
        """The images at `indices`, (n, C, H, W): their middle, or a random crop of each."""
        result = np.empty((len(indices), *self.image_shape), dtype=np.uint8)
        for position, index in enumerate(indices.tolist()):
            result[position] = self._image(index, crop)
        return result

    def _image(self, index: int, crop: RandomCrop | None) -> NDArray[np.uint8]:
        channels, height, width = self.image_shape
        path = self.root / os.fsdecode(self.names[index])
        with opened_image(path) as image:
            box = _middle(image.size, width, height) if crop is None else crop.box(index, *image.size)
            if crop is not None:
                box = _drafted(image, box, width, height)
            part = image.convert("RGB" if channels == 3 else "L")
            pixels = np.asarray(part.resize((width, height), Image.Resampling.BILINEAR, box))
        return pixels.transpose(2, 0, 1) if channels == 3 else pixels[None]


def _middle(size: tuple[int, int], width: int, height: int) -> Box:
    scale = _MIDDLE * min(size[0] / width, size[1] / height)
    left, top = (size[0] - scale * width) / 2, (size[1] - scale * height) / 2
    return left, top, left + scale * width, top + scale * height


def _drafted(image: Image.Image, box: Box, width: int, height: int) -> Box:
    """The box after a JPEG has been told to decode no finer than its part of width x height needs: much faster."""
    before = image.size
    image.draft(None, (int(width * before[0] / (box[2] - box[0])), int(height * before[1] / (box[3] - box[1]))))
    across, down = image.size[0] / before[0], image.size[1] / before[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down
