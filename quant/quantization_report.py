"""What the quantizer chose for each layer, and how much of the signal is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant import integer_network as qn
from quant.executor import Executor
from quant.float_model import evaluate
from quant.float_network import FloatNetwork
from quant.golden import encode
from quant.quantizer import Quantized
from quant.widths import accumulator_bits, affine_bits


@dataclass(frozen=True, slots=True)
class LayerReport:
    """One layer of an integer network.

    Attributes:
        layer: name of the node.
        type: node type; for tap layers with their kind.
        bits: width of the stored output.
        clip: largest real number on the output's grid.
        weight_bits: width of the weights' codes; None without weights.
        weights_clipped: share of an adder layer's weights outside its input's grid (clipped without loss).
        sqnr_db: signal to quantisation noise of the output on the calibration images, in dB; infinite when exact.
        accumulator_bits: proven width of the sums.
        affine_bits: proven width of the affine step; None without one.
        shift: the affine step's n; None without one.
    """

    layer: str
    type: str
    bits: int
    clip: float
    weight_bits: int | None
    weights_clipped: float | None
    sqnr_db: float
    accumulator_bits: int | None
    affine_bits: int | None
    shift: int | None


def sqnr_db(signal: NDArray[np.floating], quantised: NDArray[np.floating]) -> float:
    """`10 log10(sum signal**2 / sum (signal - quantised)**2)` in dB."""
    noise = float(np.sum((signal.astype(np.float64) - quantised) ** 2))
    power = float(np.sum(signal.astype(np.float64) ** 2))
    return float("inf") if noise == 0 else float(10 * np.log10(power / noise)) if power > 0 else float("-inf")


def report(network: FloatNetwork, quantized: Quantized, images: NDArray[np.uint8]) -> tuple[LayerReport, ...]:
    """One row for each computed layer; both models run on `images`, uint8 (N, C, H, W)."""
    integer = quantized.network
    wanted = {stage.output for stage in quantized.stages.values()}
    reals = {node.name: value for node, value in evaluate(network, images) if node.name in wanted}
    codes = Executor(integer).trace(encode(integer, images))
    rows = []
    for node in integer.layers:
        grid = integer.grids[node.name]
        layer = node if isinstance(node, qn.Conv2d | qn.Linear) else None
        summed = node if isinstance(node, qn.Conv2d | qn.Linear | qn.SumPool) else None
        affine = None if summed is None else summed.affine
        restored = (codes[node.name] - grid.zero) * grid.scale
        rows.append(
            LayerReport(
                layer=node.name,
                type=type(node).__name__ if layer is None else f"{layer.kind} {type(node).__name__}",
                bits=grid.bits,
                clip=grid.high,
                weight_bits=None if layer is None else layer.weight_bits,
                weights_clipped=None if layer is None else quantized.clipped[node.name],
                sqnr_db=sqnr_db(reals[quantized.stages[node.name].output], restored),
                accumulator_bits=None if summed is None else accumulator_bits(integer, summed),
                affine_bits=None if summed is None or affine is None else affine_bits(integer, summed),
                shift=affine.shift if affine is not None else None,
            )
        )
    return tuple(rows)
