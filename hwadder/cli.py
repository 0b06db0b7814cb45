"""The command line: parses, calls the verbs, prints.

Results go to stdout (one JSON object with --json), everything else to stderr. Exit codes: 0 fine, 1 mismatch, 2 bad
input, 3 missing tool.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from energy import Precision, terminal_report, write_csv, write_page
from hwadder import verbs
from hwadder.chain import FlowOptions, FlowStep, run_flow
from hwadder.doctor import require_needed
from hwadder.results import design_json, evaluation_json, quantization_json, simulation_json
from quant.errors import BadInputError, MismatchError, MissingToolError
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture, LaneForm

P = ParamSpec("P")

PATH = click.Path(path_type=Path)
_DATA_HELP = "mnist, a CIFAR python-batches folder, an image folder, or an .npz file"
_MODEL_HELP = "lenet5, resnet20, resnet32 or module:function"

data_option = click.option("--data", required=True, help=_DATA_HELP)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")

# torch's threads spin while they wait; on a busy machine that made an evaluation twenty times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

_err = Console(stderr=True)


def _emit(as_json: bool, content: dict[str, Any], text: Callable[[Console], None]) -> None:
    """Print the result: one JSON object, or what a person reads."""
    if as_json:
        click.echo(json.dumps(content))
    else:
        text(Console())


@contextlib.contextmanager
def _bar(description: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; the caller reports (done, total)."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_err, transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def _spinner(description: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr that names the step at work."""
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=_err, transient=True) as bar:
        task = bar.add_task(description, total=None)
        yield lambda step: bar.update(task, description=f"{description}: {step}")


def _exit_codes(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the three kinds of failure into one sentence and their exit code."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except MismatchError as error:
            _fail(str(error), 1)
        except BadInputError as error:
            _fail(str(error), 2)
        except OSError as error:
            _fail(f"file {error.filename} must be readable and writable, not refused by the system ({error.strerror})", 2)
        except MissingToolError as error:
            _fail(str(error), 3)

    return guarded


def _fail(message: str, code: int) -> None:
    click.echo(f"hwadder: {message}", err=True)
    sys.exit(code)


def _rows(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*map(str, row))
    return table


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hwadder")
def main() -> None:
    """From a trained AdderNet to integers, to Verilog proven bit for bit in simulation, to an energy report."""


@main.command()
@json_option
@_exit_codes
def doctor(as_json: bool) -> None:
    """Show which tools the chain finds on this machine."""
    statuses = verbs.doctor()
    rows = [
        (status.name, status.version or ("MISSING" if status.needed else "not installed"), status.purpose)
        + (("",) if status.version else (status.install,))
        for status in statuses
    ]
    table = _rows("Tools", ("tool", "version", "what for", "install"), rows)
    _emit(as_json, {"tools": [asdict(status) for status in statuses]}, lambda console: console.print(table))
    require_needed(statuses)


@main.command()
@click.argument("model", metavar="MODEL")
@data_option
@click.option("--out", required=True, type=PATH, help="Checkpoint of the best epoch; the last, a log and curves go beside.")
@click.option("--epochs", type=int, help="Number of epochs.")
@click.option("--batch-size", type=int, help="Images a step.")
@click.option("--learning-rate", type=float, help="Of the cosine schedule's start.")
@click.option("--seed", type=int, help="Of initial weights, order and augmentation.")
@click.option("--resume", is_flag=True, help="Go on from OUT.last.")
@json_option
@_exit_codes
def train(
    model: str,
    data: str,
    out: Path,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
    seed: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Train MODEL (lenet5, resnet20, resnet32 or module:function)."""
    from hwadder.train import TrainConfig

    given = {"epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "seed": seed}
    config = TrainConfig(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    result = verbs.train(model, data, out, config, resume=resume)
    content = {"model": model, "checkpoint": str(out), "epochs": len(result.log), "best": asdict(result.best)}
    _emit(
        as_json,
        content,
        lambda console: console.print(
            f"{out}: best epoch {result.best.epoch} with {result.best.validation_accuracy:.2%} of the validation images right"
        ),
    )


@main.command()
@click.argument("file", type=PATH)
@click.option("--model", help=f"Model of a checkpoint: {_MODEL_HELP}.")
@data_option
@json_option
@_exit_codes
def evaluate(file: Path, model: str | None, data: str, as_json: bool) -> None:
    """Top-1 accuracy of FILE, a checkpoint or a quantized network, on the test split."""
    with _bar("evaluating") as progress:
        result = verbs.evaluate(file, data, model, progress)
    _emit(
        as_json,
        evaluation_json(result),
        lambda console: console.print(f"{result.accuracy:.2%} ({result.correct} of {result.images}, {result.kind})"),
    )


def _quantization_rows(result: verbs.Quantization) -> Table:
    def shown(value: object) -> object:
        return "" if value is None else value

    return _rows(
        f"{result.path}: {len(result.layers)} layers, SHA-256 {result.sha256[:16]}",
        ("layer", "type", "bits", "clip at", "weights clipped", "SQNR dB", "sum bits", "affine bits", "shift"),
        [
            (
                row.layer,
                row.type,
                row.bits,
                f"{row.clip:.4g}",
                "" if row.weights_clipped is None else f"{row.weights_clipped:.1%}",
                f"{row.sqnr_db:.1f}",
                shown(row.accumulator_bits),
                shown(row.affine_bits),
                shown(row.shift),
            )
            for row in result.layers
        ],
    )


@main.command()
@click.argument("file", type=PATH)
@click.option("--model", required=True, help=_MODEL_HELP)
@data_option
@click.option("--bits", default=8, show_default=True, help="Width of codes and weights, 2 to 8.")
@click.option("--edge-bits", default=8, show_default=True, help="Width in the first and the last layer.")
@click.option("--out", required=True, type=PATH, help="The integer network's file.")
@json_option
@_exit_codes
def quantize(file: Path, model: str, data: str, bits: int, edge_bits: int, out: Path, as_json: bool) -> None:
    """Turn the checkpoint FILE into an integer network."""
    options = QuantizerOptions(bits=bits, edge_bits=edge_bits)
    with _spinner("quantizing") as progress:
        result = verbs.quantize(file, model, data, out, options, progress)
    _emit(as_json, quantization_json(result), lambda console: console.print(_quantization_rows(result)))


@main.command()
@click.argument("net", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder of the design.")
@click.option("--in-lanes", default=16, show_default=True, help="Input channels a clock.")
@click.option("--out-lanes", default=16, show_default=True, help="Output channels at once.")
@click.option("--lane", type=click.Choice([form.value for form in LaneForm]), default="min", show_default=True)
@click.option("--vectors", default=0, show_default=True, help="Images of stimulus for a plain Verilog testbench.")
@json_option
@_exit_codes
def rtl(net: Path, out: Path, in_lanes: int, out_lanes: int, lane: str, vectors: int, as_json: bool) -> None:
    """Print the accelerator of the quantized network NET as Verilog."""
    architecture = Architecture(in_lanes=in_lanes, out_lanes=out_lanes, lane_form=LaneForm(lane))
    with _spinner("printing and reading back"):
        design = verbs.rtl(net, out, architecture, vectors)
    table = _rows(f"{design.top} in {out}", ("parameter", "value"), list(design.parameters.items()))
    _emit(as_json, design_json(design), lambda console: console.print(table))


@main.command()
@click.argument("folder", metavar="DIR", type=PATH)
@data_option
@click.option("--images", default=1, show_default=True, help="Test images to play, from the first.")
@click.option("--waves", is_flag=True, help="Keep a waveform of the first image.")
@json_option
@_exit_codes
def simulate(folder: Path, data: str, images: int, waves: bool, as_json: bool) -> None:
    """Play test images to the design in DIR and compare every layer with the golden model."""
    with _bar("simulating layers") as progress:
        result = verbs.simulate(folder, data, images, waves=waves, progress=progress)
    _emit(
        as_json,
        simulation_json(result),
        lambda console: console.print(
            f"{result.simulator}: {result.images} images, {result.layers} layers, {result.values_compared:,} values compared, "
            f"{result.mismatches} mismatches, {result.cycles_per_image:,.0f} cycles per image"
            + (f"; waveform {result.waveform}" if result.waveform else "")
        ),
    )
    if result.mismatch is not None:
        raise MismatchError(result.mismatch.sentence())


@main.command()
@click.argument("model", metavar="MODEL|NET")
@click.option(
    "--precision",
    type=click.Choice([precision.value for precision in Precision]),
    default=Precision.FP32.value,
    show_default=True,
    help="Which rows of the table price the operations.",
)
@click.option("--html", type=PATH, help="Write a report page.")
@click.option("--csv", type=PATH, help="Write one line per layer and operation.")
@json_option
@_exit_codes
def energy(model: str, precision: str, html: Path | None, csv: Path | None, as_json: bool) -> None:
    """Operations and energy of MODEL, or of the quantized network NET, beside the same network as a CNN."""
    with _spinner("counting"):
        report = verbs.energy(model, Precision(precision))
        if csv is not None:
            write_csv(report, csv)
        if html is not None:
            write_page(report, html)
    _emit(as_json, report.to_json(), lambda console: console.print(terminal_report(report)))


@main.command()
@click.option("--model", default="lenet5", show_default=True, help=_MODEL_HELP)
@click.option("--checkpoint", type=PATH, help="Default: the weights shipped with the model.")
@click.option("--data", default="mnist", show_default=True, help=_DATA_HELP)
@click.option("--bits", default=8, show_default=True, help="Width of codes and weights, 2 to 8.")
@click.option("--in-lanes", default=8, show_default=True, help="Input channels a clock.")
@click.option("--out-lanes", default=8, show_default=True, help="Output channels at once.")
@click.option("--lane", type=click.Choice([form.value for form in LaneForm]), default="min", show_default=True)
@click.option("--images", default=10, show_default=True, help="Test images to simulate.")
@click.option(
    "--precision", type=click.Choice([p.value for p in Precision]), default=Precision.FP32.value, show_default=True
)
@click.option("--out", required=True, type=PATH, help="Folder that keeps every intermediate result.")
@click.option("--from", "first", type=click.Choice([step.value for step in FlowStep]), default="evaluate", show_default=True)
@click.option("--to", "last", type=click.Choice([step.value for step in FlowStep]), default="report", show_default=True)
@json_option
@_exit_codes
def flow(
    model: str,
    checkpoint: Path | None,
    data: str,
    bits: int,
    in_lanes: int,
    out_lanes: int,
    lane: str,
    images: int,
    precision: str,
    out: Path,
    first: str,
    last: str,
    as_json: bool,
) -> None:
    """The whole chain: evaluate, quantize, rtl, simulate, energy, report; it can start and stop at any step."""
    options = FlowOptions(
        model=model,
        checkpoint=checkpoint,
        data=data,
        quantizer=QuantizerOptions(bits=bits),
        architecture=Architecture(in_lanes=in_lanes, out_lanes=out_lanes, lane_form=LaneForm(lane)),
        images=images,
        precision=Precision(precision),
        out=out,
    )
    with _bar("flow") as progress:
        summary = run_flow(
            options,
            FlowStep(first),
            FlowStep(last),
            announce=lambda text: _err.print(f"[bold]hwadder[/bold] {text}"),
            progress=progress,
        )
    table = _rows(f"{model} at {bits} bits", ("what", "value"), summary.rows())
    _emit(as_json, summary.to_json(), lambda console: console.print(table))
    if summary.mismatch is not None:
        raise MismatchError(summary.mismatch)
