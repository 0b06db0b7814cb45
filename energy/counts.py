"""Exact operation counts by (layer, operation, width) of a float or an integer network, as plain data.

Taps are what the AdderNet papers charge for. Everything else a layer computes (batch norm, activation, pooling, the
requantiser) is counted beside them as `others`, so that what the papers leave out can be seen.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import quant.integer_network as integer
from quant.float_network import (
    Add,
    Argmax,
    AveragePool,
    BatchNorm,
    Conv2d,
    Flatten,
    FloatNetwork,
    FloatNode,
    Input,
    Kind,
    Linear,
    MaxPool,
    Relu,
    Shape,
)
from quant.integer_network import IntegerNetwork
from quant.signed_digits import signed_digits
from quant.widths import accumulator_bits, affine_bits, signed_bits


class Operation(enum.StrEnum):
    """What a piece of hardware does once."""

    ADD = "add"
    SUBTRACT = "subtract"
    ABSOLUTE = "absolute"
    MULTIPLY = "multiply"
    COMPARE = "compare"
    SHIFT = "shift"
    SPECIAL = "special function"
    """An exponential, a root, a reciprocal and their like."""


class Role(enum.StrEnum):
    """Where an operation stands; a float network's widths follow from the precision it is priced at."""

    OPERAND = "operand"
    """On activations and weights."""
    SUM = "sum"
    """On accumulated values."""
    REQUANTISER = "requantiser"
    """In the integer affine step; its width is always known."""


class Version(enum.StrEnum):
    """The network as it is, or the same network with every adder tap turned into a dot-product tap."""

    ADDER = "adder"
    CNN = "cnn"


@dataclass(frozen=True, slots=True)
class OperationCount:
    """`count` times one operation; `width_bits` is None where it follows from the precision."""

    operation: Operation
    role: Role
    count: int
    purpose: str
    width_bits: int | None = None


@dataclass(frozen=True, slots=True)
class Widths:
    """Widths in bits of a tap layer of an integer network.

    Attributes:
        operand: the wider of activation and weight code.
        accumulator: proven from the real weights.
        cnn_accumulator: of an adder layer as a CNN, what any weights of that width need in as many products; a
            dot-product layer is the same in both versions.
    """

    operand: int
    accumulator: int
    cnn_accumulator: int


@dataclass(frozen=True, slots=True)
class LayerCount:
    """One node; taps (absolute differences or products) are summed over all its outputs, padding taps included."""

    name: str
    node: str
    output_shape: Shape
    kind: Kind | None = None
    adder_taps: int = 0
    dot_taps: int = 0
    parameters: int = 0
    widths: Widths | None = None
    others: tuple[OperationCount, ...] = ()

    @property
    def outputs(self) -> int:
        """Number of output elements."""
        return math.prod(self.output_shape)

    def charged(self, version: Version) -> tuple[OperationCount, ...]:
        """What the papers charge: two additions an adder tap, a multiplication and an addition a dot tap."""
        adder, dot = (
            (self.adder_taps, self.dot_taps) if version is Version.ADDER else (0, self.adder_taps + self.dot_taps)
        )
        operand = sums = None
        if self.widths is not None:
            operand = self.widths.operand
            sums = self.widths.accumulator if version is Version.ADDER else self.widths.cnn_accumulator
        counts = (
            OperationCount(Operation.SUBTRACT, Role.OPERAND, adder, "difference of an adder tap", operand),
            OperationCount(Operation.ADD, Role.SUM, adder, "accumulation of an adder tap", sums),
            OperationCount(Operation.MULTIPLY, Role.OPERAND, dot, "product of a dot-product tap", operand),
            OperationCount(Operation.ADD, Role.SUM, dot, "accumulation of a dot-product tap", sums),
        )
        return tuple(count for count in counts if count.count)

    def uncharged(self, version: Version) -> tuple[OperationCount, ...]:
        """What the papers leave out; the absolute value exists only where the taps are adders."""
        if version is Version.CNN or not self.adder_taps:
            return self.others
        operand = None if self.widths is None else self.widths.operand
        absolute = OperationCount(
            Operation.ABSOLUTE, Role.OPERAND, self.adder_taps, "absolute value of an adder tap", operand
        )
        return (absolute, *self.others)


@dataclass(frozen=True, slots=True)
class Workload:
    """All counts of one inference of one image."""

    model: str
    layers: tuple[LayerCount, ...]
    is_integer: bool

    @property
    def adder_taps(self) -> int:
        """Absolute differences, `|x - w|`."""
        return sum(layer.adder_taps for layer in self.layers)

    @property
    def dot_taps(self) -> int:
        """Products, `x * w`."""
        return sum(layer.dot_taps for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Stored numbers: weights, biases, batch norms' or affine steps' constants."""
        return sum(layer.parameters for layer in self.layers)


def _present(*counts: OperationCount) -> tuple[OperationCount, ...]:
    return tuple(count for count in counts if count.count)


def _float_others(node: FloatNode, network: FloatNetwork, outputs: int) -> tuple[OperationCount, ...]:
    if isinstance(node, Input):
        return _present(
            OperationCount(Operation.MULTIPLY, Role.OPERAND, outputs, "input normalisation"),
            OperationCount(Operation.ADD, Role.OPERAND, outputs, "input normalisation"),
        )
    if isinstance(node, BatchNorm):
        return _present(
            OperationCount(Operation.MULTIPLY, Role.SUM, outputs, "batch norm scale"),
            OperationCount(Operation.ADD, Role.SUM, outputs, "batch norm shift"),
        )
    if isinstance(node, Relu):
        return _present(OperationCount(Operation.COMPARE, Role.SUM, outputs, "ReLU"))
    if isinstance(node, Add):
        return _present(OperationCount(Operation.ADD, Role.SUM, outputs, "residual addition"))
    if isinstance(node, MaxPool):
        compares = outputs * (math.prod(node.kernel) - 1)
        return _present(OperationCount(Operation.COMPARE, Role.OPERAND, compares, "max pooling"))
    if isinstance(node, AveragePool):
        return _present(
            OperationCount(Operation.ADD, Role.SUM, outputs * (math.prod(node.kernel) - 1), "average pooling"),
            OperationCount(Operation.MULTIPLY, Role.SUM, outputs, "average pooling's division by a constant"),
        )
    if isinstance(node, Argmax):
        compares = math.prod(network.shapes[node.source]) - 1
        return _present(OperationCount(Operation.COMPARE, Role.SUM, compares, "argmax"))
    if isinstance(node, Conv2d | Linear) and node.bias is not None:
        return _present(OperationCount(Operation.ADD, Role.SUM, outputs, "bias"))
    return ()


def _float_parameters(node: FloatNode) -> int:
    if isinstance(node, Conv2d | Linear):
        return node.weight.size + (0 if node.bias is None else node.bias.size)
    return 2 * node.gamma.size if isinstance(node, BatchNorm) else 0


def count_float(network: FloatNetwork) -> Workload:
    """Counts of a float network; a batch norm costs, and stores, a scale and a shift."""
    layers = []
    for node in network:
        if isinstance(node, Flatten):
            continue
        shape = network.shapes[node.name]
        kind = node.kind if isinstance(node, Conv2d | Linear) else None
        taps = math.prod(shape) * math.prod(node.weight.shape[1:]) if isinstance(node, Conv2d | Linear) else 0
        layers.append(
            LayerCount(
                name=node.name,
                node=type(node).__name__,
                output_shape=shape,
                kind=kind,
                adder_taps=taps if kind is Kind.ADDER else 0,
                dot_taps=taps if kind is Kind.DOT else 0,
                parameters=_float_parameters(node),
                others=_float_others(node, network, math.prod(shape)),
            )
        )
    return Workload(network.name, tuple(layers), is_integer=False)


def _requantiser(
    network: IntegerNetwork, node: integer.Conv2d | integer.Linear | integer.SumPool, affine: integer.Affine
) -> tuple[OperationCount, ...]:
    """A multiplier of d signed digits is d shifts; with the constant (rounding included) they take d additions."""
    shape = network.shapes[node.name]
    positions = math.prod(shape[1:])
    outputs = math.prod(shape)
    shortcut_digits = len(signed_digits(affine.shortcut_multiplier)) if node.shortcut is not None else 0
    digits = sum(len(signed_digits(int(multiplier))) for multiplier in affine.multiplier)
    terms = positions * digits + outputs * shortcut_digits
    width = affine_bits(network, node)
    compares = 0 if affine.clamp_max is None else 2 * outputs
    return _present(
        OperationCount(Operation.SHIFT, Role.REQUANTISER, terms, "signed digits of the multipliers", width),
        OperationCount(Operation.ADD, Role.REQUANTISER, terms, "signed digits of the multipliers and constant", width),
        OperationCount(Operation.SHIFT, Role.REQUANTISER, outputs, "right shift of the affine step", width),
        OperationCount(Operation.COMPARE, Role.REQUANTISER, compares, "clamp (ReLU included)", width),
    )


def _integer_others(node: integer.IntegerNode, network: IntegerNetwork, outputs: int) -> tuple[OperationCount, ...]:
    if isinstance(node, integer.MaxPool):
        compares = outputs * (math.prod(node.kernel) - 1)
        bits = network.grids[node.source].bits
        return _present(OperationCount(Operation.COMPARE, Role.OPERAND, compares, "max pooling", bits))
    if isinstance(node, integer.Argmax):
        compares = math.prod(network.shapes[node.source]) - 1
        bits = network.grids[node.source].bits
        return _present(OperationCount(Operation.COMPARE, Role.SUM, compares, "argmax", bits))
    if isinstance(node, integer.SumPool):
        additions = outputs * (math.prod(node.kernel) - 1)
        pooling = OperationCount(Operation.ADD, Role.SUM, additions, "sum pooling", accumulator_bits(network, node))
        affine = () if node.affine is None else _requantiser(network, node, node.affine)
        return (*_present(pooling), *affine)
    if isinstance(node, integer.Conv2d | integer.Linear):
        return _requantiser(network, node, node.affine)
    return ()


def _integer_widths(network: IntegerNetwork, node: integer.TapLayer) -> Widths:
    top = network.grids[node.source].top
    count = integer.taps(node)
    half = 2 ** (node.weight_bits - 1)
    proven = accumulator_bits(network, node)
    return Widths(
        operand=max(network.grids[node.source].bits, node.weight_bits),
        accumulator=proven,
        cnn_accumulator=proven if node.kind is Kind.DOT else signed_bits(-count * top * half, count * top * (half - 1)),
    )


def count_integer(network: IntegerNetwork) -> Workload:
    """Counts of an integer network at its own widths; the input's table look-ups are memory accesses, not counted."""
    layers = []
    for node in network:
        if isinstance(node, integer.Input | integer.Flatten):
            continue
        shape = network.shapes[node.name]
        outputs = math.prod(shape)
        others = _integer_others(node, network, outputs)
        affine = getattr(node, "affine", None)
        parameters = 0 if affine is None else 2 * affine.multiplier.size
        if isinstance(node, integer.Conv2d | integer.Linear):
            taps = outputs * integer.taps(node)
            layers.append(
                LayerCount(
                    name=node.name,
                    node=type(node).__name__,
                    output_shape=shape,
                    kind=node.kind,
                    adder_taps=taps if node.kind is Kind.ADDER else 0,
                    dot_taps=taps if node.kind is Kind.DOT else 0,
                    parameters=node.weight.size + parameters,
                    widths=_integer_widths(network, node),
                    others=others,
                )
            )
        else:
            layers.append(LayerCount(node.name, type(node).__name__, shape, parameters=parameters, others=others))
    return Workload(network.name, tuple(layers), is_integer=True)
