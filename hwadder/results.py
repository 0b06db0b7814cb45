"""The verbs' results as JSON objects: what --json prints and what `flow` keeps between its steps."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from hwadder.verbs import Evaluation, Quantization
from rtl.design import Design
from sim.simulate import Simulation


def evaluation_json(result: Evaluation) -> dict[str, Any]:
    """Accuracy as a fraction, with what it is made of."""
    return {
        "kind": result.kind,
        "accuracy": result.accuracy,
        "correct": result.correct,
        "images": result.images,
    }


def quantization_json(result: Quantization) -> dict[str, Any]:
    """One object per layer; the ratio of an exact layer, which is infinite, becomes null."""
    layers = [asdict(row) for row in result.layers]
    for row in layers:
        row["sqnr_db"] = row["sqnr_db"] if math.isfinite(row["sqnr_db"]) else None
    return {"network": str(result.path), "sha256": result.sha256, "layers": layers}


def design_json(design: Design) -> dict[str, Any]:
    """What was printed, and with which parameters."""
    return {
        "folder": str(design.folder),
        "top": design.top,
        "network_sha256": design.digest,
        "sources": list(design.sources),
        "parameters": design.parameters,
    }


def simulation_json(result: Simulation) -> dict[str, Any]:
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
