"""From a program of the accelerator and its counters to the plain counts that the energy report prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from energy.accelerator import (
    AcceleratorCounts,
    AcceleratorLayer,
    Lanes,
    Memory,
    Traffic,
    Work,
    tap_operations,
)
from energy.counts import Operation, OperationCount, Role, Workload, count_integer
from energy.memory import Level
from hwadder.lane_registers import lane_registers
from quant.float_network import Kind
from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture, Counters
from rtl.counters import predict_counters
from rtl.descriptor import DESCRIPTOR_WORDS, Buffer, Descriptor, Flag
from rtl.driver import LayerCounts
from rtl.program import Program, compile_network

_PIXEL_BITS = 8
_RESULT_BITS = 32
"""Of a value in the output stream."""
_DRAM = Memory("DRAM", Level.DRAM, 0, 64)


def count_accelerator(network: IntegerNetwork, architecture: Architecture) -> AcceleratorCounts:
    """Counts of one image from the descriptors alone, so without effective taps."""
    program = compile_network(network, replace(architecture, counters=Counters.NONE))
    counts = predict_counters(program, network, {})
    return accelerator_counts(network, program, counts, [0] * len(counts), images=0)


def accelerator_counts(
    network: IntegerNetwork,
    program: Program,
    counts: Sequence[LayerCounts],
    active_taps: Sequence[int],
    images: int,
) -> AcceleratorCounts:
    """Plain counts of one image.

    Args:
        network: that the program runs.
        program: with the accelerator's parameters.
        counts: of each layer of the program, a sum over `images`; where `images` is 0, of one without effective taps.
        active_taps: of each layer, those of an adder layer with an activation other than 0, a sum over `images`.
        images: whose effective taps `counts` holds.
    """
    mapping = _Mapping(program, count_integer(network))
    nodes: dict[str, AcceleratorLayer] = {}
    rows = zip(program.descriptors[1:], program.layers, counts, active_taps, strict=True)
    for descriptor, traced, count, active in rows:
        layer = mapping.layer(traced.node, descriptor, count, active, images)
        # A grouped layer is a descriptor for each of its groups.
        nodes[traced.node] = _merged(nodes[traced.node], layer) if traced.node in nodes else layer
    layers = [mapping.loading_of_image(network.input.name), *map(mapping.with_others, nodes.values())]
    layers += [
        AcceleratorLayer(layer.name, None, {lanes: Work(others=layer.others) for lanes in Lanes})
        for layer in mapping.workload.layers
        if layer.name not in nodes
    ]
    lanes = "{IN_LANES} x {OUT_LANES} lanes of {CODE_BITS} bits".format(**program.parameters)
    return AcceleratorCounts(
        lanes,
        images,
        mapping.memories,
        tuple(layers),
        mapping.loading_of_program,
        takes_minima=bool(program.parameters["MIN_FORM"]),
    )


class _Mapping:
    """Which memory each counter of a program speaks of."""

    def __init__(self, program: Program, workload: Workload) -> None:
        self.program, self.workload = program, workload
        self.parameters = parameters = program.parameters
        lanes, bits = parameters["IN_LANES"], parameters["CODE_BITS"]
        self.word_bits = lanes * bits
        self.weight_bits = parameters["OUT_LANES"] * self.word_bits
        self.affine_bits = parameters["DRAIN_LANES"] * (7 * parameters["DIGITS"] + parameters["CONST_BITS"])
        self.buffers = {
            Buffer.IMAGE: Memory("image memory", Level.SRAM, parameters["IMAGE_DEPTH"], bits, 2 * lanes),
            Buffer.A: Memory("tensor buffer A", Level.SRAM, parameters["BUFFER_A_DEPTH"], bits, lanes),
            Buffer.B: Memory("tensor buffer B", Level.SRAM, parameters["BUFFER_B_DEPTH"], bits, lanes),
        }
        self.weights = Memory("weights", Level.SRAM, parameters["WEIGHT_DEPTH"], self.weight_bits)
        self.affine = Memory("affine records", Level.SRAM, parameters["AFFINE_DEPTH"], self.affine_bits)
        self.descriptors = Memory("descriptors", Level.SRAM, parameters["DESCRIPTOR_DEPTH"], 32)
        self.cnn_sum_bits = max(
            (layer.widths.cnn_accumulator for layer in workload.layers if layer.widths is not None), default=0
        )

    @property
    def memories(self) -> tuple[Memory, ...]:
        """All that hold tensors or the program."""
        return (*self.buffers.values(), self.weights, self.affine, self.descriptors, _DRAM)

    @property
    def loading_of_program(self) -> tuple[Traffic, ...]:
        """The program's memories, read from DRAM once."""
        filled = (
            (len(self.program.weights), self.weights),
            (len(self.program.affine), self.affine),
            (len(self.program.descriptors) * DESCRIPTOR_WORDS, self.descriptors),
        )
        return tuple(Traffic(_DRAM, memory.name, words, memory.width_bits) for words, memory in filled)

    def loading_of_image(self, name: str) -> AcceleratorLayer:
        """The image: from DRAM into its memory."""
        load = self.program.descriptors[0]
        traffic = (
            Traffic(_DRAM, "image", load.load_length, _PIXEL_BITS),
            Traffic(
                self.buffers[Buffer.IMAGE],
                "image writes",
                load.load_length * load.target_planes,
                self.parameters["CODE_BITS"],
            ),
        )
        return AcceleratorLayer(name, None, {lanes: Work(traffic=traffic) for lanes in Lanes})

    def layer(
        self, node: str, descriptor: Descriptor, count: LayerCounts, active_taps: int, images: int
    ) -> AcceleratorLayer:
        """One descriptor on both arrays, without the operations beside its taps."""
        one = LayerCounts(*(getattr(count, name) // max(images, 1) for name in LayerCounts.__dataclass_fields__))
        kind = next(layer.kind for layer in self.workload.layers if layer.name == node)
        multiplied = _multiplied(one, descriptor, self.parameters)
        work = {
            Lanes.ADDER: self._work(Lanes.ADDER, descriptor, kind, one),
            Lanes.MULTIPLIER: self._work(
                Lanes.MULTIPLIER, descriptor, kind, replace(one, busy_lanes=multiplied.busy_lanes)
            ),
            Lanes.ONE_PASS: self._work(Lanes.ONE_PASS, descriptor, kind, multiplied),
        }
        effective = Fraction(count.effective_taps, images) if images and kind is not None else None
        active = Fraction(active_taps, images) if images and kind is Kind.ADDER else None
        return AcceleratorLayer(node, kind, work, one.busy_lanes if kind is not None else 0, effective, active)

    def with_others(self, layer: AcceleratorLayer) -> AcceleratorLayer:
        """The layer with its requantiser, or its pooling."""
        others = next(each.others for each in self.workload.layers if each.name == layer.name)
        return replace(
            layer,
            work={lanes: replace(work, others=(*work.others, *others)) for lanes, work in layer.work.items()},
        )

    def _work(self, lanes: Lanes, descriptor: Descriptor, kind: Kind | None, count: LayerCounts) -> Work:
        bits = self.parameters["CODE_BITS"]
        taps: tuple[OperationCount, ...] = ()
        others: tuple[OperationCount, ...] = ()
        traffic = self._memory_traffic(descriptor, count)
        if kind is not None:
            sum_bits = self.parameters["ACC_BITS"] if lanes is Lanes.ADDER else self.cnn_sum_bits
            has_sum_of_x = lanes is Lanes.ADDER and kind is Kind.ADDER and bool(self.parameters["MIN_FORM"])
            taps = tap_operations(lanes, kind, count.busy_lanes, bits, sum_bits)
            if has_sum_of_x:
                additions = count.activation_reads * self.parameters["IN_LANES"]
                others = (OperationCount(Operation.ADD, Role.SUM, additions, "sum of x", sum_bits),)
            registers = lane_registers(self.parameters, lanes, sum_bits, has_sum_of_x=has_sum_of_x)
            traffic += tuple(
                Traffic(Memory(name, Level.REGISTERS, 1, bits), name, count.activation_reads, bits)
                for name, bits in registers.items()
                if bits
            )
        return Work(taps, others, tuple(each for each in traffic if each.count))

    def _memory_traffic(self, descriptor: Descriptor, count: LayerCounts) -> tuple[Traffic, ...]:
        source = self.buffers[Buffer(descriptor.buffers & 3)]
        shortcut = self.buffers[Buffer(descriptor.buffers >> 2 & 3)]
        target = self.buffers[Buffer.B if descriptor.buffers >> 4 else Buffer.A]
        bits = self.parameters["CODE_BITS"]
        values = descriptor.out_height * descriptor.out_width * descriptor.out_channels
        results = values if Flag.TO_STREAM in descriptor.flags else 0
        return (
            Traffic(source, "activation reads", count.activation_reads, self.word_bits),
            Traffic(self.weights, "weight reads", count.weight_reads, self.weight_bits),
            Traffic(shortcut, "shortcut reads", count.shortcut_reads, self.word_bits),
            Traffic(self.affine, "affine reads", count.affine_reads, self.affine_bits),
            Traffic(target, "activation writes", count.activation_writes, bits),
            Traffic(self.descriptors, "descriptor reads", DESCRIPTOR_WORDS, 32),
            Traffic(_DRAM, "results", results, _RESULT_BITS),
        )


def _multiplied(count: LayerCounts, descriptor: Descriptor, parameters: dict[str, int]) -> LayerCounts:
    """A dot-product layer in lanes that multiply: a pass for each word of the weights instead of each of their bits."""
    if Flag.DOT not in descriptor.flags:
        return count
    passes = descriptor.top_bit + 1 + parameters["CODE_BITS"] * (descriptor.digit_words - 1)
    twice = 2 if Flag.SPLIT in descriptor.flags else 1
    words = descriptor.digit_words
    return replace(
        count,
        activation_reads=count.activation_reads * words // passes,
        weight_reads=count.weight_reads * words // passes,
        busy_lanes=count.busy_lanes * words // (passes * twice),
    )


def _merged(a: AcceleratorLayer, b: AcceleratorLayer) -> AcceleratorLayer:
    work = {}
    for lanes in Lanes:
        ours, theirs = a.work[lanes], b.work[lanes]
        work[lanes] = Work((*ours.taps, *theirs.taps), (*ours.others, *theirs.others), (*ours.traffic, *theirs.traffic))
    return replace(
        a,
        work=work,
        busy_taps=a.busy_taps + b.busy_taps,
        effective_taps=_both(a.effective_taps, b.effective_taps),
        active_taps=_both(a.active_taps, b.active_taps),
    )


def _both(a: Fraction | None, b: Fraction | None) -> Fraction | None:
    return None if a is None or b is None else a + b
