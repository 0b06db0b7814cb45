"""Energy of a tap measured on gates: elements mapped to a cell library, on the operand words of real layers.

Brings together what stands in different rooms: the words of a layer (rtl), its trace (quant), the mapped elements (rtl)
and what switches in them (sim).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from energy.counts import count_integer
from quant.errors import BadInputError
from quant.float_network import Kind
from quant.golden import encode, trace
from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture
from rtl.elements import Element, map_element, map_lane_array
from rtl.gate_netlist import GateNetlist, Mapper
from rtl.liberty import CellLibrary, read_liberty
from rtl.operand_words import OperandWords, adder_layer, sampled_words
from rtl.program import Program, compile_network
from rtl.yosys import require_yosys
from sim.gate_energy import SLEW_NS, Delay, SwitchedEnergy, leakage_fj, switched_energy
from sim.operand_play import Play, play_array, play_element

BASELINE = Element.BOOTH_ROWS
"""Booth rows in each lane: the smallest multiplier element of 16 lanes that benchmarks/pe_area.py found."""
LANE_ARRAY = "lane array"
_SEED = 1


class Operands(enum.StrEnum):
    """What the words hold."""

    LAYER = "layer"
    """The layer's own codes and weights."""
    CONVOLUTION = "convolution"
    """For multipliers: the layer's codes; weights drawn from a normal distribution, a quarter of the largest wide."""
    UNIFORM = "uniform"
    """Codes and weights drawn uniformly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateOptions:
    """What is measured.

    Attributes:
        liberty: the cell library.
        layers: names of adder layers; () for the one with the most taps.
        windows, window_words: samples of a layer, and words of each at least.
        clock_mhz: at which leakage is charged.
        slew_ns: nominal input slew of every cell.
        elements: to measure; the min form takes its share of the sum of x.
        operands: each kind of words to play.
        array: also the whole lane array of the architecture.
        mapper: how the mapper looks for cells.
    """

    liberty: Path
    layers: tuple[str, ...] = ()
    windows: int = 8
    window_words: int = 256
    clock_mhz: float = 100.0
    slew_ns: float = SLEW_NS
    elements: tuple[Element, ...] = (Element.MINIMUM, Element.COMPLEMENT, BASELINE)
    operands: tuple[Operands, ...] = tuple(Operands)
    array: bool = False
    mapper: Mapper = Mapper.DEFAULT

    def __post_init__(self) -> None:
        for name, value in (("clock", self.clock_mhz), ("slew", self.slew_ns)):
            if not value > 0:
                raise BadInputError(f"{name} must be positive, not {value:g}")


@dataclass(frozen=True, slots=True)
class TapEnergy:
    """Femtojoules that a tap of one kind of words takes, with one kind of delay.

    Attributes:
        design: an element, or the lane array.
        pins_fj, internal_fj, clock_fj: as in `sim.gate_energy`; of the min form with its share of the sum of x.
        changes: of nets, glitches included.
    """

    layer: str
    design: str
    operands: Operands
    delay: Delay
    pins_fj: float
    internal_fj: float
    clock_fj: float
    changes: float

    @property
    def total_fj(self) -> float:
        """Without leakage."""
        return self.pins_fj + self.internal_fj + self.clock_fj


@dataclass(frozen=True, slots=True)
class GateDesign:
    """A mapped design, of the min form with its share of the sum of x: its cells' area and what leaks for a tap."""

    design: str
    area_um2: float
    leakage_fj: float


@dataclass(frozen=True, slots=True)
class LayerSample:
    """The words of a layer that were played.

    Attributes:
        words: of operands, each with the weights of all output lanes.
        x_zero, w_zero, live: shares of taps with x = 0, with w = 0, and with neither.
    """

    layer: str
    words: int
    x_zero: float
    w_zero: float
    live: float


@dataclass(frozen=True, slots=True)
class GateReport:
    """Every figure of one measurement.

    Attributes:
        has_energies: whether the library has `internal_power`; without it `internal_fj` is 0.
        has_delays: whether it has delays; without them `Delay.LIBRARY` is left out.
        code_bits: of the elements, the widest of the layers' codes; the lane array has that of the accelerator.
    """

    network: str
    library: str
    voltage_v: float
    has_energies: bool
    has_delays: bool
    clock_mhz: float
    slew_ns: float
    mapper: Mapper
    code_bits: int
    in_lanes: int
    out_lanes: int
    designs: tuple[GateDesign, ...]
    samples: tuple[LayerSample, ...]
    taps: tuple[TapEnergy, ...]

    def tap(self, layer: str, design: str, operands: Operands, delay: Delay) -> TapEnergy:
        """One row."""
        (found,) = (
            row
            for row in self.taps
            if (row.layer, row.design, row.operands, row.delay) == (layer, design, operands, delay)
        )
        return found


def measure_gates(
    network: IntegerNetwork,
    images: NDArray[np.uint8],
    architecture: Architecture,
    options: GateOptions,
    progress: Callable[[str], None] = lambda _step: None,
) -> GateReport:
    """Measure the energy of a tap of adder layers on images.

    Args:
        network: whose layers' words are played.
        images: (N, C, H, W); the windows are spread over all of them.
        architecture: in whose order the words come; its lanes are those of the elements.
        options: what is measured.
        progress: told each step as it starts.

    Raises:
        BadInputError: the library can not be read or mapped to, or a layer is no adder layer.
        MismatchError: a netlist's sums are not those of the golden model.
        MissingToolError: without the Python package pyosys.
    """
    layers = options.layers or (_busiest(network),)
    nodes = {name: adder_layer(network, name) for name in layers}
    library = read_liberty(options.liberty)
    require_yosys()
    program = compile_network(network, architecture)
    tensors = trace(network, encode(network, images))
    played = {
        name: sampled_words(network, program, name, tensors[node.source], options.windows, options.window_words)
        for name, node in nodes.items()
    }
    designs: list[GateDesign] = []
    taps: list[TapEnergy] = []
    code_bits = max(network.grids[node.source].bits for node in nodes.values())
    for bench in _benches(program, code_bits, library, options, progress):
        designs.append(bench.facts(options))
        for name, words in played.items():
            for operands in options.operands:
                if operands is Operands.CONVOLUTION and not bench.multiplies:
                    continue
                progress(f"{bench.name}: {name}, {operands}")
                taps += bench.taps(name, operands, _with(words, operands, bench.code_bits), library, options)
    size = program.parameters
    return GateReport(
        network.name,
        library.path.name,
        library.voltage_v,
        library.has_energies,
        library.has_delays,
        options.clock_mhz,
        options.slew_ns,
        options.mapper,
        code_bits,
        size["IN_LANES"],
        size["OUT_LANES"],
        tuple(designs),
        tuple(_sample(name, words) for name, words in played.items()),
        tuple(taps),
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    """A design on the bench: netlists with how each is played, and the share of each netlist's area in a tap's lane."""

    name: str
    lanes: int
    code_bits: int
    multiplies: bool
    parts: tuple[tuple[GateNetlist, Callable[[OperandWords], Play], float], ...]

    def facts(self, options: GateOptions) -> GateDesign:
        leaks = sum(share * leakage_fj(netlist, options.clock_mhz) for netlist, _, share in self.parts)
        area = sum(share * netlist.area_um2 for netlist, _, share in self.parts)
        return GateDesign(self.name, area, leaks / self.lanes)

    def taps(
        self, layer: str, operands: Operands, words: OperandWords, library: CellLibrary, options: GateOptions
    ) -> Iterator[TapEnergy]:
        plays = [play(words) for _, play, _ in self.parts]
        for delay in Delay:
            if delay is not Delay.LIBRARY or library.has_delays:
                parts = [
                    (switched_energy(each.activity, library, delay, slew_ns=options.slew_ns), each.taps)
                    for each in plays
                ]
                yield TapEnergy(layer, self.name, operands, delay, *_a_tap(parts))


def _a_tap(parts: Sequence[tuple[SwitchedEnergy, int]]) -> tuple[float, float, float, float]:
    """Pins, inside, clock and changes of a tap, summed over the parts."""
    return (
        sum(energy.pins_fj / taps for energy, taps in parts),
        sum(energy.internal_fj / taps for energy, taps in parts),
        sum(energy.clock_fj / taps for energy, taps in parts),
        sum(energy.changes / taps for energy, taps in parts),
    )


def _benches(
    program: Program, code_bits: int, library: CellLibrary, options: GateOptions, progress: Callable[[str], None]
) -> Iterator[_Bench]:
    size: Mapping[str, int] = program.parameters
    lanes = size["IN_LANES"]

    def part(element: Element, share: float) -> tuple[GateNetlist, Callable[[OperandWords], Play], float]:
        progress(f"mapping {element}")
        netlist = map_element(element, lanes, code_bits, library, options.mapper)
        return netlist, lambda words: play_element(netlist, element, words, code_bits), share

    for element in options.elements:
        parts = [part(element, 1.0)]
        if element is Element.MINIMUM:
            parts.append(part(Element.SUM_OF_X, 1 / size["OUT_LANES"]))
        yield _Bench(str(element), lanes, code_bits, element.multiplies, tuple(parts))
    if options.array:
        progress(f"mapping {LANE_ARRAY}")
        array = map_lane_array(size, library, options.mapper)
        yield _Bench(
            LANE_ARRAY,
            lanes * size["OUT_LANES"],
            size["CODE_BITS"],
            False,
            ((array, lambda words: play_array(array, size, words), 1.0),),
        )


def _busiest(network: IntegerNetwork) -> str:
    """The adder layer with the most taps; raises BadInputError where there is none."""
    adders = [layer for layer in count_integer(network).layers if layer.kind is Kind.ADDER]
    if not adders:
        raise BadInputError(f"network must have an adder layer, not none: {network.name}")
    return max(adders, key=lambda layer: layer.adder_taps).name


def _with(words: OperandWords, operands: Operands, code_bits: int) -> OperandWords:
    """The same walk with other codes or weights; lanes without a tap stay 0."""
    if operands is Operands.LAYER:
        return words
    rng = np.random.default_rng(_SEED)
    top = (1 << code_bits) - 1
    held = words.taps[..., None] > np.arange(words.x.shape[1])
    if operands is Operands.UNIFORM:
        x = rng.integers(0, top + 1, words.x.shape) * held.any(axis=0)
        return replace(words, x=x, w=rng.integers(0, top + 1, words.w.shape) * held)
    # Two's complement, as a multiplier reads them.
    half = (top + 1) // 2
    w = np.clip(np.round(rng.normal(0, half / 4, words.w.shape)), -half, half - 1).astype(np.int64) & top
    return replace(words, w=w * held)


def _sample(name: str, words: OperandWords) -> LayerSample:
    held = words.taps[..., None] > np.arange(words.x.shape[1])
    x, w = np.broadcast_to(words.x != 0, held.shape)[held], (words.w != 0)[held]
    return LayerSample(name, len(words.x), float(1 - x.mean()), float(1 - w.mean()), float((x & w).mean()))
