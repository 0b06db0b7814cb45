"""A fast executor of integer networks: the golden model's integers, from compiled kernels where they are installed."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from quant import golden
from quant.errors import BadInputError
from quant.integer_network import IntArray, IntegerNetwork
from quant.native_network import compile_native

THREADS_VARIABLE = "OMP_NUM_THREADS"


def default_threads() -> int:
    """What `OMP_NUM_THREADS` says, or else the CPUs that this process may use."""
    asked = os.environ.get(THREADS_VARIABLE, "").partition(",")[0].strip()
    return int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))


class Executor:
    """Computes an integer network on uint8 images or on codes, equal to `quant.golden` in every element.

    Once it has computed on several threads, a process forked from this one hangs: OpenMP's threads are not in the copy.
    Worker processes must be started anew (multiprocessing's `spawn` or `forkserver`).

    Attributes:
        network: what it computes.
        threads: that share the images out; each takes one image at a time through the whole network, so that its
            tensors stay in the cache.
    """

    def __init__(self, network: IntegerNetwork, threads: int | None = None) -> None:
        if threads is not None and threads < 1:
            raise BadInputError(f"threads must be at least 1, not {threads}")
        self.network = network
        self.threads = threads or default_threads()
        self._native = compile_native(network)

    @property
    def is_native(self) -> bool:
        """Whether the compiled kernels run; else it is the golden model, in numpy."""
        return self._native is not None

    def trace(self, codes: IntArray) -> dict[str, IntArray]:
        """Every tensor of the network for a batch of input codes (N, C, H, W), by node name; as `golden.trace`.

        Raises BadInputError where the codes are of another shape or not on the input's grid.
        """
        image = self.network.input
        if codes.shape[1:] != image.shape:
            raise BadInputError(f"codes must be of shape (N, {', '.join(map(str, image.shape))}), not {codes.shape}")
        if codes.size and not 0 <= codes.min() <= codes.max() <= image.grid.top:
            raise BadInputError(f"codes must be 0 to {image.grid.top}, not {codes.min()} to {codes.max()}")
        if self._native is None:
            return golden.trace(self.network, codes)
        batches = {node.name: self._native.allocate(node.name, len(codes)) for node in self.network}
        self._native.values(image.name, batches[image.name])[...] = codes.transpose(0, 2, 3, 1)
        self._native.run(batches, len(codes), self.threads)
        tensors = {image.name: codes}
        for node in self.network.nodes[1:]:
            values = self._native.values(node.name, batches[node.name]).transpose(0, 3, 1, 2)
            tensors[node.name] = values.astype(np.int64).reshape(len(codes), *self.network.shapes[node.name])
        return tensors

    def logits(self, images: NDArray[np.uint8], batch: int = 256) -> Iterator[IntArray]:
        """What the network's `Argmax` reads, (n, classes), batch after batch; as `golden.logits`."""
        if self._native is None:
            yield from golden.logits(self.network, images, batch)
            return
        source = golden.require_argmax(self.network).source
        golden.require_images(self.network, images)
        for first in range(0, len(images), batch):
            pixels = images[first : first + batch]
            values = self._native.allocate(source, len(pixels))
            self._native.run({source: values}, len(pixels), self.threads, pixels)
            yield self._native.values(source, values).astype(np.int64).reshape(len(pixels), -1)

    def classify(self, images: NDArray[np.uint8], batch: int = 256) -> Iterator[IntArray]:
        """Class index of each uint8 image, batch after batch; as `golden.classify`."""
        for each in self.logits(images, batch):
            yield each.argmax(axis=1)
