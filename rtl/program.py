"""From an integer network to what the accelerator runs: descriptors, weight words, affine words and parameters."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from quant.errors import BadInputError
from quant.integer_network import Conv2d, IntegerNetwork, Linear, MaxPool, SumPool
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import DESCRIPTOR_WORDS, Buffer, Descriptor, Flag
from rtl.lowering import Lowered, Lowering, TracedLayer
from rtl.parameters import COUNT_BITS, MAX_INDEX_BITS, MAX_PLANES, address_bits, split_bits, widths
from rtl.weight_words import Codes

__all__ = ["Program", "TracedLayer", "compile_network", "signature"]

_PROGRAM_VERSION = 1
"""Of the encoding of descriptors, weights and affine words."""


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

    @property
    def signature(self) -> int:
        """The sum of each descriptor's words, which a design compares with its own."""
        return signature(self.parameters)


def signature(parameters: Mapping[str, int]) -> int:
    """A number that a program and the design it is made for have in common: CRC-32 of its parameters by name."""
    # What changes no word of a program may differ.
    free = ("TREE_STAGES", "WEIGHT_REGISTER", "MEMORY_STYLE", "COUNTERS", "RUN_AT_RESET")
    text = f"hwadder program {_PROGRAM_VERSION} " + " ".join(
        f"{name}={value}" for name, value in parameters.items() if name not in free
    )
    return zlib.crc32(text.encode())


def _parameters(lowering: Lowering, lowered: list[Lowered], weight_words: int) -> dict[str, int]:
    constants = [constant for entry in lowered for constant in entry.records.constants]
    reserve = lowering.reserve
    splits = any(Flag.SPLIT in entry.descriptor.flags for entry in lowered)
    dot_split = split_bits(lowering.code_bits) if splits or "DOT_SPLIT" in reserve else 0
    needed = {
        "IMAGE_DEPTH": lowering.depths[Buffer.IMAGE],
        "BUFFER_A_DEPTH": lowering.depths[Buffer.A],
        "BUFFER_B_DEPTH": lowering.depths[Buffer.B],
        "WEIGHT_DEPTH": weight_words,
        "AFFINE_DEPTH": sum(len(entry.records.chunks()) for entry in lowered),
        "DESCRIPTOR_DEPTH": (len(lowered) + 1) * DESCRIPTOR_WORDS,
    }
    depths = {name: max(depth, reserve.get(name, 0)) for name, depth in needed.items()}
    activation_rows = max(depths[name] for name in ("IMAGE_DEPTH", "BUFFER_A_DEPTH", "BUFFER_B_DEPTH"))
    return {
        "IN_LANES": lowering.lanes,
        "OUT_LANES": lowering.out_lanes,
        "DRAIN_LANES": lowering.drain_lanes,
        "CROSSINGS": max(*(entry.crossings for entry in lowered), reserve.get("CROSSINGS", 0)),
        "CODE_BITS": lowering.code_bits,
        "MIN_FORM": int(lowering.lane_form is LaneForm.MIN),
        "DOT_SPLIT": dot_split,
        "TREE_STAGES": lowering.tree_stages,
        **widths(lowering.network, lowering.lanes, constants, dot_split, reserve),
        "IMAGE_DEPTH": depths["IMAGE_DEPTH"],
        "BUFFER_A_DEPTH": depths["BUFFER_A_DEPTH"],
        "BUFFER_B_DEPTH": depths["BUFFER_B_DEPTH"],
        "ACTIVATION_ADDRESS_BITS": address_bits(activation_rows),
        "WEIGHT_DEPTH": depths["WEIGHT_DEPTH"],
        "WEIGHT_ADDRESS_BITS": address_bits(depths["WEIGHT_DEPTH"]),
        "AFFINE_DEPTH": depths["AFFINE_DEPTH"],
        "AFFINE_ADDRESS_BITS": address_bits(depths["AFFINE_DEPTH"]),
        "DESCRIPTOR_DEPTH": depths["DESCRIPTOR_DEPTH"],
        "DESCRIPTOR_ADDRESS_BITS": address_bits(depths["DESCRIPTOR_DEPTH"]),
        "WEIGHT_REGISTER": int(lowering.weight_register),
        "MEMORY_STYLE": lowering.memory_style.number,
        "COUNT_BITS": COUNT_BITS,
        "INDEX_BITS": max(1, (depths["DESCRIPTOR_DEPTH"] // DESCRIPTOR_WORDS).bit_length()),
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
    if parameters["INDEX_BITS"] > MAX_INDEX_BITS:
        raise BadInputError(
            f"layers of network {network.name} must be fewer than {2**MAX_INDEX_BITS}, not {len(lowered)}"
        )
    parameters |= {"COUNTERS": architecture.counters.level, "RUN_AT_RESET": int(architecture.run_at_reset)}
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
