"""The verbs' results as JSON objects: what --json prints, and what `flow` keeps between its steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hwadder.verbs import Evaluation, Quantization
from rtl.design import Design
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
    }


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
