"""The verbs' results as JSON objects: what --json prints, and what `flow` keeps between its steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hwadder.verbs import Evaluation, Quantization
from rtl.design import Design
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
    }


def accuracy_text(evaluation: Record) -> str:
    """`98.60% (986 of 1000)`."""
    return f"{evaluation['accuracy']:.2%} ({evaluation['correct']} of {evaluation['images']})"


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
        "fpga": [asdict(resources) for resources in result.fpga],
        "fmax": None,
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
    yield "all", "multiplier cells", f"{result.multipliers:,}"


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
        "waveform": None if result.waveform is None else str(result.waveform),
    }
