"""From a float network to an integer network (the contract is docs/integer-network.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quant import float_network as fn
from quant import integer_network as qn
from quant.calibration import quantise, search_grid
from quant.errors import BadInputError
from quant.float_model import evaluate
from quant.fusion import Stage, fuse
from quant.golden import compute, encode, layer_sums
from quant.integer_network import Affine, Grid
from quant.signed_digits import round_to_digits
from quant.widths import output_range, signed_bits, unsigned_bits

Progress = Callable[[str], None]
Float = NDArray[np.float64]

_LOGIT_BITS = 16
"""Width of an unclamped layer's largest output on calibration data: far finer than any code that feeds it."""
_MULTIPLIER_BITS = 10
"""The shift grows until the largest multiplier of a layer has this many bits, so that rounding it to signed digits, not
to an integer, is what limits its precision."""
_LARGEST_MULTIPLIER = float(2**30)
"""A channel of next to no variance asks for more; here a single step of its sum already saturates any code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuantizerOptions:
    """How to quantise.

    Attributes:
        bits: width of codes and weights of the inner layers, 2 to 8.
        edge_bits: width in the first and the last layer, where larger than `bits`.
        digits: non-zero signed digits of each affine multiplier.
        minimum_shift: smallest affine shift n.
        candidates: clip points tried for each tensor.
        correct_bias: move each constant so that the integer sums keep the float network's mean on calibration data.
    """

    bits: int = 8
    edge_bits: int = 8
    digits: int = 3
    minimum_shift: int = 14
    candidates: int = 33
    correct_bias: bool = True

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("bits", self.bits, 2, 8),
            ("edge bits", self.edge_bits, 2, 8),
            ("signed digits", self.digits, 1, 8),
            ("minimum shift", self.minimum_shift, 14, 24),
            ("clip candidates", self.candidates, 2, 1000),
        ):
            if not low <= value <= high:
                raise BadInputError(f"{name} must be {low} to {high}, not {value}")

    @property
    def wide_bits(self) -> int:
        """Width in the first and last layer."""
        return max(self.bits, self.edge_bits)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized:
    """An integer network and, for each stage, what it stands for.

    Attributes:
        network: the integer network.
        stages: the float nodes of each integer layer, by the layer's name.
        clipped: share of an adder layer's weights outside the grid of its input, by the layer's name.
    """

    network: qn.IntegerNetwork
    stages: dict[str, Stage]
    clipped: dict[str, float]


@dataclass(frozen=True, slots=True, eq=False)
class _Calibration:
    """Float tensors on calibration images: stage outputs whole, cores as their mean per channel."""

    outputs: dict[str, NDArray[np.float32]]
    core_means: dict[str, Float]


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """What a stage's integer sums mean: `real = scale * acc + offset`, per channel before the batch norms."""

    scale: float
    offset: Float


@dataclass(frozen=True, slots=True, eq=False)
class _Draft:
    """An integer node with the meaning of its sums, None where it has no affine step."""

    node: qn.IntegerNode
    sums: _Sums | None = None
    clipped: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Reading:
    """One use of a tensor.

    Attributes:
        stage: who reads it, through `Flatten` and `MaxPool`, which pass codes on unchanged.
        as_shortcut: whether as the second operand of its addition.
        pooled: whether a `MaxPool` lies between, which takes narrow unsigned codes only.
    """

    stage: Stage
    as_shortcut: bool
    pooled: bool


def _calibrate(network: fn.FloatNetwork, stages: tuple[Stage, ...], images: NDArray[np.uint8]) -> _Calibration:
    wanted = {stage.output for stage in stages} | {network.input.name}
    cores = {stage.core.name for stage in stages if stage.core is not None}
    calibration = _Calibration({}, {})
    for node, value in evaluate(network, images):
        if node.name in wanted:
            calibration.outputs[node.name] = value
        if node.name in cores:
            axes = (0,) if value.ndim == 2 else (0, 2, 3)
            calibration.core_means[node.name] = value.mean(axis=axes, dtype=np.float64)
    return calibration


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """The stages of a network and the questions one asks about them."""

    network: fn.FloatNetwork
    stages: tuple[Stage, ...]
    options: QuantizerOptions
    calibration: _Calibration

    def readings(self, tensor: str, pooled: bool = False) -> list[_Reading]:
        """Every use of a float tensor; a `MaxPool` or `Flatten` that nobody reads counts as one itself."""
        found: list[_Reading] = []
        for stage in self.stages:
            if tensor == stage.source:
                max_pool = isinstance(stage.nodes[0], fn.MaxPool)
                passed_on = max_pool or isinstance(stage.nodes[0], fn.Flatten)
                further = self.readings(stage.output, pooled or max_pool) if passed_on else []
                found += further or [_Reading(stage, False, pooled or max_pool)]
            if tensor == stage.shortcut:
                found.append(_Reading(stage, True, pooled))
        return found

    def is_output(self, stage: Stage) -> bool:
        """Whether the stage's tensor only leaves the network (through `Flatten` and `Argmax` at most)."""
        return all(
            isinstance(reading.stage.nodes[0], fn.Argmax | fn.Flatten) and not reading.pooled
            for reading in self.readings(stage.output)
        )

    def is_edge(self, stage: Stage) -> bool:
        """Whether the stage is the first or the last layer."""
        layers = [other for other in self.stages if isinstance(other.core, fn.Conv2d | fn.Linear)]
        return stage in (layers[0], layers[-1])

    def keeps_sum(self, stage: Stage) -> bool:
        """Whether an average pool may stay an exact sum, whose divisor the next layer's multiplier takes over."""
        if not isinstance(stage.core, fn.AveragePool) or len(stage.nodes) > 1:
            return False
        return self.is_output(stage) or all(
            isinstance(reading.stage.core, fn.Conv2d | fn.Linear)
            and reading.stage.core.kind is fn.Kind.DOT
            and not (reading.as_shortcut or reading.pooled)
            for reading in self.readings(stage.output)
        )

    def choose_grid(self, tensor: str, *, signed: bool) -> Grid:
        """Grid of a stored tensor, the clip point by search.

        The edge width goes to the image, to what leaves the network, and to what the first or last layer reads.
        """
        operands = [reading.stage for reading in self.readings(tensor) if not reading.as_shortcut]
        at_edge = tensor == self.network.input.name or not self.network.consumers(tensor)
        wide = at_edge or any(self.is_edge(stage) for stage in operands)
        weights = [
            stage.core.weight
            for stage in operands
            if isinstance(stage.core, fn.Conv2d | fn.Linear) and stage.core.kind is fn.Kind.ADDER
        ]
        values = self.calibration.outputs[tensor]
        bits = self.options.wide_bits if wide else self.options.bits
        _require_signal(tensor, values if signed else np.maximum(values, 0))
        return search_grid(values, bits, self.options.candidates, signed=signed, weights=weights)


def _require_signal(name: str, values: NDArray[np.floating]) -> float:
    """The largest magnitude, which sets the scale."""
    largest = float(np.abs(values).max())
    if not 0 < largest < np.inf:
        raise BadInputError(
            f"values of {name} must not all be zero nor overflow on the calibration images, not {largest}"
        )
    return largest


def _input_node(plan: _Plan) -> qn.Input:
    node = plan.network.input
    levels = (np.arange(256)[None, :] / 255.0 - node.mean[:, None]) / node.std[:, None]
    grid = plan.choose_grid(node.name, signed=bool(levels.min() < 0))
    return qn.Input(node.name, node.shape, grid, quantise(levels, grid))


def _adder_weights(weight: Float, grid: Grid) -> tuple[NDArray[np.int64], Float, float]:
    """Codes, the exact constant `-sum |w - clip(w)|` per filter, and the share clipped (the clipping identity)."""
    clipped = np.clip(weight, grid.low, grid.high)
    excess = np.abs(weight - clipped)
    return quantise(clipped, grid), -excess.reshape(len(weight), -1).sum(axis=1), float(np.mean(excess > 0))


def _dot_weights(weight: Float, bits: int, candidates: int) -> tuple[NDArray[np.int64], float]:
    """Signed codes and their scale."""
    grid = search_grid(weight, bits, candidates, signed=True)
    return quantise(weight, grid) - grid.zero, grid.scale


def _affine(plan: _Plan, stage: Stage, sums: _Sums, grid: Grid, shortcut: Grid | None) -> Affine:
    """Fold constant, bias, batch norms, shortcut and output grid into one integer step per channel.

    The constant is computed from the rounded multiplier: sums lie thousands away from zero and spread by a few units.
    So a rounding error of the multiplier must turn the line around the sums' mean, not around zero.
    """
    gain = np.ones_like(sums.offset)
    shift = np.zeros_like(sums.offset)
    for norm in stage.norms:
        gain, shift = gain * norm.scale, (shift - norm.mean) * norm.scale + norm.beta
    if stage.norms:
        pivot = stage.norms[0].mean
    elif stage.core is not None:
        pivot = plan.calibration.core_means[stage.core.name]
    else:
        pivot = np.zeros_like(sums.offset)
    at_pivot = gain * pivot + shift
    real = gain * sums.scale / grid.scale
    bits = plan.options.minimum_shift
    while bits < qn.MAX_SHIFT and float(np.abs(real).max()) * 2**bits < 2**_MULTIPLIER_BITS:
        bits += 1
    digits = plan.options.digits
    multiplier = round_to_digits(np.clip(real * 2.0**bits, -_LARGEST_MULTIPLIER, _LARGEST_MULTIPLIER), digits)
    constant = 2.0**bits * (at_pivot / grid.scale + grid.zero) + multiplier * ((sums.offset - pivot) / sums.scale)
    shortcut_multiplier = 0
    if shortcut is not None:
        shortcut_multiplier = int(round_to_digits(np.array([shortcut.scale / grid.scale * 2**bits]), digits)[0])
        constant = constant - shortcut_multiplier * shortcut.zero
    clamp_max = None if grid.signed else grid.top
    return Affine(multiplier, np.rint(constant).astype(np.int64), bits, clamp_max, shortcut_multiplier)


def _output_grid(plan: _Plan, stage: Stage) -> Grid:
    """Grid of a requantised stage; an unclamped one gets its width once its range is known."""
    values = plan.calibration.outputs[stage.output]
    if plan.is_output(stage) and not stage.relu:
        largest = _require_signal(stage.output, values)
        return Grid(qn.MAX_SUM_BITS, largest / 2 ** (_LOGIT_BITS - 1), signed=True)
    return plan.choose_grid(stage.output, signed=not stage.relu and float(values.min()) < 0)


def _layer(
    plan: _Plan, stage: Stage, core: fn.Conv2d | fn.Linear, source: str, grid: Grid, shortcut: tuple[str, Grid] | None
) -> _Draft:
    bias = np.zeros(len(core.weight)) if core.bias is None else core.bias
    if core.kind is fn.Kind.ADDER:
        weight, constant, clipped = _adder_weights(core.weight, grid)
        weight_bits, sums = grid.bits, _Sums(grid.scale, constant + bias)
    else:
        weight_bits = plan.options.wide_bits if plan.is_edge(stage) else plan.options.bits
        weight, weight_scale = _dot_weights(core.weight, weight_bits, plan.options.candidates)
        clipped = 0.0
        scale = grid.scale * weight_scale
        sums = _Sums(scale, bias - scale * grid.zero * weight.reshape(len(weight), -1).sum(axis=1))
    output = _output_grid(plan, stage)
    affine = _affine(plan, stage, sums, output, shortcut and shortcut[1])
    name = shortcut and shortcut[0]
    if isinstance(core, fn.Linear):
        return _Draft(
            qn.Linear(stage.name, source, core.kind, weight, weight_bits, affine, output, name), sums, clipped
        )
    node = qn.Conv2d(
        stage.name, source, core.kind, weight, weight_bits, affine, output, core.stride, core.padding, core.groups, name
    )
    return _Draft(node, sums, clipped)


def _pool(plan: _Plan, stage: Stage, source: str, grid: Grid, shortcut: tuple[str, Grid] | None) -> _Draft:
    pool = stage.core if isinstance(stage.core, fn.AveragePool) else None
    kernel, stride, padding = (pool.kernel, pool.stride, pool.padding) if pool else ((1, 1), (1, 1), (0, 0))
    count = kernel[0] * kernel[1]
    if plan.keeps_sum(stage):
        exact = Grid(unsigned_bits(grid.top * count), grid.scale / count, grid.zero * count)
        return _Draft(qn.SumPool(stage.name, source, kernel, stride, exact, padding))
    channels = plan.network.shapes[stage.output][0]
    sums = _Sums(grid.scale / count, np.full(channels, -grid.scale * grid.zero))
    output = _output_grid(plan, stage)
    affine = _affine(plan, stage, sums, output, shortcut and shortcut[1])
    node = qn.SumPool(stage.name, source, kernel, stride, output, padding, affine, shortcut and shortcut[0])
    return _Draft(node, sums)


def _draft(plan: _Plan, stage: Stage, names: Mapping[str, str], grids: Mapping[str, Grid]) -> _Draft:
    """The integer node of a stage, before its bias is corrected."""
    head = stage.nodes[0]
    source = names[stage.source]
    if isinstance(head, fn.MaxPool):
        return _Draft(qn.MaxPool(head.name, source, head.kernel, head.stride, head.padding))
    if isinstance(head, fn.Flatten):
        return _Draft(qn.Flatten(head.name, source))
    if isinstance(head, fn.Argmax):
        return _Draft(qn.Argmax(head.name, source))
    shortcut = None if stage.shortcut is None else (names[stage.shortcut], grids[names[stage.shortcut]])
    if isinstance(stage.core, fn.Conv2d | fn.Linear):
        return _layer(plan, stage, stage.core, source, grids[source], shortcut)
    return _pool(plan, stage, source, grids[source], shortcut)


def _corrected(
    plan: _Plan, stage: Stage, draft: _Draft, before: qn.IntegerNetwork, codes: qn.IntArray
) -> qn.IntegerNode:
    """The draft with its constants moved so that the mean of each channel's sums is the float network's.

    Rounding x and w makes |x - w| larger on average (it is convex), by a bias that grows as the codes get narrower; the
    constant takes it back at no cost. Bias correction: Nagel et al., Data-Free Quantization, ICCV 2019, section 4.2.
    """
    node, sums = draft.node, draft.sums
    if sums is None or stage.core is None or not isinstance(node, qn.Conv2d | qn.Linear | qn.SumPool):
        return node
    acc = layer_sums(qn.IntegerNetwork(before.name, (*before.nodes, node)), node, codes)
    mean = acc.mean(axis=(0,) if acc.ndim == 2 else (0, 2, 3))
    measured = _Sums(sums.scale, plan.calibration.core_means[stage.core.name] - sums.scale * mean)
    shortcut = None if node.shortcut is None else before.grids[node.shortcut]
    return replace(node, affine=_affine(plan, stage, measured, node.grid, shortcut))


def _fit_unclamped(before: qn.IntegerNetwork, node: qn.IntegerNode) -> qn.IntegerNode:
    """Give an unclamped layer's grid the width that its real weights can reach."""
    if not isinstance(node, qn.Conv2d | qn.Linear | qn.SumPool) or not node.grid.signed:
        return node
    low, high = output_range(before, node)
    bits = signed_bits(low, high)
    if bits <= qn.MAX_SUM_BITS or node.affine is None:
        return replace(node, grid=replace(node.grid, bits=bits))
    # One channel with next to no variance can reach further than 32 bits: the whole layer is stored coarser.
    excess = bits - qn.MAX_SUM_BITS
    affine = replace(node.affine, shift=node.affine.shift + excess)
    grid = Grid(qn.MAX_SUM_BITS, node.grid.scale * 2**excess, signed=True)
    return replace(node, affine=affine, grid=grid)


def _check_images(network: fn.FloatNetwork, images: NDArray[np.uint8]) -> None:
    if images.dtype != np.uint8 or images.shape[1:] != network.input.shape or not len(images):
        raise BadInputError(
            f"calibration images must be uint8 of shape (N, {', '.join(map(str, network.input.shape))}) "
            f"with N at least 1, not {images.dtype} of shape {images.shape}"
        )


def quantize(
    network: fn.FloatNetwork,
    images: NDArray[np.uint8],
    options: QuantizerOptions | None = None,
    progress: Progress = lambda _: None,
) -> Quantized:
    """Quantise a float network.

    Args:
        network: the float network.
        images: calibration images, uint8 (N, C, H, W), from the training split only.
        options: widths and search; the defaults are 8 bits throughout.
        progress: told the name of each step as it starts.

    Returns:
        The integer network, ending in `Argmax` when its output is a vector, with what each layer stands for.

    Raises:
        BadInputError: images that do not fit the network, a network with no tap layer, a tensor that carries no signal.
    """
    _check_images(network, images)
    stages = fuse(network)
    if not any(isinstance(stage.core, fn.Conv2d | fn.Linear) for stage in stages):
        raise BadInputError(
            f"network {network.name} must have at least one adder, convolution or linear layer, not none"
        )
    progress("calibrating")
    plan = _Plan(network, stages, options or QuantizerOptions(), _calibrate(network, stages, images))
    # Float tensors are named after the last node of their stage, integer ones after the first.
    names = {network.input.name: network.input.name}
    integer = qn.IntegerNetwork(network.name, (_input_node(plan),))
    tensors = {integer.input.name: encode(integer, images)}
    clipped = {}
    for stage in stages:
        progress(stage.name)
        draft = _draft(plan, stage, names, integer.grids)
        node = draft.node
        if plan.options.correct_bias and not isinstance(node, qn.Input | qn.Argmax):
            node = _corrected(plan, stage, draft, integer, tensors[node.source])
        node = _fit_unclamped(integer, node)
        integer = qn.IntegerNetwork(network.name, (*integer.nodes, node))
        tensors[node.name] = compute(integer, node, tensors)
        names[stage.output] = node.name
        clipped[node.name] = draft.clipped
    if not isinstance(integer.nodes[-1], qn.Argmax) and len(integer.shapes[integer.nodes[-1].name]) == 1:
        name = "argmax" if "argmax" not in integer.shapes else f"{integer.nodes[-1].name}.argmax"
        integer = qn.IntegerNetwork(network.name, (*integer.nodes, qn.Argmax(name, integer.nodes[-1].name)))
    return Quantized(integer, {names[stage.output]: stage for stage in stages}, clipped)
