"""Plays printed designs on Icarus Verilog, with the cocotb bench of whole accelerators."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from quant.errors import MismatchError
from rtl.design import Design
from sim.job import PROGRESS_FILE, TIMEOUT_S, Job, Mismatch, Played, layer_counts, prepare_folder
from sim.runner import BenchRun, run_bench

BENCH_MODULE = "sim.benches.bench_accelerator"


class IcarusPlayer:
    """A design on Icarus Verilog, compiled anew for each job: that takes a fraction of a second."""

    def __init__(self, design: Design) -> None:
        self._design = design

    def play(self, job: Job) -> Played:
        """As `sim.job.Player` has it; the waveform is an FST file of all the job's images."""
        design = self._design
        folder = prepare_folder(design, job.folder)
        np.save(folder / "codes.npy", job.codes)
        result_path = folder / "result.json"
        description = {
            "design": str(design.folder.resolve()),
            "codes": str(folder / "codes.npy"),
            "gap_percent": job.gap_percent,
            "reset_after": 0,
            "first_image": job.first_image,
            "result": str(result_path),
            "progress": str(folder / PROGRESS_FILE),
        }
        (folder / "job.json").write_text(json.dumps(description))
        run = BenchRun(
            top=design.top,
            bench_module=BENCH_MODULE,
            sources=design.source_files,
            build_folder=folder,
            environment={"HWADDER_JOB": str(folder / "job.json")},
            waves=job.waves,
            timeout_s=TIMEOUT_S,
        )
        try:
            run_bench(run)
        except MismatchError:
            if not result_path.is_file() or json.loads(result_path.read_text())["mismatch"] is None:
                raise
        return self._read(job, json.loads(result_path.read_text()))

    def _read(self, job: Job, result: dict[str, Any]) -> Played:
        found, classes = result["mismatch"], result["classes"]
        return Played(
            values_compared=result["values_compared"],
            cycles=tuple(result["cycles"]),
            classes=None if classes is None else tuple(classes),
            mismatch=None if found is None else Mismatch(**found, waveform=None),
            waveform=job.folder / f"{self._design.top}.fst" if job.waves else None,
            counters=layer_counts(result["counters"]),
        )
