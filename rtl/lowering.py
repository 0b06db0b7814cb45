"""From nodes of an integer network to descriptors with their memory contents."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quant.errors import BadInputError
from quant.float_network import Kind, Shape
from quant.integer_network import Affine, Argmax, Conv2d, Flatten, IntegerNetwork, IntegerNode, Linear, MaxPool, SumPool
from rtl.affine_words import Records, encode_digits
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import Buffer, Descriptor, Flag, Place, place_of
from rtl.parameters import code_bits, digits, split_bits
from rtl.placement import (
    MAX_CROSSINGS,
    Layout,
    allocate,
    choose_buffers,
    crossings,
    layout,
    output_node,
    skewed,
    stored_name,
    window_codes,
)
from rtl.weight_words import Codes, Weights, split_weights, weight_words, window_words


@dataclass(frozen=True, slots=True)
class TracedLayer:
    """What the values mean that the accelerator's trace port shows while a descriptor runs.

    They come row by row, pixel by pixel, channel by channel of the slice [first_channel, first_channel + channels).
    """

    index: int
    node: str
    first_channel: int
    channels: int
    height: int
    width: int


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """One descriptor with its memory contents, their addresses still missing."""

    descriptor: Descriptor
    layer: TracedLayer
    weights: Codes
    records: Records
    crossings: int


def _map_shape(shape: Shape) -> tuple[int, int, int]:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


class Lowering:
    """One compilation: the network, where its tensors lie, and the hardware it runs on."""

    def __init__(self, network: IntegerNetwork, architecture: Architecture) -> None:
        self.network = network
        self.output = output_node(network)
        self.lanes = architecture.in_lanes
        self.out_lanes = architecture.out_lanes
        self.pool_lanes = min(self.lanes, self.out_lanes)
        self.drain_lanes = architecture.results_a_clock
        self.lane_form = architecture.lane_form
        self.reserve = architecture.reserve
        self.split_dots = architecture.split_dots
        self.code_bits = max(code_bits(network), self.reserve.get("CODE_BITS", 0))
        self.digits = max(digits(network), self.reserve.get("DIGITS", 0))
        self.tree_stages = architecture.tree_stages
        self.memory_style = architecture.memory_style
        self.weight_register = architecture.weight_register
        self.layouts: dict[str, Layout] = {}
        for node in network:
            if not isinstance(node, Flatten | Argmax) and node.name != self.output:
                dense = layout(network.shapes[node.name], network.grids[node.name].bits, self.lanes, self.code_bits)
                self.layouts[node.name] = skewed(network, node.name, dense)
        self.buffers = choose_buffers(network, list(self.layouts))
        self.bases, self.depths = allocate(network, self.layouts, self.buffers)

    def load(self) -> Descriptor:
        """Descriptor 0: where images go."""
        name = self.network.input.name
        place = self.layouts[name]
        return Descriptor(
            flags=Flag(0),
            out_channels=place.width * place.channels,
            target_line_step=place_of(place.line_codes, self.lanes),
            target_planes=place.planes,
            target_plane_rows=place.plane_rows,
            load_length=place.channels * place.height * place.width,
        )

    def lower(self, node: Conv2d | Linear | MaxPool | SumPool) -> list[Lowered]:
        """The descriptors of a node: one, or one for each group of a grouped layer."""
        if isinstance(node, MaxPool | SumPool):
            return [self._pool(node)]
        if isinstance(node, Linear):
            channels, height, width = _map_shape(self.network.shapes[stored_name(self.network, node.source)])
            return [self._taps(node, node.weight.reshape(-1, channels, height, width), (1, 1), (0, 0), 0)]
        groups = enumerate(np.split(node.weight, node.groups))
        return [self._taps(node, weight, node.stride, node.padding, group) for group, weight in groups]

    def _origin(self, name: str, codes: int) -> Place:
        """The place of a tensor's code number `codes`."""
        row, bank = divmod(codes, self.lanes)
        return Place(self.bases[name] + row, bank)

    def _window(
        self, source: str, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], first_code: int
    ) -> Descriptor:
        name = stored_name(self.network, source)
        place = self.layouts[name]
        corner = first_code - padding[0] * place.line_codes - padding[1] * place.channels
        return Descriptor(
            flags=Flag(0),
            source_origin=self._origin(name, corner),
            source_height=place.height,
            line_codes=place.width * place.channels,
            source_planes=place.planes,
            plane_rows=place.plane_rows,
            line_step=place_of(place.line_codes, self.lanes),
            pad_value=self.network.grids[name].zero,
            kernel_height=kernel[0],
            kernel_codes=kernel[1] * place.channels,
            first_code=first_code,
            stride_y=stride[0],
            pad_y=padding[0],
            column_codes=stride[1] * place.channels,
            pad_codes=padding[1] * place.channels,
            window_column_step=place_of(stride[1] * place.channels, self.lanes),
            window_line_step=place_of(stride[0] * place.line_codes, self.lanes),
            buffers=int(self.buffers[name]),
        )

    def _taps(
        self, node: Conv2d | Linear, weight: Weights, stride: tuple[int, int], padding: tuple[int, int], group: int
    ) -> Lowered:
        filters, channels, *kernel = weight.shape
        source = stored_name(self.network, node.source)
        place = self.layouts[source]
        descriptor = self._window(node.source, (kernel[0], kernel[1]), stride, padding, group * channels)
        whole = channels == place.channels
        lines, codes = window_codes(node, place) if whole else (kernel[0], channels)
        apart, rest = divmod(place.line_codes - codes, self.lanes)
        inside = crossings(lines, codes, self.lanes)
        if whole and (lines == 1 or (rest == 0 and inside <= MAX_CROSSINGS)):
            segments = 1
            descriptor = replace(
                descriptor, flags=Flag.SPAN, segment_codes=lines * codes, crossing_rows=apart if lines > 1 else 0
            )
        else:
            inside, segments = 0, 1 if whole else kernel[1]
            descriptor = replace(
                descriptor,
                segments=segments,
                segment_codes=codes,
                segment_step=place_of(place.channels, self.lanes),
                segment_step_codes=place.channels,
            )
        digit_words = 1
        half_bits = split_bits(self.code_bits)
        if node.kind is Kind.DOT and self._splits(node, descriptor, half_bits):
            descriptor = replace(descriptor, flags=descriptor.flags | Flag.DOT | Flag.SPLIT, top_bit=half_bits - 1)
        elif node.kind is Kind.DOT:
            width = node.weight_bits + self.code_bits * (place.planes - 1)
            digit_words = -(-width // self.code_bits)
            descriptor = replace(
                descriptor,
                flags=descriptor.flags | Flag.DOT,
                digit_words=digit_words,
                top_bit=width - 1 - self.code_bits * (digit_words - 1),
            )
        first = group * filters
        descriptor = self._target(node, descriptor, first, filters, self.out_lanes)
        multipliers = node.affine.multiplier[first : first + filters]
        constants = node.affine.constant[first : first + filters]
        if node.kind is Kind.ADDER and self.lane_form is LaneForm.MIN:
            # These lanes deliver -sum |x - w| + sum w.
            constants = constants - multipliers * weight.reshape(filters, -1).sum(axis=1)
        if Flag.SPLIT in descriptor.flags:
            weight = split_weights(weight, self.lanes // 2, half_bits)
        words = window_words(weight, self.lanes, span=Flag.SPAN in descriptor.flags, segments=segments)
        return Lowered(
            descriptor,
            TracedLayer(0, node.name, first, filters, descriptor.out_height, descriptor.out_width),
            weight_words(words, place.planes, digit_words, self.out_lanes, self.code_bits),
            self._records(node.name, descriptor, multipliers.tolist(), constants.tolist(), self.out_lanes),
            inside if Flag.SPAN in descriptor.flags else 0,
        )

    def _splits(self, node: Conv2d | Linear, descriptor: Descriptor, half_bits: int) -> bool:
        """Whether a dot layer's window is so small that the lanes can hold it twice, with half the weight bits each."""
        return (
            self.split_dots
            and Flag.SPAN in descriptor.flags
            and descriptor.source_planes == 1
            and 2 * descriptor.segment_codes <= self.lanes - self.lanes % 2
            and node.weight_bits <= 2 * half_bits
        )

    def _pool(self, node: MaxPool | SumPool) -> Lowered:
        shape = _map_shape(self.network.shapes[node.name])
        source = stored_name(self.network, node.source)
        place = self.layouts[source]
        if place.channels != shape[0]:
            raise BadInputError(
                f"source of {node.name} must be a map or a vector of one pixel, not a flattened map of shape "
                f"{self.network.shapes[source]}"
            )
        descriptor = replace(
            self._window(node.source, node.kernel, node.stride, node.padding, 0),
            flags=Flag.POOL | (Flag.POOL_SUM if isinstance(node, SumPool) else Flag(0)),
            segments=node.kernel[1],
            segment_step=place_of(place.channels, self.lanes),
            segment_step_codes=place.channels,
        )
        if isinstance(node, MaxPool):
            # Code 0 never wins over a code inside the map.
            descriptor = replace(descriptor, pad_value=0)
        descriptor = self._target(node, descriptor, 0, shape[0], self.pool_lanes)
        affine: Affine | None = getattr(node, "affine", None)
        multipliers = [1] * shape[0] if affine is None else affine.multiplier.tolist()
        constants = [0] * shape[0] if affine is None else affine.constant.tolist()
        return Lowered(
            descriptor,
            TracedLayer(0, node.name, 0, *shape),
            np.zeros((0, self.out_lanes * self.lanes), np.uint8),
            self._records(node.name, descriptor, multipliers, constants, self.pool_lanes),
            0,
        )

    def _records(
        self, name: str, descriptor: Descriptor, multipliers: list[int], constants: list[int], group: int
    ) -> Records:
        encoded = tuple(encode_digits(multiplier, self.digits, name) for multiplier in multipliers)
        values = 1 if Flag.TO_STREAM in descriptor.flags else self.drain_lanes
        return Records(encoded, tuple(constants), group, values)

    def _target(
        self, node: IntegerNode, descriptor: Descriptor, first_channel: int, channels: int, group: int
    ) -> Descriptor:
        """Add what becomes of the results."""
        shape = _map_shape(self.network.shapes[node.name])
        affine: Affine | None = getattr(node, "affine", None)
        grid = self.network.grids[node.name]
        flags = descriptor.flags
        if affine is None or affine.clamp_max is not None:
            flags |= Flag.CLAMP
        descriptor = replace(
            descriptor,
            out_height=shape[1],
            out_width=shape[2],
            out_channels=channels,
            shift=0 if affine is None else affine.shift,
            clamp_max=max(grid.top, 0) if flags & Flag.CLAMP else 0,
        )
        shortcut: str | None = getattr(node, "shortcut", None)
        if shortcut is not None:
            assert affine is not None
            name = stored_name(self.network, shortcut)
            place = self.layouts[name]
            if (place.channels, place.height, place.width) != shape:
                raise BadInputError(
                    f"shortcut of {node.name} must lie as its output does, not as a flattened map of shape "
                    f"{self.network.shapes[name]}"
                )
            flags |= Flag.SHORTCUT
            word = encode_digits(affine.shortcut_multiplier, self.digits, f"the shortcut of {node.name}")
            buffer = self.buffers[name]
            if buffer == descriptor.buffers:
                flags |= Flag.SERIAL
            descriptor = replace(
                descriptor,
                shortcut_origin=self._origin(name, first_channel),
                shortcut_pixel_step=place_of(place.channels, self.lanes),
                shortcut_line_step=place_of(place.line_codes, self.lanes),
                shortcut_digits_low=word & 0xFFFFFFFF,
                shortcut_digits_high=word >> 32,
                buffers=descriptor.buffers | buffer << 2,
            )
        if node.name == self.output:
            # The first group opens the stream for all of them.
            length = 0 if first_channel else int(np.prod(shape))
            return replace(descriptor, flags=flags | Flag.TO_STREAM | Flag.SERIAL, length=length)
        place = self.layouts[node.name]
        return replace(
            descriptor,
            flags=flags,
            target_origin=self._origin(node.name, first_channel),
            target_pixel_step=place_of(place.channels, self.lanes),
            target_line_step=place_of(place.line_codes, self.lanes),
            target_planes=place.planes,
            target_plane_rows=place.plane_rows,
            drain_clocks=-(-min(group, channels) // self.drain_lanes) * place.planes,
            buffers=descriptor.buffers | (self.buffers[node.name] is Buffer.B) << 4,
        )
