"""Playing real images to a printed accelerator on Icarus and comparing every layer with the golden model."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from quant.errors import BadInputError, MismatchError
from quant.integer_network import IntArray
from rtl.design import Design, load_design
from sim.runner import BenchRun, run_bench
from sim.tools import require_icarus

BENCH_MODULE = "sim.benches.bench_accelerator"
BUILD_FOLDER = "simulation"
_POLL_S = 0.5

Progress = Callable[[int, int], None]
"""Told how many layers of how many are done, over all images."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first element in which the simulated design differs from the golden model."""

    image: int
    layer: str
    channel: int
    row: int
    column: int
    expected: int
    actual: int | str
    waveform: str | None

    def sentence(self) -> str:
        """What a person needs to find it."""
        return (
            f"layer {self.layer} must equal the golden model, not differ in image {self.image} at channel "
            f"{self.channel}, row {self.row}, column {self.column}: expected {self.expected}, actual {self.actual}; "
            f"waveform: {self.waveform}"
        )


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation showed.

    Attributes:
        simulator: name and version.
        images: images played.
        layers: layers of the network that were compared.
        values_compared: values compared, over all layers and images.
        cycles_per_image: clocks from the first code accepted to the last output accepted, the mean over the images.
        classes: argmax per image as the hardware gave it; None when the network has none.
        mismatch: the first difference; None when all values are equal.
        waveform: FST file, when one was kept.
    """

    simulator: str
    images: int
    layers: int
    values_compared: int
    cycles_per_image: float
    classes: tuple[int, ...] | None
    mismatch: Mismatch | None
    waveform: Path | None

    @property
    def mismatches(self) -> int:
        """Number of differences seen; a run stops at its first."""
        return int(self.mismatch is not None)


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """Some of the images, played back to back in one simulator."""

    folder: Path
    codes: IntArray
    first_image: int
    gap_percent: int
    waves: bool


def _play(design: Design, job: _Job) -> dict[str, Any]:
    """Run one simulator; the returned object is the bench's result with the waveform's path."""
    job.folder.mkdir(parents=True)
    # The design reads its memory images relative to the simulator's folder.
    (job.folder / "memory").symlink_to((design.folder / "memory").resolve(), target_is_directory=True)
    np.save(job.folder / "codes.npy", job.codes)
    description = {
        "design": str(design.folder.resolve()),
        "codes": str((job.folder / "codes.npy").resolve()),
        "gap_percent": job.gap_percent,
        "reset_after": 0,
        "first_image": job.first_image,
        "result": str((job.folder / "result.json").resolve()),
        "progress": str((job.folder / "progress").resolve()),
    }
    (job.folder / "job.json").write_text(json.dumps(description))
    run = BenchRun(
        top=design.top,
        bench_module=BENCH_MODULE,
        sources=design.source_files,
        build_folder=job.folder,
        environment={"HWADDER_JOB": str((job.folder / "job.json").resolve())},
        waves=job.waves,
        timeout_s=6 * 3600.0,
    )
    waveform = job.folder / f"{design.top}.fst" if job.waves else None
    try:
        run_bench(run)
    except MismatchError:
        result_path = job.folder / "result.json"
        result = json.loads(result_path.read_text()) if result_path.is_file() else {}
        if result.get("mismatch") is None:
            raise
        return {**result, "waveform": waveform}
    return {**json.loads((job.folder / "result.json").read_text()), "waveform": waveform}


def _jobs(folder: Path, codes: IntArray, processes: int, gap_percent: int, waves: bool) -> list[_Job]:
    """Images split evenly over the processes; with waves the first runs alone, so that the waveform stays small."""
    first = 1 if waves else 0
    jobs = [_Job(folder / "waves", codes[:1], 0, gap_percent, True)] if waves else []
    rest = np.array_split(np.arange(first, len(codes)), processes)
    jobs += [
        _Job(folder / f"part{number}", codes[part], int(part[0]), gap_percent, False)
        for number, part in enumerate(rest)
        if len(part)
    ]
    return jobs


def _layers_done(jobs: Sequence[_Job]) -> int:
    files = (job.folder / "progress" for job in jobs)
    return sum(file.stat().st_size for file in files if file.is_file())


def simulate(
    folder: Path,
    codes: IntArray,
    *,
    waves: bool = False,
    gap_percent: int = 0,
    processes: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Simulation:
    """Play images to the design in `folder` and compare every value of every layer with the golden model.

    Args:
        folder: a design printed by `rtl.generator.print_design`; its folder `simulation` is emptied for build files.
        codes: input codes (N, C, H, W) as `quant.golden.encode` gives them.
        waves: keep a waveform of the first image.
        gap_percent: share of clocks in which either stream pauses, 0 to 99.
        processes: simulators at once; default one per processor.
        progress: told how many layers are done.

    Raises:
        BadInputError: no images, codes or options that do not fit, a folder that is no design.
        MissingToolError: no simulator.
        MismatchError: the bench failed in a way that names no element (it hung, or the stream broke its protocol).
    """
    version = require_icarus()
    design, network = load_design(folder)
    if codes.ndim != 4 or codes.shape[1:] != network.input.shape or not len(codes):
        shape = ", ".join(map(str, network.input.shape))
        raise BadInputError(f"codes must be of shape (N, {shape}) with N at least 1, not {codes.shape}")
    if not 0 <= gap_percent <= 99:
        raise BadInputError(f"gap percent must be 0 to 99, not {gap_percent}")
    if (folder / BUILD_FOLDER).exists():
        shutil.rmtree(folder / BUILD_FOLDER)
    workers = processes or os.cpu_count() or 1
    jobs = _jobs(folder / BUILD_FOLDER, codes, workers, gap_percent, waves)
    total = len(codes) * len(design.layers)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        pending = {pool.submit(_play, design, job): job for job in jobs}
        running = set(pending)
        while running:
            done, running = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            progress(_layers_done(jobs), total)
            for future in done:
                future.result()
        results = [future.result() for future in pending]
    failed = next((result for result in results if result["mismatch"] is not None), None)
    mismatch = None if failed is None else _explain(design, failed, codes, folder / BUILD_FOLDER, gap_percent)
    cycles = [cycle for result in results for cycle in result["cycles"]]
    known = all(result["classes"] is not None for result in results)
    return Simulation(
        simulator=f"Icarus Verilog {version}",
        images=len(codes),
        layers=len({layer.node for layer in design.layers}),
        values_compared=sum(result["values_compared"] for result in results),
        cycles_per_image=float(np.mean(cycles)) if cycles else 0.0,
        classes=tuple(int(index) for result in results for index in result["classes"]) if known else None,
        mismatch=mismatch,
        waveform=next((result["waveform"] for result in results if result["waveform"] is not None), None),
    )


def _explain(design: Design, failed: dict[str, Any], codes: IntArray, folder: Path, gap_percent: int) -> Mismatch:
    """The mismatch with its waveform: where none was kept, the image that failed runs once more."""
    found = failed["mismatch"]
    waveform = failed["waveform"]
    if waveform is None:
        image = found["image"]
        again = _play(design, _Job(folder / "mismatch", codes[image : image + 1], image, gap_percent, True))
        waveform = again["waveform"]
    return Mismatch(**found, waveform=str(waveform))
