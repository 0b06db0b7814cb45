"""From an integer network to what the accelerator runs: descriptors, weight words, affine words and parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from quant.errors import BadInputError
from quant.integer_network import Conv2d, IntegerNetwork, Linear, MaxPool, SumPool
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import DESCRIPTOR_WORDS, Buffer, Descriptor, Flag
from rtl.lowering import Lowered, Lowering, TracedLayer
from rtl.parameters import COUNT_BITS, MAX_PLANES, address_bits, split_bits, widths
from rtl.weight_words import Codes

__all__ = ["Program", "TracedLayer", "compile_network"]


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """All that the generator prints.

    Attributes:
        descriptors: in the order of execution; the first tells where images go.
        layers: what each other descriptor produces.
        weights: (words, out_lanes * in_lanes) codes.
        affine: words of the affine memory.
        parameters: integer parameters of rtl/library/accelerator.v.
    """

    descriptors: tuple[Descriptor, ...]
    layers: tuple[TracedLayer, ...]
    weights: Codes
    affine: tuple[int, ...]
    parameters: dict[str, int]


def _parameters(lowering: Lowering, lowered: list[Lowered], weight_words: int) -> dict[str, int]:
    constants = [constant for entry in lowered for constant in entry.records.constants]
    affine_words = sum(len(entry.records.chunks()) for entry in lowered)
    descriptors = len(lowered) + 1
    splits = any(Flag.SPLIT in entry.descriptor.flags for entry in lowered)
    dot_split = split_bits(lowering.code_bits) if splits else 0
    return {
        "IN_LANES": lowering.lanes,
        "OUT_LANES": lowering.out_lanes,
        "DRAIN_LANES": lowering.drain_lanes,
        "CROSSINGS": max(entry.crossings for entry in lowered),
        "CODE_BITS": lowering.code_bits,
        "MIN_FORM": int(lowering.lane_form is LaneForm.MIN),
        "DOT_SPLIT": dot_split,
        **widths(lowering.network, lowering.lanes, constants, dot_split),
        "IMAGE_DEPTH": lowering.depths[Buffer.IMAGE],
        "BUFFER_A_DEPTH": lowering.depths[Buffer.A],
        "BUFFER_B_DEPTH": lowering.depths[Buffer.B],
        "ACTIVATION_ADDRESS_BITS": address_bits(max(lowering.depths.values())),
        "WEIGHT_DEPTH": weight_words,
        "WEIGHT_ADDRESS_BITS": address_bits(weight_words),
        "AFFINE_DEPTH": affine_words,
        "AFFINE_ADDRESS_BITS": address_bits(affine_words),
        "DESCRIPTOR_DEPTH": descriptors * DESCRIPTOR_WORDS,
        "DESCRIPTOR_ADDRESS_BITS": address_bits(descriptors * DESCRIPTOR_WORDS),
        "COUNT_BITS": COUNT_BITS,
        "INDEX_BITS": max(1, descriptors.bit_length()),
    }


def _check_counts(descriptor: Descriptor, node: str) -> None:
    counts = (
        "source_height",
        "line_codes",
        "kernel_codes",
        "segment_codes",
        "column_codes",
        "out_height",
        "out_width",
        "out_channels",
        "digit_words",
    )
    for name in counts:
        value = getattr(descriptor, name)
        if value >= 2**COUNT_BITS:
            raise BadInputError(f"{name.replace('_', ' ')} of {node} must be below {2**COUNT_BITS}, not {value}")
    planes = descriptor.target_planes
    if planes > MAX_PLANES:
        raise BadInputError(f"planes of {node} must be at most {MAX_PLANES}, not {planes}")
    if Flag.TO_STREAM in descriptor.flags and descriptor.length >= 2**COUNT_BITS:
        raise BadInputError(f"output values of {node} must be fewer than {2**COUNT_BITS}, not {descriptor.length}")


def compile_network(network: IntegerNetwork, architecture: Architecture) -> Program:
    """Lower an integer network to a program for one architecture.

    Raises:
        BadInputError: when the network exceeds what the descriptor's fields can say, or its multipliers their digits.
    """
    lowering = Lowering(network, architecture)
    lowered: list[Lowered] = []
    for node in network.layers:
        assert isinstance(node, Conv2d | Linear | MaxPool | SumPool)
        lowered += lowering.lower(node)
    weights = [entry.weights for entry in lowered if len(entry.weights)]
    # A network of pools alone has no weights, a memory has at least one word.
    all_weights = (
        np.concatenate(weights) if weights else np.zeros((1, architecture.in_lanes * architecture.out_lanes), np.uint8)
    )
    parameters = _parameters(lowering, lowered, len(all_weights))
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
        affine += entry.records.words(parameters["DIGITS"], parameters["CONST_BITS"])
    return Program(tuple(descriptors), tuple(layers), all_weights, tuple(affine), parameters)
