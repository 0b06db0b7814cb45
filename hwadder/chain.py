"""The whole chain, step by step; every step keeps its result in one folder, from which a later run can go on."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from energy import EnergyReport, Precision, energy_document, write_csv
from energy.quantity import energy_text
from hwadder import verbs
from hwadder.page import introduction, sections
from hwadder.results import (
    Record,
    accuracy_text,
    design_json,
    evaluation_json,
    quantization_json,
    simulation_json,
)
from hwadder.synthesis_record import kept_synthesis
from quant.errors import BadInputError
from quant.files import replacing_file, require_file
from quant.network_file import load
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from sim.tools import Simulator, require_icarus, require_simulator

if TYPE_CHECKING:
    from hwadder.data import Dataset


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
_SOURCE = {
    FlowStep.RTL: FlowStep.QUANTIZE,
    FlowStep.SIMULATE: FlowStep.RTL,
    FlowStep.ENERGY: FlowStep.QUANTIZE,
    FlowStep.REPORT: FlowStep.QUANTIZE,
}
"""The step whose result a step works on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowOptions:
    """Everything that the steps need to know.

    Attributes:
        out: folder of all results.
        model: zoo name or `module:function`.
        checkpoint: trained weights; None for those trained by this flow, or else shipped with the model.
        data: dataset source.
        quantizer: widths and search.
        architecture: lanes of the accelerator.
        images: test images to simulate.
        simulator: what plays them.
        precision: price rows of the report's headline; None for the integer network's own widths.
    """

    out: Path
    model: str = "lenet5"
    checkpoint: Path | None = None
    data: str = "mnist"
    quantizer: QuantizerOptions = field(default_factory=QuantizerOptions)
    architecture: Architecture = field(default_factory=lambda: Architecture(in_lanes=8, out_lanes=8))
    images: int = 10
    simulator: Simulator = Simulator.ICARUS
    precision: Precision | None = None

    @property
    def trained(self) -> Path:
        """Where step train leaves its checkpoint."""
        return self.out / "checkpoint.pt"

    @property
    def network(self) -> Path:
        """The integer network's file."""
        return self.out / f"network{verbs.NETWORK_SUFFIX}"

    @property
    def design(self) -> Path:
        """The printed accelerator's folder."""
        return self.out / "rtl"

    def record(self, step: FlowStep) -> Path:
        """The file that a step leaves when it is done: its result as JSON, of the last step the page."""
        return self.out / ("report.html" if step is FlowStep.REPORT else f"{step}.json")


@dataclass(frozen=True, slots=True)
class FlowSummary:
    """What is known at the end of a flow; the results of steps that have not run are None."""

    evaluation: Record | None
    quantization: Record | None
    design: Record | None
    simulation: Record | None
    energy: Record | None
    page: Path | None
    mismatch: str | None = None

    def to_json(self) -> Record:
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
            rows.append(("float accuracy", accuracy_text(self.evaluation)))
        if self.quantization is not None:
            rows.append(("integer accuracy", accuracy_text(self.quantization["evaluation"])))
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


def flow(
    options: FlowOptions,
    first: FlowStep = FlowStep.EVALUATE,
    last: FlowStep = FlowStep.REPORT,
    *,
    announce: Callable[[str], None] = lambda _text: None,
    progress: verbs.Counter = lambda _done, _total: None,
) -> FlowSummary:
    """Run the steps from `first` to `last`; a mismatch ends the flow and stands in the summary.

    Args:
        options: what to do; results of earlier runs are taken from `options.out`.
        first: `train` trains into the folder; the default starts from a trained checkpoint.
        last: the last step to run.
        announce: told a line as each step starts.
        progress: told (done, total) within steps that count.

    Raises:
        BadInputError: steps out of order, or a first step whose input no earlier run has left; before anything is done.
        MissingToolError: no simulator, found before anything is done.
    """
    if _ORDER.index(first) > _ORDER.index(last):
        raise BadInputError(f"first step must not come after the last, not be {first} with {last}")
    steps = _ORDER[_ORDER.index(first) : _ORDER.index(last) + 1]
    if FlowStep.RTL in steps:
        require_icarus()  # its preprocessor reads back what is printed
    if FlowStep.SIMULATE in steps:
        require_simulator(options.simulator)
    run = _Flow(options, steps, progress)
    options.record(FlowStep.REPORT).unlink(missing_ok=True)
    for step in steps:
        announce(f"{step}: {options.model} on {options.data}")
        _forget(options, step)
        mismatch = run.step(step)
        if mismatch is not None:
            return _summary(options, mismatch)
    return _summary(options)


class _Flow:
    """A flow whose inputs are there: whatever the steps take from outside is loaded or found as it is built."""

    def __init__(self, options: FlowOptions, steps: tuple[FlowStep, ...], progress: verbs.Counter) -> None:
        self.options, self.progress = options, progress
        source = _SOURCE.get(steps[0])
        if source is not None:
            require_file(options.record(source), f"result of step {source}, which step {steps[0]} goes on from,")
        if steps[0] is FlowStep.TRAIN and options.checkpoint is not None:
            raise BadInputError(f"checkpoint of a flow that trains must be left out, not {options.checkpoint}")
        if steps[0] in (FlowStep.EVALUATE, FlowStep.QUANTIZE):
            require_file(self.checkpoint, "checkpoint")
        self.dataset: Dataset | None = None
        if {FlowStep.TRAIN, FlowStep.EVALUATE, FlowStep.QUANTIZE, FlowStep.SIMULATE}.intersection(steps):
            from hwadder.data import load_dataset

            self.dataset = load_dataset(options.data, verbs.image_shape(options.model))
            if FlowStep.SIMULATE in steps:
                verbs.first_test_images(self.dataset, options.images)
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(
                f"output {options.out} must be a writable folder, not refused by the system ({error.strerror})"
            ) from error

    @property
    def checkpoint(self) -> Path:
        """The weights to use; raises BadInputError when none are given and the model ships with none."""
        from hwadder.models import shipped_weights

        if self.options.checkpoint is not None:
            return self.options.checkpoint
        return self.options.trained if self.options.trained.is_file() else shipped_weights(self.options.model)

    def step(self, step: FlowStep) -> str | None:
        """Run one step and leave its record; returns the sentence of a mismatch."""
        options = self.options
        data = self.dataset or options.data
        if step is FlowStep.TRAIN:
            verbs.train(options.model, data, options.trained)
        elif step is FlowStep.EVALUATE:
            evaluation = verbs.evaluate(self.checkpoint, data, options.model, self.progress)
            _write(options.record(step), evaluation_json(evaluation))
        elif step is FlowStep.QUANTIZE:
            self._quantize(data)
        elif step is FlowStep.RTL:
            _write(options.record(step), design_json(verbs.rtl(options.network, options.design, options.architecture)))
        elif step is FlowStep.SIMULATE:
            result = verbs.simulate(
                options.design,
                data,
                options.images,
                simulator=options.simulator,
                waves=True,
                progress=self.progress,
            )
            _write(options.record(step), simulation_json(result))
            return None if result.mismatch is None else result.mismatch.sentence()
        elif step is FlowStep.ENERGY:
            report = _energy(options)
            write_csv(report, options.out / "energy.csv")
            _write(options.record(step), report.to_json())
        else:
            _write_report(options)
        return None

    def _quantize(self, data: verbs.Source) -> None:
        options = self.options
        result = verbs.quantize(self.checkpoint, options.model, data, options.network, options.quantizer)
        # Evaluated from the file, as every later step reads it.
        evaluation = verbs.evaluate(options.network, data, progress=self.progress)
        record = {
            "model": options.model,
            "data": options.data,
            "bits": options.quantizer.bits,
            **quantization_json(result),
            "evaluation": evaluation_json(evaluation),
        }
        _write(options.record(FlowStep.QUANTIZE), record)


def _write(path: Path, content: Record) -> None:
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")


def _forget(options: FlowOptions, step: FlowStep) -> None:
    """Remove the record of a step and of those that go on from it: what they say is about to hold no longer."""
    options.record(step).unlink(missing_ok=True)
    for later, source in _SOURCE.items():
        if source is step:
            _forget(options, later)


def _energy(options: FlowOptions) -> EnergyReport:
    return verbs.energy(str(options.network), options.precision)


def _summary(options: FlowOptions, mismatch: str | None = None) -> FlowSummary:
    """What this run and earlier ones left, so that a flow that starts late still reports the whole."""

    def read(step: FlowStep) -> Record | None:
        path = options.record(step)
        if not path.is_file():
            return None
        try:
            content: Record = json.loads(path.read_text())
        except ValueError as error:
            raise BadInputError(f"result of step {step} must be undamaged JSON, not unreadable: {path}") from error
        return content

    page = options.record(FlowStep.REPORT)
    return FlowSummary(
        evaluation=read(FlowStep.EVALUATE),
        quantization=read(FlowStep.QUANTIZE),
        design=read(FlowStep.RTL),
        simulation=read(FlowStep.SIMULATE),
        energy=read(FlowStep.ENERGY),
        page=page if page.is_file() else None,
        mismatch=mismatch,
    )


def _write_report(options: FlowOptions) -> None:
    known = _summary(options)
    assert known.quantization is not None  # the step's source, so it has run or its file was required
    figures, parts = sections(
        load(options.network),
        known.evaluation,
        known.quantization,
        known.design,
        known.simulation,
        None if known.design is None else kept_synthesis(options.design),
    )
    document = energy_document(
        _energy(options),
        parts,
        title=f"{known.quantization['model']} on adder-only hardware",
        introduction=introduction(known.quantization, known.design, known.simulation),
        key_figures=figures,
    )
    document.write(options.record(FlowStep.REPORT))
