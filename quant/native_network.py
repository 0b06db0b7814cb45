"""An integer network laid out for the compiled kernels: tensors in NHWC with their halos, weights in lanes.

The structures are those of quant/native/integer_network.h, field for field.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from enum import IntEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

import quant
from quant.float_network import Kind, Pair, Shape
from quant.integer_network import (
    MAX_CODE_BITS,
    Affine,
    Argmax,
    Conv2d,
    Flatten,
    Grid,
    Input,
    IntArray,
    IntegerNetwork,
    IntegerNode,
    Linear,
    MaxPool,
    SumPool,
    TapLayer,
    sources,
)
from quant.native_library import capability, load_library
from quant.widths import accumulator_bits, affine_bits

Bytes = NDArray[np.uint8]

_BLOCK = 16
_NARROW_LANES = (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15)
_SAD_LANES = (0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15)
"""Filter of a block that each lane computes."""
_SAD_CHUNK, _DOT_CHUNK = 8, 2
"""Codes that one lane takes at once."""
_NARROW_BITS = 32
_SLACK = 8
"""Bytes behind a tensor that a chunk may read and not use."""
_LINE = 64
"""Bytes of a cache line, on which every tensor begins."""


class _OperationKind(IntEnum):
    ENCODE = 0
    ADDER = 1
    DOT = 2
    WIDE_DOT = 3
    CHANNELWISE = 4
    MAX_POOL = 5
    SUM_POOL = 6
    FLATTEN = 7
    ARGMAX = 8


class _Tensor(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("height", "width", "channels", "halo_y", "halo_x", "wide", "fill")),
        ("image_bytes", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("batch", ctypes.c_void_p),
    )


class _Operation(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_int64) for name in ("kind", "source", "shortcut", "result")),
        *((name, ctypes.c_int64) for name in ("kernel_y", "kernel_x", "stride_y", "stride_x")),
        *((name, ctypes.c_int64) for name in ("padding_y", "padding_x", "groups")),
        *((name, ctypes.c_void_p) for name in ("weights", "multiplier", "constant")),
        *((name, ctypes.c_void_p) for name in ("narrow_multiplier", "narrow_constant")),
        *((name, ctypes.c_int64) for name in ("shortcut_multiplier", "shift", "clamp_max")),
    )


class _Network(ctypes.Structure):
    _fields_ = (
        ("tensors", ctypes.c_void_p),
        ("tensor_count", ctypes.c_int64),
        ("operations", ctypes.c_void_p),
        ("operation_count", ctypes.c_int64),
        ("arena_bytes", ctypes.c_int64),
        ("scratch_offset", ctypes.c_int64),
        ("pixels", ctypes.c_void_p),
    )


def _lines(size: int) -> int:
    """`size` rounded up to whole cache lines."""
    return -(-size // _LINE) * _LINE


def _map_shape(shape: Shape) -> tuple[int, int, int]:
    """(C, H, W) of any tensor: a vector is a map of one pixel, an index one of one channel too."""
    channels, height, width = (*shape, 1, 1, 1)[:3]
    return channels, height, width


def _is_wide(node: IntegerNode, grid: Grid) -> bool:
    """Whether a tensor is kept in 64 bits instead of a byte an element."""
    return isinstance(node, Argmax) or grid.signed or grid.bits > MAX_CODE_BITS


def _window(node: IntegerNode) -> tuple[Pair, Pair, Pair]:
    """Kernel, stride and padding; (1, 1), (1, 1) and (0, 0) where a node has none."""
    if isinstance(node, Conv2d):
        return (int(node.weight.shape[2]), int(node.weight.shape[3])), node.stride, node.padding
    if isinstance(node, MaxPool | SumPool):
        return node.kernel, node.stride, node.padding
    return (1, 1), (1, 1), (0, 0)


def _grouped_weights(node: TapLayer) -> IntArray:
    """(groups, filters of a group, kernel rows, kernel columns, inputs of a group)."""
    groups = node.groups if isinstance(node, Conv2d) else 1
    maps = node.weight if isinstance(node, Conv2d) else node.weight[:, :, None, None]
    return maps.reshape(groups, -1, *maps.shape[1:]).transpose(0, 1, 3, 4, 2)


def _packed_weights(node: TapLayer, chunk: int, lanes: tuple[int, ...]) -> IntArray:
    """(block of 16 filters, run, chunk, lane, code): runs are kernel rows, or single taps where there are groups."""
    weights = _grouped_weights(node)
    groups, filters, rows, columns, inputs = weights.shape
    runs = (rows, columns * inputs) if groups == 1 else (rows * columns, inputs)
    weights = weights.reshape(groups, filters, *runs)
    weights = np.pad(weights, ((0, 0), (0, -filters % _BLOCK), (0, 0), (0, -runs[1] % chunk)))
    weights = weights.reshape(-1, _BLOCK, runs[0], weights.shape[3] // chunk, chunk)
    return weights[:, lanes].transpose(0, 2, 3, 1, 4)


def _in_lanes(values: IntArray, groups: int) -> NDArray[np.uint32]:
    """Values of the output channels modulo 2^32, in the order of the narrow lanes of each block."""
    grouped = values.reshape(groups, -1)
    grouped = np.pad(grouped, ((0, 0), (0, -grouped.shape[1] % _BLOCK)))
    return (grouped.reshape(-1, _BLOCK)[:, _NARROW_LANES] & 0xFFFFFFFF).astype(np.uint32, order="C")


def _kind(network: IntegerNetwork, node: IntegerNode) -> _OperationKind:
    if isinstance(node, Input):
        return _OperationKind.ENCODE
    if isinstance(node, MaxPool):
        return _OperationKind.MAX_POOL
    if isinstance(node, SumPool):
        return _OperationKind.SUM_POOL
    if isinstance(node, Flatten):
        return _OperationKind.FLATTEN
    if isinstance(node, Argmax):
        return _OperationKind.ARGMAX
    # In 32 bits a sum that fits is exact whatever its partial sums do.
    narrow = accumulator_bits(network, node) <= _NARROW_BITS
    if node.kind is Kind.ADDER:
        channelwise = isinstance(node, Conv2d) and 1 < node.groups == len(node.weight) and node.weight.shape[1] == 1
        return _OperationKind.CHANNELWISE if narrow and channelwise else _OperationKind.ADDER
    return (
        _OperationKind.DOT if narrow and network.grids[node.source].bits <= MAX_CODE_BITS else _OperationKind.WIDE_DOT
    )


def _weights(node: TapLayer, kind: _OperationKind) -> NDArray[np.generic]:
    if kind is _OperationKind.ADDER:
        return _packed_weights(node, _SAD_CHUNK, _SAD_LANES).astype(np.uint8, order="C")
    if kind is _OperationKind.DOT:
        return _packed_weights(node, _DOT_CHUNK, _NARROW_LANES).astype(np.int16, order="C")
    if kind is _OperationKind.CHANNELWISE:
        return _grouped_weights(node)[:, 0, :, :, 0].transpose(1, 2, 0).astype(np.uint8, order="C")
    return np.ascontiguousarray(_grouped_weights(node))


def compile_native(network: IntegerNetwork) -> NativeNetwork | None:
    """The network for the compiled kernels; None where they are not installed, or a pool's sums leave 32 bits."""
    library = load_library(quant.__file__, "_integer_kernels")
    pools = [node for node in network if isinstance(node, SumPool)]
    if library is None or any(accumulator_bits(network, pool) > _NARROW_BITS for pool in pools):
        return None
    return NativeNetwork(network, library)


class NativeNetwork:
    """An integer network that the compiled kernels run; weights are packed here, once."""

    def __init__(self, network: IntegerNetwork, library: ctypes.CDLL) -> None:
        self._network = network
        self._capability = int(capability(library))
        self._run = library.hwadder_run_network
        self._run.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
        self._run.restype = None
        self._arrays: list[NDArray[np.generic]] = []  # what the structures point at
        self._index = {node.name: index for index, node in enumerate(network)}
        self._tensors = [self._tensor(node) for node in network]
        self._operations = [self._operation(node) for node in network]
        self._scratch_bytes = max(self._scratch(node) for node in network)

    def allocate(self, name: str, images: int) -> Bytes:
        """Room (images, bytes of an image) for the tensor `name` of a batch, its halo in place."""
        tensor = self._tensors[self._index[name]]
        batch = np.empty((images, tensor.image_bytes), np.uint8)
        if tensor.halo_y or tensor.halo_x:
            self._framed(name, batch)[...] = tensor.fill
        return batch

    def values(self, name: str, batch: Bytes) -> NDArray[np.integer]:
        """The tensor (N, H, W, C) that lies in `batch`, as a view without its halo."""
        tensor = self._tensors[self._index[name]]
        y, x = tensor.halo_y, tensor.halo_x
        return self._framed(name, batch)[:, y : y + tensor.height, x : x + tensor.width]

    def run(
        self, batches: Mapping[str, Bytes], images: int, threads: int, pixels: NDArray[np.uint8] | None = None
    ) -> None:
        """Compute `images` images. The tensors of `batches` (from `allocate`) are kept whole, others pass by.

        Args:
            batches: by name; the input's codes are taken from here where `pixels` is None.
            images: how many.
            threads: each takes an image at a time through the whole network.
            pixels: uint8 images (N, C, H, W).
        """
        tensors = (_Tensor * len(self._tensors))(*self._tensors)
        offset = 0
        for node, tensor in zip(self._network, tensors, strict=True):
            if node.name in batches:
                tensor.batch = batches[node.name].ctypes.data
            else:
                tensor.offset = offset
                offset += tensor.image_bytes
        chosen = self._operations if pixels is not None else self._operations[1:]
        operations = (_Operation * len(chosen))(*chosen)
        images_in_order = None if pixels is None else np.ascontiguousarray(pixels)
        program = _Network(
            ctypes.addressof(tensors),
            len(tensors),
            ctypes.addressof(operations),
            len(operations),
            offset + self._scratch_bytes,
            offset,
            None if images_in_order is None else images_in_order.ctypes.data,
        )
        workers = max(1, min(threads, images))
        arenas = np.empty(workers * program.arena_bytes + _LINE, np.uint8)
        self._run(ctypes.addressof(program), images, _lines(arenas.ctypes.data), workers, self._capability)

    def _framed(self, name: str, batch: Bytes) -> NDArray[np.integer]:
        """(N, H, W, C) with the halo."""
        tensor = self._tensors[self._index[name]]
        shape = (tensor.height + 2 * tensor.halo_y, tensor.width + 2 * tensor.halo_x, tensor.channels)
        codes = batch.view(np.int64) if tensor.wide else batch
        return codes[:, : prod(shape)].reshape(len(batch), *shape)

    def _tensor(self, node: IntegerNode) -> _Tensor:
        grid = self._network.grids[node.name]
        channels, height, width = _map_shape(self._network.shapes[node.name])
        # A max pool looks at no padded tap.
        paddings = [
            _window(reader)[2]
            for reader in self._network.consumers(node.name)
            if sources(reader)[0] == node.name and not isinstance(reader, MaxPool)
        ]
        halo_y, halo_x = (max((padding[axis] for padding in paddings), default=0) for axis in (0, 1))
        wide = _is_wide(node, grid)
        elements = (height + 2 * halo_y) * (width + 2 * halo_x) * channels
        image_bytes = _lines(elements * (8 if wide else 1) + _SLACK)
        return _Tensor(height, width, channels, halo_y, halo_x, wide, grid.zero, image_bytes, 0, None)

    def _address(self, array: NDArray[np.generic]) -> int:
        self._arrays.append(array)
        return array.ctypes.data

    def _operation(self, node: IntegerNode) -> _Operation:
        kind = _kind(self._network, node)
        kernel, stride, padding = _window(node)
        groups = node.groups if isinstance(node, Conv2d) else 1
        read = [self._index[name] for name in sources(node)]
        source, shortcut = (*read, -1, -1)[:2]
        operation = _Operation(kind, source, shortcut, self._index[node.name], *kernel, *stride, *padding, groups)
        if isinstance(node, Input):
            operation.weights = self._address(node.table)
        elif isinstance(node, Conv2d | Linear):
            operation.weights = self._address(_weights(node, kind))
        if isinstance(node, Conv2d | Linear | SumPool) and node.affine is not None:
            self._add_affine(operation, node, node.affine)
        return operation

    def _add_affine(self, operation: _Operation, node: Conv2d | Linear | SumPool, affine: Affine) -> None:
        adder = isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER
        multiplier = -affine.multiplier if adder else affine.multiplier
        constant = affine.constant + affine.rounding
        operation.multiplier, operation.constant = self._address(multiplier), self._address(constant)
        operation.shortcut_multiplier = affine.shortcut_multiplier
        operation.shift = affine.shift
        operation.clamp_max = -1 if affine.clamp_max is None else affine.clamp_max
        # Vectors of 32 bits make bytes where they are proven to hold the sums, and the total with its rounding.
        if (
            operation.kind != _OperationKind.WIDE_DOT
            and not _is_wide(node, node.grid)
            and max(accumulator_bits(self._network, node), affine_bits(self._network, node)) <= _NARROW_BITS
        ):
            groups = 1 if operation.kind == _OperationKind.CHANNELWISE else operation.groups
            operation.narrow_multiplier = self._address(_in_lanes(multiplier, groups))
            operation.narrow_constant = self._address(_in_lanes(constant, groups))

    def _scratch(self, node: IntegerNode) -> int:
        """Bytes that an operation needs for itself: 16-bit codes of a dot layer's map, or the wide sums of a pixel."""
        operation = self._operations[self._index[node.name]]
        if operation.kind == _OperationKind.DOT:
            return _lines(2 * self._tensors[operation.source].image_bytes)
        return _lines(8 * self._tensors[operation.result].channels)
