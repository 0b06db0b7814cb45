"""From an integer network to what the accelerator runs: descriptors, weight words, affine records and parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quant.errors import BadInputError
from quant.float_network import Kind, Shape
from quant.integer_network import Affine, Argmax, Conv2d, Flatten, IntegerNetwork, IntegerNode, Linear, MaxPool, SumPool
from quant.signed_digits import signed_digits
from quant.widths import accumulator_range, affine_range, signed_bits
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import DESCRIPTOR_WORDS, Descriptor, Flag
from rtl.placement import Layout, allocate, layout, output_node, stored_name

Codes = NDArray[np.uint8]
Weights = NDArray[np.int64]

COUNT_BITS = 16
MAX_PLANES = 8
MAX_DIGITS = 9
DIGIT_BITS = 7
_MAX_EXPONENT = 31
_STREAM_BITS = 32


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
class Program:
    """All that the generator prints.

    Attributes:
        descriptors: in the order of execution; the first loads the image.
        layers: what each other descriptor produces.
        weights: (words, out_lanes * in_lanes) codes.
        affine: one word per channel and descriptor: multiplier digits above the constant.
        parameters: integer parameters of rtl/library/accelerator.v.
    """

    descriptors: tuple[Descriptor, ...]
    layers: tuple[TracedLayer, ...]
    weights: Codes
    affine: tuple[int, ...]
    parameters: dict[str, int]


def encode_digits(multiplier: int, digits: int, what: str) -> int:
    """Signed digits as the requantizer reads them: {nonzero, negative, exponent[4:0]} each, the first lowest."""
    found = signed_digits(multiplier)
    if len(found) > digits or any(exponent > _MAX_EXPONENT for _, exponent in found):
        raise BadInputError(
            f"multiplier of {what} must have at most {digits} signed digits of at most 2**{_MAX_EXPONENT}, "
            f"not be {multiplier}"
        )
    word = 0
    for position, (sign, exponent) in enumerate(found):
        word |= (1 << 6 | (sign < 0) << 5 | exponent) << DIGIT_BITS * position
    return word


def _code_bits(network: IntegerNetwork) -> int:
    """Width of the lanes: the widest code that an adder layer, a pool or a shortcut reads; dot layers read planes."""
    widths = [2]
    for node in network:
        if isinstance(node, MaxPool | SumPool) or (isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER):
            widths.append(network.grids[node.source].bits)
        shortcut = getattr(node, "shortcut", None)
        if shortcut is not None:
            widths.append(network.grids[shortcut].bits)
    return max(widths)


def _digits(network: IntegerNetwork) -> int:
    """Signed digits of the requantizer: as many as the multiplier that needs most, as far as it may have them."""
    most = 1
    for node in network:
        affine: Affine | None = getattr(node, "affine", None)
        if affine is not None:
            for multiplier in (*affine.multiplier.tolist(), affine.shortcut_multiplier):
                most = max(most, len(signed_digits(multiplier)))
    return min(most, MAX_DIGITS)


def _acc_range(network: IntegerNetwork, node: IntegerNode) -> tuple[int, int]:
    """Range of the accelerator's sums; an adder layer's cover both lane forms and any weights of its tap count."""
    top = network.grids[node.source].top  # type: ignore[union-attr]
    if isinstance(node, MaxPool):
        return 0, top
    assert isinstance(node, Conv2d | Linear | SumPool)
    if isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER:
        reach = top * int(np.prod(node.weight.shape[1:]))
        return -reach, reach
    low, high = accumulator_range(network, node)
    return int(low.min()), int(high.max())


def _weight_words(weight: Weights, planes: int, digit_words: int, first_lane: int, hardware: _Hardware) -> Codes:
    """Weight words of a descriptor in the walk's order: filter group, digit word, row, column, plane, channel word.

    Args:
        weight: (F, C, KH, KW), signed for dot layers.
        planes: planes of the source; a weight counts 2**code_bits times as much on each further one.
        digit_words: groups of `code_bits` weight bits, the highest first.
        first_lane: lane of the slice's first channel.
        hardware: lanes and code width.
    """
    filters, channels, height, width = weight.shape
    in_lanes, out_lanes, bits = hardware.in_lanes, hardware.out_lanes, hardware.code_bits
    groups = -(-filters // out_lanes)
    words = -(-(first_lane + channels) // in_lanes)
    full = np.zeros((groups * out_lanes, words * in_lanes, height, width), np.int64)
    full[:filters, first_lane : first_lane + channels] = weight
    shape = (groups, out_lanes, words, in_lanes, height, width)
    result = np.empty((groups, digit_words, height, width, planes, words, out_lanes, in_lanes), np.uint8)
    for plane in range(planes):
        for digit in range(digit_words):
            codes = ((full << bits * plane) >> bits * (digit_words - 1 - digit)) & (2**bits - 1)
            result[:, digit, :, :, plane] = codes.reshape(shape).transpose(0, 4, 5, 2, 1, 3)
    return result.reshape(-1, out_lanes * in_lanes)


@dataclass(frozen=True, slots=True)
class _Hardware:
    """Lanes and widths that lowering needs to know."""

    in_lanes: int
    out_lanes: int
    code_bits: int
    digits: int
    const_bits: int
    lane_form: LaneForm


@dataclass(frozen=True, slots=True, eq=False)
class _Lowered:
    """One descriptor with its memory contents, addresses of those still missing."""

    descriptor: Descriptor
    layer: TracedLayer
    weights: Codes
    multipliers: tuple[int, ...]
    constants: tuple[int, ...]


def _map_shape(shape: Shape) -> tuple[int, int, int]:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)


class _Lowering:
    """One compilation: the network, where its tensors lie, and the hardware it runs on."""

    def __init__(self, network: IntegerNetwork, architecture: Architecture) -> None:
        self.network = network
        self.output = output_node(network)
        self.hardware = _Hardware(
            architecture.in_lanes,
            architecture.out_lanes,
            _code_bits(network),
            _digits(network),
            0,
            architecture.lane_form,
        )
        self.layouts: dict[str, Layout] = {
            node.name: layout(
                network.shapes[node.name], network.grids[node.name].bits, architecture.in_lanes, self.hardware.code_bits
            )
            for node in network
            if not isinstance(node, Flatten | Argmax) and node.name != self.output
        }
        self.bases, self.depth = allocate(network, self.layouts)

    def load(self) -> Descriptor:
        """The descriptor that takes an image in."""
        name = self.network.input.name
        place = self.layouts[name]
        return Descriptor(
            flags=Flag.LOAD,
            out_channels=place.channels,
            target_base=self.bases[name],
            target=place.planes << 28,
            target_pixel_step=place.pixel_step,
            target_plane_step=place.plane_step,
            length=place.channels * place.height * place.width,
        )

    def lower(self, node: Conv2d | Linear | MaxPool | SumPool) -> list[_Lowered]:
        """The descriptors of a node: one, or one for each group of a grouped layer."""
        if isinstance(node, Linear):
            channels, height, width = _map_shape(self.network.shapes[stored_name(self.network, node.source)])
            weight = node.weight.reshape(-1, channels, height, width)
            return [self._taps(node, weight, (1, 1), (0, 0), 0)]
        if isinstance(node, Conv2d):
            return [
                self._taps(
                    node,
                    np.split(node.weight, node.groups)[group],
                    node.stride,
                    node.padding,
                    group,
                )
                for group in range(node.groups)
            ]
        return [self._pool(node)]

    def _window(
        self, source: str, kernel: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int], first_word: int
    ) -> Descriptor:
        name = stored_name(self.network, source)
        place = self.layouts[name]
        origin = self.bases[name] + first_word - padding[0] * place.row_step - padding[1] * place.pixel_step
        return Descriptor(
            flags=Flag(0),
            source_origin=origin,
            source_height=place.height,
            source_width=place.width,
            source_planes=place.planes,
            plane_step=place.plane_step,
            pixel_step=place.pixel_step,
            row_step=place.row_step,
            pad_value=self.network.grids[name].zero,
            kernel_height=kernel[0],
            kernel_width=kernel[1],
            stride_y=stride[0],
            stride_x=stride[1],
            pad_y=padding[0],
            pad_x=padding[1],
            window_row_step=stride[0] * place.row_step,
            window_column_step=stride[1] * place.pixel_step,
        )

    def _target(self, node: IntegerNode, descriptor: Descriptor, first_channel: int, channels: int) -> Descriptor:
        """Add what becomes of the results."""
        shape = _map_shape(self.network.shapes[node.name])
        word, lane = divmod(first_channel, self.hardware.in_lanes)
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
            target=lane | 1 << 28,
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
            digits = encode_digits(affine.shortcut_multiplier, self.hardware.digits, f"the shortcut of {node.name}")
            descriptor = replace(
                descriptor,
                shortcut_base=self.bases[name] + word,
                shortcut_pixel_step=place.pixel_step,
                shortcut_digits_low=digits & 0xFFFFFFFF,
                shortcut_digits_high=digits >> 32,
            )
        if node.name == self.output:
            # The first group opens the stream for all of them.
            length = 0 if first_channel else int(np.prod(shape))
            return replace(descriptor, flags=flags | Flag.TO_STREAM, length=length)
        place = self.layouts[node.name]
        return replace(
            descriptor,
            flags=flags,
            target_base=self.bases[node.name] + word,
            target=lane | place.planes << 28,
            target_pixel_step=place.pixel_step,
            target_plane_step=place.plane_step,
        )

    def _taps(
        self,
        node: Conv2d | Linear,
        weight: Weights,
        stride: tuple[int, int],
        padding: tuple[int, int],
        group: int,
    ) -> _Lowered:
        filters, channels, kernel_height, kernel_width = weight.shape
        source = stored_name(self.network, node.source)
        planes = self.layouts[source].planes
        first_word, first_lane = divmod(group * channels, self.hardware.in_lanes)
        words = -(-(first_lane + channels) // self.hardware.in_lanes)
        descriptor = replace(
            self._window(node.source, (kernel_height, kernel_width), stride, padding, first_word),
            source_words=words,
            lanes=first_lane | (first_lane + channels - 1) % self.hardware.in_lanes << 16,
        )
        if node.kind is Kind.DOT:
            width = node.weight_bits + self.hardware.code_bits * (planes - 1)
            digit_words = -(-width // self.hardware.code_bits)
            descriptor = replace(
                descriptor,
                flags=Flag.DOT,
                digit_words=digit_words,
                top_bit=width - 1 - self.hardware.code_bits * (digit_words - 1),
            )
        else:
            digit_words = 1
        first = group * filters
        descriptor = self._target(node, descriptor, first, filters)
        affine = node.affine
        multipliers = affine.multiplier[first : first + filters]
        constants = affine.constant[first : first + filters]
        if node.kind is Kind.ADDER and self.hardware.lane_form is LaneForm.MIN:
            # These lanes deliver -sum |x - w| + sum w.
            constants = constants - multipliers * weight.reshape(filters, -1).sum(axis=1)
        return _Lowered(
            descriptor,
            TracedLayer(0, node.name, first, filters, descriptor.out_height, descriptor.out_width),
            _weight_words(weight, planes, digit_words, first_lane, self.hardware),
            tuple(encode_digits(int(value), self.hardware.digits, node.name) for value in multipliers),
            tuple(int(value) for value in constants),
        )

    def _pool(self, node: MaxPool | SumPool) -> _Lowered:
        shape = _map_shape(self.network.shapes[node.name])
        source = stored_name(self.network, node.source)
        if _map_shape(self.network.shapes[source])[0] != shape[0]:
            raise BadInputError(
                f"source of {node.name} must be a map or a vector of one pixel, not a flattened map of shape "
                f"{self.network.shapes[source]}"
            )
        descriptor = replace(
            self._window(node.source, node.kernel, node.stride, node.padding, 0),
            flags=Flag.POOL | (Flag.POOL_SUM if isinstance(node, SumPool) else Flag(0)),
            source_words=1,
            lanes=(self.hardware.in_lanes - 1) << 16,
        )
        if isinstance(node, MaxPool):
            # Code 0 never wins over a code inside the map.
            descriptor = replace(descriptor, pad_value=0)
        descriptor = self._target(node, descriptor, 0, shape[0])
        affine: Affine | None = getattr(node, "affine", None)
        layer = TracedLayer(0, node.name, 0, *shape)
        nothing = np.zeros((0, self.hardware.out_lanes * self.hardware.in_lanes), np.uint8)
        if affine is None:
            one = encode_digits(1, self.hardware.digits, node.name)
            return _Lowered(descriptor, layer, nothing, (one,) * shape[0], (0,) * shape[0])
        digits = tuple(encode_digits(int(value), self.hardware.digits, node.name) for value in affine.multiplier)
        return _Lowered(descriptor, layer, nothing, digits, tuple(affine.constant.tolist()))


def _address_bits(depth: int) -> int:
    return max(1, (depth - 1).bit_length())


def _parameters(lowering: _Lowering, lowered: list[_Lowered], weight_words: int) -> dict[str, int]:
    network, hardware = lowering.network, lowering.hardware
    nodes = network.layers
    ends = [_acc_range(network, node) for node in nodes]
    acc_bits = max(signed_bits(low, high) for low, high in ends)
    lane_sum_bits = hardware.code_bits + max(1, (hardware.in_lanes - 1).bit_length()) + 1
    acc_bits = max(acc_bits, lane_sum_bits)
    constants = [constant for entry in lowered for constant in entry.constants]
    const_bits = max(2, signed_bits(min(constants), max(constants)))
    input_bits = -(-network.input.grid.bits // 8) * 8
    out_bits = input_bits + 1
    affine_bits = max(acc_bits, const_bits)
    for node in nodes:
        grid = network.grids[node.name]
        out_bits = max(out_bits, grid.bits if grid.signed else grid.bits + 1)
        if isinstance(node, Conv2d | Linear | SumPool) and node.affine is not None:
            affine_bits = max(affine_bits, signed_bits(*affine_range(network, node)), node.affine.shift + 1)
    affine_bits = max(affine_bits, out_bits + 1, hardware.code_bits + 1)
    if out_bits > _STREAM_BITS:
        raise BadInputError(f"results of network {network.name} must fit {_STREAM_BITS} bits, not need {out_bits}")
    descriptors = len(lowered) + 1
    channels = len(constants)
    return {
        "IN_LANES": hardware.in_lanes,
        "OUT_LANES": hardware.out_lanes,
        "CODE_BITS": hardware.code_bits,
        "MIN_FORM": int(hardware.lane_form is LaneForm.MIN),
        "ACC_BITS": acc_bits,
        "DIGITS": hardware.digits,
        "CONST_BITS": const_bits,
        "AFFINE_BITS": affine_bits,
        "OUT_BITS": out_bits,
        "INPUT_BITS": input_bits,
        "OUTPUT_BITS": _STREAM_BITS,
        "ACTIVATION_DEPTH": lowering.depth,
        "ACTIVATION_ADDRESS_BITS": _address_bits(lowering.depth),
        "WEIGHT_DEPTH": weight_words,
        "WEIGHT_ADDRESS_BITS": _address_bits(weight_words),
        "AFFINE_DEPTH": channels,
        "AFFINE_ADDRESS_BITS": _address_bits(channels),
        "DESCRIPTOR_DEPTH": descriptors * DESCRIPTOR_WORDS,
        "DESCRIPTOR_ADDRESS_BITS": _address_bits(descriptors * DESCRIPTOR_WORDS),
        "COUNT_BITS": COUNT_BITS,
        "INDEX_BITS": max(1, descriptors.bit_length()),
    }


def _check_counts(descriptor: Descriptor, node: str) -> None:
    counts = ("source_height", "source_width", "source_words", "out_height", "out_width", "out_channels", "digit_words")
    for name in counts:
        value = getattr(descriptor, name)
        if value >= 2**COUNT_BITS:
            raise BadInputError(f"{name.replace('_', ' ')} of {node} must be below {2**COUNT_BITS}, not {value}")
    planes = descriptor.target >> 28
    if planes > MAX_PLANES:
        raise BadInputError(f"planes of {node} must be at most {MAX_PLANES}, not {planes}")
    if Flag.TO_STREAM in descriptor.flags and descriptor.length >= 2**COUNT_BITS:
        raise BadInputError(f"output values of {node} must be fewer than {2**COUNT_BITS}, not {descriptor.length}")


def compile_network(network: IntegerNetwork, architecture: Architecture) -> Program:
    """Lower an integer network to a program for one architecture.

    Raises:
        BadInputError: when the network exceeds what the descriptor's fields can say, or its multipliers their digits.
    """
    lowering = _Lowering(network, architecture)
    lowered: list[_Lowered] = []
    for node in network.layers:
        assert isinstance(node, Conv2d | Linear | MaxPool | SumPool)
        lowered += lowering.lower(node)
    weights = [entry.weights for entry in lowered if len(entry.weights)]
    # A network of pools alone has no weights, a memory has at least one word.
    all_weights = (
        np.concatenate(weights) if weights else np.zeros((1, architecture.in_lanes * architecture.out_lanes), np.uint8)
    )
    parameters = _parameters(lowering, lowered, len(all_weights))
    const_bits = parameters["CONST_BITS"]
    descriptors = [lowering.load()]
    _check_counts(descriptors[0], network.input.name)
    layers = []
    affine: list[int] = []
    weight_base = 0
    for index, entry in enumerate(lowered, start=1):
        _check_counts(entry.descriptor, entry.layer.node)
        flags = entry.descriptor.flags | (Flag.LAST if index == len(lowered) else Flag(0))
        descriptors.append(replace(entry.descriptor, flags=flags, weight_base=weight_base, affine_base=len(affine)))
        layers.append(replace(entry.layer, index=index))
        weight_base += len(entry.weights)
        affine += [
            digits << const_bits | constant & (2**const_bits - 1)
            for digits, constant in zip(entry.multipliers, entry.constants, strict=True)
        ]
    return Program(tuple(descriptors), tuple(layers), all_weights, tuple(affine), parameters)
