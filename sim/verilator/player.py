"""Plays printed designs as compiled programs: one build, any number of jobs at once."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from quant.errors import MismatchError
from quant.integer_network import Argmax, IntegerNetwork
from rtl.design import Design
from rtl.expected import element
from sim.job import PROGRESS_FILE, STALL_CLOCKS, TIMEOUT_S, Job, Mismatch, Played, layer_counts, prepare_folder
from sim.process import log_tail, run_logged
from sim.verilator.build import build
from sim.verilator.stimulus import write_stimulus

WAVE_CLOCKS = 10_000
"""Length of a waveform, up to the first difference or the end: a clock of 16 x 16 lanes takes 13 kB of VCD."""


class VerilatorPlayer:
    """A design compiled with Verilator into a folder.

    Args:
        design: the printed design.
        network: the network it was printed from.
        folder: for the compiled programs, `build` and, when a waveform is first asked for, `build-waves`.
        stall_clocks: clocks without progress after which the design hangs.

    Raises:
        BadInputError: when the design does not compile.
        MissingToolError: without the Python package verilator.
    """

    def __init__(self, design: Design, network: IntegerNetwork, folder: Path, stall_clocks: int = STALL_CLOCKS) -> None:
        self._design, self._network, self._folder, self._stall_clocks = design, network, folder, stall_clocks
        self._program = build(design, folder / "build")

    def play(self, job: Job) -> Played:
        """As `sim.job.Player` has it; the waveform is a VCD file of the last `WAVE_CLOCKS` clocks."""
        folder = prepare_folder(self._design, job.folder)
        write_stimulus(folder / "stimulus.bin", self._design, self._network, job, self._stall_clocks)
        result = self._run(self._program, folder, folder / PROGRESS_FILE)
        waveform = None
        if job.waves:
            # The first run has shown where it ends: from there the second one knows from where on to keep the waveform.
            waveform = job.folder / f"{self._design.top}.vcd"
            first_clock = max(0, result["clocks"] - WAVE_CLOCKS)
            options = (str(waveform.resolve()), str(first_clock))
            self._run(self._waves_program(), folder, Path(os.devnull), *options)
        return self._read(job, result, waveform)

    def _waves_program(self) -> Path:
        """The program that keeps waveforms; only one job asks for one at a time."""
        folder = self._folder / "build-waves"
        return folder / self._design.top if folder.exists() else build(self._design, folder, waves=True)

    def _run(self, program: Path, folder: Path, progress: Path, *waves: str) -> dict[str, Any]:
        log_path, result_path = folder / "play.log", folder / "result.json"
        command: list[str | Path] = [program.resolve(), folder / "stimulus.bin", result_path, progress, *waves]
        try:
            run_logged(command, folder=folder, environment=os.environ, log_path=log_path, timeout_s=TIMEOUT_S)
        except subprocess.CalledProcessError as error:
            raise MismatchError(
                f"design {self._design.top} must run to its end, not stop with:\n{log_tail(log_path)}"
            ) from error
        except subprocess.TimeoutExpired as error:
            raise MismatchError(f"design {self._design.top} must end within {TIMEOUT_S:g} s, not run on") from error
        result: dict[str, Any] = json.loads(result_path.read_text())
        return result

    def _read(self, job: Job, result: dict[str, Any], waveform: Path | None) -> Played:
        if result["problem"]:
            kept = "" if waveform is None else f"; waveform: {waveform}"
            raise MismatchError(self._problem(job, result) + kept)
        has_argmax = isinstance(self._network.nodes[-1], Argmax)
        return Played(
            values_compared=result["values_compared"],
            cycles=tuple(result["cycles"]),
            classes=tuple(result["classes"]) if has_argmax else None,
            mismatch=None if result["difference"] is None else self._mismatch(result["difference"]),
            waveform=waveform,
            counters=layer_counts(result["counters"]),
        )

    def _mismatch(self, found: dict[str, int]) -> Mismatch:
        layer = self._design.layers[found["layer"]]
        channel, row, column = element(layer, found["position"])
        return Mismatch(
            found["image"], layer.node, channel, row, column, found["expected"], found["actual"], waveform=None
        )

    def _problem(self, job: Job, result: dict[str, Any]) -> str:
        top = self._design.top
        if result["problem"] != "stalled":
            return f"design {top} must show what was promised: {result['problem']}"
        last = len(job.codes) + job.first_image - 1
        if result["image"] == len(job.codes):
            where = f"at the end of image {last}"
        else:
            layer = self._design.layers[result["layer"]]
            channel, row, column = element(layer, result["position"])
            image = result["image"] + job.first_image
            where = f"in image {image} before layer {layer.node}, channel {channel}, row {row}, column {column}"
        return f"design {top} must show its next value within {self._stall_clocks:,} clocks, not hang {where}"
