"""Batches of training or validation images on the device: indexed in memory, or decoded by worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from hwadder.image_files import ImageFiles, RandomCrop
from quant.errors import BadInputError

Indices = NDArray[np.int64]

_SHARE_OF_GPU = 0.25
"""How much of a GPU's free memory images may take, so that activations have the rest."""


class LabelledImages:
    """Images with labels, (N, C, H, W) uint8 and (N,): an array, kept on the device where it fits, or image files."""

    def __init__(
        self,
        images: NDArray[np.uint8] | ImageFiles,
        labels: NDArray[np.int64],
        device: torch.device,
        workers: int,
    ) -> None:
        self.device, self.workers = device, workers
        self.labels = torch.from_numpy(labels).to(device)
        self.images = images if isinstance(images, ImageFiles) else _placed(torch.from_numpy(images), device)

    def batches(self, groups: Sequence[Indices], crop: RandomCrop | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (n, C, H, W) uint8 and labels (n,) of each group of indices, on the device.

        `crop` concerns image files. Raises BadInputError where a file is damaged.
        """
        for group, images in zip(groups, self._images(groups, crop), strict=True):
            indices = torch.from_numpy(group).to(self.device)
            yield images.to(self.device, non_blocking=True), self.labels[indices]

    def _images(self, groups: Sequence[Indices], crop: RandomCrop | None) -> Iterator[Tensor]:
        if not isinstance(self.images, ImageFiles):
            for group in groups:
                yield self.images[torch.from_numpy(group).to(self.images.device)]
            return
        loader = DataLoader(
            _Decoder(self.images, crop),
            batch_size=None,  # the sampler's items are whole batches
            sampler=groups,
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
        )
        for images in loader:
            if isinstance(images, str):
                raise BadInputError(images)
            yield images


@dataclass(frozen=True, slots=True)
class _Decoder(TorchDataset[Tensor | str]):
    """What runs in the worker processes; a damaged file is told by its sentence, since an exception would come out
    with the worker's traceback inside."""

    files: ImageFiles
    crop: RandomCrop | None

    def __getitem__(self, indices: Indices) -> Tensor | str:
        try:
            return torch.from_numpy(self.files.decoded(indices, self.crop))
        except BadInputError as error:
            return str(error)


def _placed(images: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if images.nbytes < _SHARE_OF_GPU * free:
            return images.to(device)
    return images
