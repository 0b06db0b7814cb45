"""Playing real images to a printed accelerator and comparing every layer with the golden model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from quant.errors import BadInputError, MismatchError
from quant.golden import trace
from quant.integer_network import IntArray, IntegerNetwork
from rtl.counters import predict_counters
from rtl.design import Design, load_design
from rtl.driver import LayerCounts
from rtl.fitting import program_for
from sim.icarus import IcarusPlayer
from sim.job import Job, Mismatch, Played, Player
from sim.tools import Simulator, require_simulator
from sim.verilator.player import VerilatorPlayer

__all__ = ["Mismatch", "Progress", "Simulation", "simulate"]

BUILD_FOLDER = "simulation"
_POLL_S = 0.5

Progress = Callable[[int, int], None]
"""Told how many layers of how many are done, over all images."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a simulation showed.

    Attributes:
        simulator: name and version.
        images: images played.
        layers: layers of the network that were compared.
        values_compared: values compared, over all layers and images.
        cycles_per_image: clocks from the first layer's beginning to the last output accepted, the mean over the images.
        classes: argmax per image as the hardware gave it; None when the network has none.
        mismatch: the first difference; None when all values are equal.
        counters: what each layer of the last image took, as read from the registers and as predicted; empty after a
            mismatch.
        waveform: its file, when one was kept.
    """

    simulator: str
    images: int
    layers: int
    values_compared: int
    cycles_per_image: float
    classes: tuple[int, ...] | None
    mismatch: Mismatch | None
    counters: tuple[LayerCounts, ...]
    waveform: Path | None

    @property
    def mismatches(self) -> int:
        """Number of differences seen; a run stops at its first."""
        return int(self.mismatch is not None)


def _player(simulator: Simulator, design: Design, network: IntegerNetwork, folder: Path) -> Player:
    if simulator is Simulator.ICARUS:
        return IcarusPlayer(design)
    return VerilatorPlayer(design, network, folder)


def _jobs(folder: Path, codes: IntArray, processes: int, gap_percent: int, waves: bool) -> list[Job]:
    """Images split evenly over the processes; with waves the first runs alone, so that the waveform stays small."""
    first = 1 if waves else 0
    jobs = [Job(folder / "waves", codes[:1], 0, gap_percent, True)] if waves else []
    rest = np.array_split(np.arange(first, len(codes)), processes)
    jobs += [
        Job(folder / f"part{number}", codes[part], int(part[0]), gap_percent, False)
        for number, part in enumerate(rest)
        if len(part)
    ]
    return jobs


def _require_predicted(design: Design, network: IntegerNetwork, job: Job, result: Played) -> None:
    """The counters of a job's last image must be those that `rtl.counters` predicts."""
    if not result.counters or not design.parameters["COUNTERS"]:
        return
    program = program_for(network, design.parameters)
    predicted = predict_counters(program, network, trace(network, job.codes[-1:]))
    for layer, counted, expected in zip(design.layers, result.counters, predicted, strict=True):
        # Only the streams' pauses change anything, and only how long a layer takes.
        wanted = replace(expected, clocks=counted.clocks) if job.gap_percent else expected
        if counted != wanted:
            raise MismatchError(
                f"counters of layer {layer.node} must be as predicted, {wanted}, not {counted}, "
                f"for image {job.first_image + len(job.codes) - 1}"
            )


def simulate(
    folder: Path,
    codes: IntArray,
    *,
    simulator: Simulator = Simulator.ICARUS,
    waves: bool = False,
    gap_percent: int = 0,
    processes: int | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Simulation:
    """Play images to the design in `folder` and compare every value of every layer with the golden model.

    Args:
        folder: a design printed by `rtl.generator.print_design`; its folder `simulation` is emptied for build files.
        codes: input codes (N, C, H, W) as `quant.golden.encode` gives them.
        simulator: what plays them; both see the same values in the same clocks, where no stream pauses.
        waves: keep a waveform of the first image: all of it from Icarus, its last clocks from Verilator.
        gap_percent: share of clocks in which either stream pauses, 0 to 99.
        processes: simulators at once; default one per processor.
        progress: told how many layers are done.

    Raises:
        BadInputError: no images, codes or options that do not fit, a folder that is no design.
        MissingToolError: no simulator.
        MismatchError: the design failed in a way that names no element (it hung, or a stream broke its protocol).
    """
    version = require_simulator(simulator)
    design, network = load_design(folder)
    if codes.ndim != 4 or codes.shape[1:] != network.input.shape or not len(codes):
        shape = ", ".join(map(str, network.input.shape))
        raise BadInputError(f"codes must be of shape (N, {shape}) with N at least 1, not {codes.shape}")
    if not 0 <= gap_percent <= 99:
        raise BadInputError(f"gap percent must be 0 to 99, not {gap_percent}")
    build_folder = folder / BUILD_FOLDER
    if build_folder.exists():
        shutil.rmtree(build_folder)
    player = _player(simulator, design, network, build_folder)
    workers = processes or os.cpu_count() or 1
    jobs = _jobs(build_folder, codes, workers, gap_percent, waves)
    total = len(codes) * len(design.layers)
    with ThreadPoolExecutor(max_workers=workers) as pool:
        pending = [pool.submit(player.play, job) for job in jobs]
        running = set(pending)
        while running:
            done, running = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            progress(sum(job.layers_done for job in jobs), total)
            for future in done:
                future.result()
        results = [future.result() for future in pending]
    failed = next((result for result in results if result.mismatch is not None), None)
    mismatch = None if failed is None else failed.mismatch
    if failed is not None and mismatch is not None:
        waveform = failed.waveform
        if waveform is None:  # the image that failed plays once more
            one = codes[mismatch.image : mismatch.image + 1]
            waveform = player.play(Job(build_folder / "mismatch", one, mismatch.image, gap_percent, True)).waveform
        mismatch = replace(mismatch, waveform=str(waveform))
    for job, result in zip(jobs, results, strict=True):
        _require_predicted(design, network, job, result)
    cycles = [cycle for result in results for cycle in result.cycles]
    classes = [result.classes for result in results if result.classes is not None]
    return Simulation(
        simulator=version,
        images=len(codes),
        layers=len({layer.node for layer in design.layers}),
        values_compared=sum(result.values_compared for result in results),
        cycles_per_image=float(np.mean(cycles)) if cycles else 0.0,
        classes=tuple(index for part in classes for index in part) if len(classes) == len(results) else None,
        mismatch=mismatch,
        counters=results[-1].counters,
        waveform=next((result.waveform for result in results if result.waveform is not None), None),
    )
