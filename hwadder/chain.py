"""The whole chain, step by step; every step keeps its result in one folder, from which a later run can go on."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from energy import EnergyReport, Precision, write_csv, write_page
from energy.quantity import energy_text
from hwadder import verbs
from hwadder.page import sections
from hwadder.results import design_json, evaluation_json, quantization_json, simulation_json
from quant.errors import BadInputError
from quant.files import replacing_file, require_file
from quant.network_file import load
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from sim.tools import require_icarus


class FlowStep(enum.StrEnum):
    """The steps in their order."""

    TRAIN = "train"
    EVALUATE = "evaluate"
    QUANTIZE = "quantize"
    RTL = "rtl"
    SIMULATE = "simulate"
    ENERGY = "energy"
    REPORT = "report"


_ORDER = tuple(FlowStep)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOptions:
    """Everything that the steps need to know.

    Attributes:
        model: zoo name or `module:function`.
        checkpoint: trained weights; None for those shipped with the model.
        data: dataset source.
        quantizer: widths and search.
        architecture: lanes of the accelerator.
        images: test images to simulate.
        precision: price rows of the report's headline.
        out: folder of all results.
    """

    model: str
    checkpoint: Path | None
    data: str
    quantizer: QuantizerOptions
    architecture: Architecture
    images: int
    precision: Precision
    out: Path

    @property
    def network(self) -> Path:
        """The integer network's file."""
        return self.out / f"network{verbs.NETWORK_SUFFIX}"

    @property
    def design(self) -> Path:
        """The printed accelerator's folder."""
        return self.out / "rtl"

    def record(self, step: FlowStep) -> Path:
        """The JSON file that a step leaves."""
        return self.out / f"{step}.json"


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """What is known at the end of a flow; the results of steps that have not run are None."""

    evaluation: dict[str, Any] | None
    quantization: dict[str, Any] | None
    design: dict[str, Any] | None
    simulation: dict[str, Any] | None
    energy: dict[str, Any] | None
    page: Path | None
    mismatch: str | None = None

    def to_json(self) -> dict[str, Any]:
        """One object with an object per step."""
        return {
            "evaluate": self.evaluation,
            "quantize": self.quantization,
            "rtl": self.design,
            "simulate": self.simulation,
            "energy": self.energy,
            "report": None if self.page is None else str(self.page),
        }

    def rows(self) -> list[tuple[str, str]]:
        """The closing table."""
        rows: list[tuple[str, str]] = []
        if self.evaluation is not None:
            rows.append(("float accuracy", _accuracy(self.evaluation)))
        if self.quantization is not None:
            rows.append(("integer accuracy", _accuracy(self.quantization["evaluation"])))
        if self.simulation is not None:
            done = self.simulation
            rows += [
                ("RTL against golden model", f"{done['mismatches']} mismatches in {done['values_compared']:,} values"),
                ("simulated", f"{done['images']} images, {done['layers']} layers, {done['simulator']}"),
                ("cycles per image", f"{done['cycles_per_image']:,.0f}"),
                ("waveform", str(done["waveform"])),
            ]
        if self.energy is not None:
            totals = self.energy["totals"]
            adder, cnn = (energy_text(Fraction(totals[kind]["energy_pj"])) for kind in ("adder", "cnn"))
            rows.append((f"energy, {self.energy['precision']}", f"{adder} (same network as CNN: {cnn})"))
        if self.page is not None:
            rows.append(("report", str(self.page)))
        return rows


def _accuracy(evaluation: dict[str, Any]) -> str:
    return f"{evaluation['accuracy']:.2%} ({evaluation['correct']} of {evaluation['images']})"


def _write(path: Path, content: dict[str, Any]) -> dict[str, Any]:
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return content


def _read(options: FlowOptions, step: FlowStep) -> dict[str, Any] | None:
    """What an earlier run left, so that a flow that starts late still reports the whole."""
    path = options.record(step)
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise BadInputError(f"result of step {step} must be undamaged JSON, not unreadable: {path}") from error
    return content


def run_flow(
    options: FlowOptions,
    first: FlowStep = FlowStep.EVALUATE,
    last: FlowStep = FlowStep.REPORT,
    *,
    announce: Callable[[str], None] = lambda text: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FlowSummary:
    """Run the steps from `first` to `last`.

    Args:
        options: what to do; results of earlier runs are taken from `options.out`.
        first: `train` trains into the folder; the default starts from a trained checkpoint.
        last: the last step to run.
        announce: told a line as each step starts.
        progress: told (done, total) within steps that count.

    Raises:
        BadInputError: steps out of order, or a step whose input no earlier run has left.
        MissingToolError: no simulator, found before anything is done.
    """
    if _ORDER.index(first) > _ORDER.index(last):
        raise BadInputError(f"first step must not come after the last, not be {first} with {last}")
    steps = _ORDER[_ORDER.index(first) : _ORDER.index(last) + 1]
    if FlowStep.SIMULATE in steps:
        require_icarus()
    checkpoint = _checkpoint(options, steps)
    for step in steps:
        announce(f"{step}: {options.model} on {options.data}")
        if step is FlowStep.TRAIN:
            verbs.train(options.model, options.data, checkpoint)
        elif step is FlowStep.EVALUATE:
            _write(options.record(step), evaluation_json(verbs.evaluate(checkpoint, options.data, options.model, progress)))
        elif step is FlowStep.QUANTIZE:
            _quantize(options, checkpoint, progress)
        elif step is FlowStep.RTL:
            require_file(options.network, "network file of step quantize")
            _write(options.record(step), design_json(verbs.rtl(options.network, options.design, options.architecture)))
        elif step is FlowStep.SIMULATE:
            result = verbs.simulate(options.design, options.data, options.images, waves=True, progress=progress)
            _write(options.record(step), simulation_json(result))
            if result.mismatch is not None:
                return _summary(options, None, result.mismatch.sentence())
        elif step is FlowStep.ENERGY:
            report = _energy(options)
            _write(options.record(step), report.to_json())
            write_csv(report, options.out / "energy.csv")
        else:
            _write_report(options)
    return _summary(options, options.out / "report.html" if FlowStep.REPORT in steps else None)


def _checkpoint(options: FlowOptions, steps: tuple[FlowStep, ...]) -> Path:
    """The checkpoint that the steps use; raises before any work when it is needed and missing."""
    from hwadder.models import shipped_weights

    if FlowStep.TRAIN in steps:
        return options.checkpoint or options.out / "checkpoint.pt"
    if options.checkpoint is None:
        trained = options.out / "checkpoint.pt"
        checkpoint = trained if trained.is_file() else shipped_weights(options.model)
    else:
        checkpoint = options.checkpoint
    if FlowStep.EVALUATE in steps or FlowStep.QUANTIZE in steps:
        require_file(checkpoint, "checkpoint")
    return checkpoint


def _quantize(options: FlowOptions, checkpoint: Path, progress: Callable[[int, int], None]) -> None:
    from hwadder.data import load_dataset

    result = verbs.quantize(checkpoint, options.model, options.data, options.network, options.quantizer)
    evaluation = verbs.evaluate_network(result.network, load_dataset(options.data), progress)
    _write(
        options.record(FlowStep.QUANTIZE), {**quantization_json(result), "evaluation": evaluation_json(evaluation)}
    )


def _energy(options: FlowOptions) -> EnergyReport:
    require_file(options.network, "network file of step quantize")
    return verbs.energy(str(options.network), options.precision)


def _summary(options: FlowOptions, page: Path | None, mismatch: str | None = None) -> FlowSummary:
    return FlowSummary(
        evaluation=_read(options, FlowStep.EVALUATE),
        quantization=_read(options, FlowStep.QUANTIZE),
        design=_read(options, FlowStep.RTL),
        simulation=_read(options, FlowStep.SIMULATE),
        energy=_read(options, FlowStep.ENERGY),
        page=page,
        mismatch=mismatch,
    )


def _write_report(options: FlowOptions) -> None:
    summary = _summary(options, None)
    network = load(options.network)
    figures, parts = sections(
        network, summary.evaluation, summary.quantization, summary.design, summary.simulation
    )
    write_page(
        _energy(options),
        options.out / "report.html",
        parts,
        title=f"{options.model} on adder-only hardware",
        introduction=(
            f"{options.model} trained on {options.data}, quantized to {options.quantizer.bits} bits, printed as Verilog with "
            f"{options.architecture.in_lanes} x {options.architecture.out_lanes} lanes, and simulated against the golden "
            "integer model."
        ),
        key_figures=figures,
    )
