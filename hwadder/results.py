"""The verbs' results as JSON objects: what --json prints, and what `flow` keeps between its steps."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator
from dataclasses import asdict
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwadder.verbs import Evaluation, Profile, Quantization
from rtl.design import Design
from rtl.driver import LayerCounts
from rtl.nextpnr import ClockRate, Outcome
from rtl.packets import packets
from rtl.program import Program
from rtl.synthesis import FAMILIES, GATE_CONVENTION, Synthesis
from sim.simulate import Simulation

if TYPE_CHECKING:
    from hwadder.training import TrainResult

Record = dict[str, Any]

QUANTIZATION_HEADINGS = (
    *("layer", "type", "bits", "clip at", "weights clipped", "SQNR, dB", "sum, bits", "affine, bits", "shift"),
)


def training_json(result: TrainResult) -> Record:
    """The best epoch, and how many there were."""
    return {"checkpoint": str(result.checkpoint), "epochs": len(result.log), "best": asdict(result.best)}


def evaluation_json(result: Evaluation) -> Record:
    """Accuracy as a fraction, with what it is made of."""
    return {
        "kind": result.kind,
        "accuracy": result.accuracy,
        "correct": result.correct,
        "images": result.images,
        "top5_accuracy": result.top5_accuracy,
        "top5_correct": result.top5_correct,
    }


def accuracy_text(evaluation: Record) -> str:
    """`98.60% (986 of 1000), top-5 99.90%`; the second figure only where there are six classes or more."""
    text = f"{evaluation['accuracy']:.2%} ({evaluation['correct']} of {evaluation['images']})"
    return text if evaluation["top5_accuracy"] is None else f"{text}, top-5 {evaluation['top5_accuracy']:.2%}"


def quantization_json(result: Quantization) -> Record:
    """One object per layer; the ratio of an exact layer, which is infinite, becomes null."""
    layers = [asdict(row) for row in result.layers]
    for row in layers:
        row["sqnr_db"] = row["sqnr_db"] if math.isfinite(row["sqnr_db"]) else None
    return {"network": str(result.path), "sha256": result.sha256, "layers": layers}


def quantization_rows(quantization: Record) -> Iterator[tuple[str, ...]]:
    """A table's row for each layer, under `QUANTIZATION_HEADINGS`."""
    for row in quantization["layers"]:
        widths = (row["accumulator_bits"], row["affine_bits"], row["shift"])
        yield (
            row["layer"],
            row["type"],
            str(row["bits"]),
            f"{row['clip']:.4g}",
            "" if row["weights_clipped"] is None else f"{row['weights_clipped']:.1%}",
            "exact" if row["sqnr_db"] is None else f"{row['sqnr_db']:.1f}",
            *("" if width is None else str(width) for width in widths),
        )


def design_json(design: Design) -> Record:
    """What was printed, and with which parameters."""
    return {
        "folder": str(design.folder),
        "top": design.top,
        "network_sha256": design.digest,
        "sources": list(design.sources),
        "parameters": design.parameters,
        "clocks_per_image": design.clocks_per_image,
        "layers": [
            {**asdict(layer), "clocks": clocks} for layer, clocks in zip(design.layers, design.clocks, strict=True)
        ],
    }


def packing_json(program: Program, folder: Path) -> Record:
    """What was packed, and for which designs."""
    sizes = {memory.packet_name: len(packet) for memory, packet in packets(program).items()}
    return {"folder": str(folder), "signature": f"{program.signature:08x}", "layers": len(program.layers), **sizes}


def profile_json(result: Profile) -> Record:
    """Counts of each layer and of all, summed over the images."""
    parameters = result.program.parameters
    return {
        "parameters": parameters,
        "images": result.images,
        "layers": [
            {**asdict(layer), **asdict(counts)}
            for layer, counts in zip(result.program.layers, result.counts, strict=True)
        ],
        "total": asdict(_total(result)),
    }


def _total(result: Profile) -> LayerCounts:
    return reduce(operator.add, result.counts)


_TRAFFIC = ("activation_reads", "weight_reads", "shortcut_reads", "affine_reads", "activation_writes")
PROFILE_HEADINGS = ("layer", "clocks", "lanes busy", "taps effective", *(name.replace("_", " ") for name in _TRAFFIC))


def profile_title(result: Profile) -> str:
    """What was counted."""
    size = result.program.parameters
    lanes = f"{size['IN_LANES']} x {size['OUT_LANES']} lanes, {size['DRAIN_LANES']} drained"
    return f"{lanes}: predicted counters of {result.images} images"


def profile_rows(result: Profile) -> Iterator[tuple[str, ...]]:
    """A table's rows, the sum last; shares are of all lane-clocks, and of the busy ones."""
    lanes = result.program.parameters["IN_LANES"] * result.program.parameters["OUT_LANES"]
    named = [(layer.node, counts) for layer, counts in zip(result.program.layers, result.counts, strict=True)]
    for name, counts in (*named, ("all", _total(result))):
        yield (
            name,
            f"{counts.clocks:,}",
            f"{counts.busy_lanes / (counts.clocks * lanes):.1%}",
            f"{counts.effective_taps / counts.busy_lanes:.1%}" if counts.weight_reads else "",
            *(f"{getattr(counts, each):,}" for each in _TRAFFIC),
        )


def synthesis_json(result: Synthesis) -> Record:
    """Every figure with its cells; what was not asked for is null or empty."""
    gates, area = result.gates, result.area
    return {
        "top": result.top,
        "multipliers": result.multipliers,
        "memories": [{**asdict(memory), "bits": memory.bits} for memory in result.memories],
        "memory_bits": result.memory_bits if gates is not None else None,
        "gates": None
        if gates is None
        else {
            "gate_equivalents": gates.gate_equivalents,
            "flip_flops": gates.flip_flops,
            "transistors": gates.transistors,
            "convention": GATE_CONVENTION,
            "cells": dict(gates.cells),
        },
        "area": None
        if area is None
        else {
            "library": area.library,
            "area": area.area,
            "sequential_area": area.sequential_area,
            "nand2_area": area.nand2_area,
            "nand2_equivalents": area.nand2_equivalents,
            "cells": dict(area.cells),
        },
        "fpga": [
            {**asdict(filled), "fmax_mhz": None if filled.clock is None else filled.clock.fmax_mhz}
            for filled in result.fpga
        ],
    }


def synthesis_rows(result: Synthesis) -> Iterator[tuple[str, str, str]]:
    """A table's rows under target, what, figure."""
    gates, area = result.gates, result.area
    if gates is not None:
        yield "asic", "logic, gate equivalents", f"{gates.gate_equivalents:,.0f}"
        yield "asic", "flip-flops among them", f"{gates.flip_flops:,}"
        for memory in result.memories:
            yield "asic", f"memory {memory.name}", f"{memory.words:,} x {memory.width_bits:,} bits"
        yield "asic", "memory bits, not in the logic", f"{result.memory_bits:,}"
    if area is not None:
        yield f"asic, {area.library}", "logic area, in the library's unit", f"{area.area:,.1f}"
        yield f"asic, {area.library}", "flip-flops' part of it", f"{area.sequential_area:,.1f}"
        equivalents = "the library has no NAND2" if area.nand2_equivalents is None else f"{area.nand2_equivalents:,.0f}"
        yield f"asic, {area.library}", "logic area in NAND2", equivalents
        for cell, count in sorted(area.cells.items(), key=lambda entry: (-entry[1], entry[0])):
            yield f"asic, {area.library}", f"cell {cell}", f"{count:,}"
    for filled in result.fpga:
        name = FAMILIES[filled.target].name
        yield name, "LUTs", f"{filled.luts:,}"
        yield name, "flip-flops", f"{filled.flip_flops:,}"
        yield name, "block RAMs", f"{filled.block_rams:g}"
        yield name, "LUT RAMs", f"{filled.lut_rams:,}"
        yield name, "carry cells", f"{filled.carries:,}"
        yield name, "DSP blocks", f"{filled.dsps:,}"
        if filled.clock is not None:
            yield name, f"Fmax, {filled.clock.device}", clock_text(filled.clock)
            if filled.clock.path is not None:
                yield name, "critical path from", filled.clock.path.start
                yield name, "critical path to", filled.clock.path.end
    yield "all", "multiplier cells", f"{result.multipliers:,}"


def clock_text(clock: ClockRate) -> str:
    """`77.4 MHz`, or why there is no such figure."""
    if clock.outcome is Outcome.DOES_NOT_FIT:
        return f"does not fit: {clock.reason}"
    if clock.fmax_mhz is None:
        return "not finished within the time limit"
    return f"{clock.fmax_mhz:.1f} MHz"


def simulation_json(result: Simulation) -> Record:
    """The comparison in figures, and its first difference."""
    return {
        "simulator": result.simulator,
        "images": result.images,
        "layers": result.layers,
        "values_compared": result.values_compared,
        "mismatches": result.mismatches,
        "cycles_per_image": result.cycles_per_image,
        "classes": None if result.classes is None else list(result.classes),
        "mismatch": None if result.mismatch is None else asdict(result.mismatch),
        "counters": [asdict(counts) for counts in result.counters],
        "waveform": None if result.waveform is None else str(result.waveform),
    }
