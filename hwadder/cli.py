"""The command line: parses, calls the verbs, prints.

Results go to stdout (one JSON object with --json), everything else to stderr. Exit codes: 0 fine, 1 mismatch, 2 bad
input, 3 missing tool.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from energy import Precision, energy_document, terminal_published, terminal_report, write_csv
from energy.markdown import write_markdown
from hwadder import verbs
from hwadder.chain import FlowOptions, FlowStep
from hwadder.chain import flow as run_flow
from hwadder.cli_options import (
    DATA_HELP,
    MODEL_HELP,
    PATH,
    architecture_options,
    classes_option,
    data_option,
    input_shape_option,
    json_option,
    precision_option,
    pricing_options,
    setting_options,
    simulator_option,
)
from hwadder.cli_output import as_table, bar, emit, exit_codes, spinner
from hwadder.diagnosis import require_needed
from hwadder.energy_modes import GATE_NAMES, EnergyMode, chosen_mode
from hwadder.gate_energy import GateOptions, GateReport
from hwadder.gate_report import (
    DESIGN_HEADINGS,
    GATE_HEADINGS,
    SAMPLE_HEADINGS,
    design_rows,
    gate_json,
    gate_rows,
    modelled,
    sample_rows,
)
from hwadder.results import (
    PROFILE_HEADINGS,
    QUANTIZATION_HEADINGS,
    accuracy_text,
    design_json,
    evaluation_json,
    packing_json,
    profile_json,
    profile_rows,
    profile_title,
    quantization_json,
    quantization_rows,
    simulation_json,
    synthesis_json,
    synthesis_rows,
    training_json,
    training_text,
)
from hwadder.synthesis_record import keep_synthesis
from hwadder.train_config import read_table
from quant.errors import BadInputError, MismatchError
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from rtl.synthesis import GATE_CONVENTION, TIME_LIMIT_S, Target
from sim.tools import Simulator

# torch's threads spin while they wait; on a busy machine that made an evaluation twenty times slower.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hwadder")
def main() -> None:
    """From a trained AdderNet to integers, to Verilog proven bit for bit in simulation, to an energy report."""


@main.command()
@json_option
@exit_codes
def doctor(as_json: bool) -> None:
    """Show which tools the chain finds on this machine."""
    statuses = verbs.doctor()
    rows = [
        (status.name, status.version or ("MISSING" if status.needed else "not installed"), status.purpose)
        + (("",) if status.version else (status.install,))
        for status in statuses
    ]
    emit(
        {"tools": [asdict(status) for status in statuses]} if as_json else None,
        as_table("Tools", ("tool", "version", "what for", "install"), rows),
    )
    require_needed(statuses)


@main.command()
@click.argument("model", metavar="MODEL")
@data_option
@click.option(
    "--out", required=True, type=PATH, help="Checkpoint of the best epoch; the last, a log and curves go beside."
)
@click.option("--config", "config_file", type=PATH, help="TOML file of settings, named as the options below with _.")
@click.option("--resume", is_flag=True, help="Go on from OUT.last, with its settings.")
@click.option("--stop-after", type=float, metavar="MINUTES", help="Stop then, ready to be resumed.")
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train; auto is CUDA where there is one.",
)
@click.option("--tensorboard", type=PATH, metavar="DIR", help="Write TensorBoard's files there.")
@setting_options
@json_option
@exit_codes
def train(
    model: str,
    data: str,
    out: Path,
    config_file: Path | None,
    resume: bool,
    stop_after: float | None,
    device: str,
    tensorboard: Path | None,
    as_json: bool,
    **given: object,
) -> None:
    """Train MODEL (lenet5, resnet20, resnet32 or vgg-small, -cnn for its CNN twin, or module:function)."""
    from hwadder.distributed import first_process
    from hwadder.training import Device, TrainRun

    changes = {} if config_file is None else read_table(config_file)
    changes |= {name: value for name, value in given.items() if value is not None}
    is_first = first_process()
    run = TrainRun(
        out,
        resume=resume,
        stop_after_minutes=math.inf if stop_after is None else stop_after,
        device=Device(device),
        tensorboard=tensorboard,
        progress=is_first,
    )
    result = verbs.train(model, data, run, changes, lambda text: click.echo(text, err=True) if is_first else None)
    if is_first:
        emit(training_json(result) if as_json else None, training_text(result))


@main.command()
@click.argument("file", type=PATH)
@click.option("--model", help=f"Model of a checkpoint: {MODEL_HELP}.")
@data_option
@json_option
@exit_codes
def evaluate(file: Path, model: str | None, data: str, as_json: bool) -> None:
    """Top-1 and top-5 accuracy of FILE, a checkpoint or a quantized network, on the test split."""
    with bar("evaluating") as progress:
        result = evaluation_json(verbs.evaluate(file, data, model, progress))
    emit(result if as_json else None, f"{accuracy_text(result)}, {result['kind']}")


@main.command()
@click.argument("file", type=PATH)
@click.option("--model", required=True, help=MODEL_HELP)
@data_option
@click.option("--bits", default=8, show_default=True, help="Width of codes and weights, 2 to 8.")
@click.option("--edge-bits", default=8, show_default=True, help="Width in the first and the last layer.")
@click.option("--out", required=True, type=PATH, help="The integer network's file.")
@json_option
@exit_codes
def quantize(file: Path, model: str, data: str, bits: int, edge_bits: int, out: Path, as_json: bool) -> None:
    """Turn the checkpoint FILE into an integer network."""
    options = QuantizerOptions(bits=bits, edge_bits=edge_bits)
    with spinner("quantizing") as progress:
        result = quantization_json(verbs.quantize(file, model, data, out, options, progress))
    title = f"{out}: {len(result['layers'])} layers, SHA-256 {result['sha256'][:16]}"
    emit(result if as_json else None, as_table(title, QUANTIZATION_HEADINGS, quantization_rows(result)))


@main.command()
@click.argument("net", type=PATH)
@click.option("--out", required=True, type=PATH, help="Folder of the design; an earlier design there is replaced.")
@click.option("--vectors", default=0, show_default=True, help="Images of stimulus for a plain Verilog testbench.")
@json_option
@exit_codes
@architecture_options(lanes=16)
def rtl(net: Path, out: Path, architecture: Architecture, vectors: int, as_json: bool) -> None:
    """Print the accelerator of the quantized network NET as Verilog."""
    with spinner("printing and reading back"):
        design = verbs.rtl(net, out, architecture, vectors)
    emit(
        design_json(design) if as_json else None,
        as_table(
            f"{design.top} in {out}",
            ("parameter", "value"),
            (*design.parameters.items(), ("clocks per image (predicted)", design.clocks_per_image)),
        ),
    )


@main.command()
@click.argument("net", type=PATH)
@click.option("--design", required=True, type=PATH, help="Folder of a printed design.")
@click.option("--out", required=True, type=PATH, help="Folder of the packets; earlier ones there are replaced.")
@json_option
@exit_codes
def pack(net: Path, design: Path, out: Path, as_json: bool) -> None:
    """Turn the quantized network NET into packets that load a printed design's memories at run time."""
    program = verbs.pack(net, design, out)
    emit(
        packing_json(program, out) if as_json else None,
        f"{out}: {len(program.layers)} layers for designs of signature {program.signature:08x}",
    )


@main.command()
@click.argument("net", type=PATH)
@data_option
@click.option("--images", default=1, show_default=True, help="Test images to count, from the first.")
@json_option
@exit_codes
@architecture_options(lanes=16)
def profile(net: Path, data: str, images: int, architecture: Architecture, as_json: bool) -> None:
    """Predict what the accelerator of NET counts by layer: clocks, memory accesses, busy lanes, effective taps."""
    with bar("counting") as progress:
        result = verbs.profile(net, data, images, architecture, progress)
    emit(
        profile_json(result) if as_json else None,
        as_table(profile_title(result), PROFILE_HEADINGS, profile_rows(result)),
    )


@main.command()
@click.argument("folder", metavar="DIR", type=PATH)
@data_option
@click.option("--images", default=1, show_default=True, help="Test images to play, from the first.")
@simulator_option
@click.option("--waves", is_flag=True, help="Keep a waveform of the first image (verilator: of its last clocks).")
@json_option
@exit_codes
def simulate(folder: Path, data: str, images: int, simulator: str, waves: bool, as_json: bool) -> None:
    """Play test images to the design in DIR and compare every layer with the golden model."""
    with bar("simulating layers") as progress:
        result = verbs.simulate(folder, data, images, simulator=Simulator(simulator), waves=waves, progress=progress)
    emit(
        simulation_json(result) if as_json else None,
        f"{result.simulator}: {result.images} images, {result.layers} layers, {result.values_compared:,} values "
        f"compared, {result.mismatches} mismatches, {result.cycles_per_image:,.0f} cycles per image"
        + (f"; waveform {result.waveform}" if result.waveform else ""),
    )
    if result.mismatch is not None:
        raise MismatchError(result.mismatch.sentence())


@main.command()
@click.argument("folder", metavar="DIR", type=PATH)
@click.option(
    "--target",
    "targets",
    type=click.Choice([*(each.value for each in Target), "all"]),
    multiple=True,
    default=("asic",),
    show_default=True,
    help="What for; may be given several times.",
)
@click.option("--liberty", type=PATH, help="Cell library (Liberty file) of the target asic; without it generic gates.")
@click.option("--fmax", is_flag=True, help="Clock rate on ecp5 and ice40 as well, placed and routed by nextpnr.")
@click.option(
    "--time-limit",
    default=TIME_LIMIT_S,
    show_default=True,
    help="Seconds for each target, and again for its place and route.",
)
@json_option
@exit_codes
def synth(
    folder: Path, targets: tuple[str, ...], liberty: Path | None, fmax: bool, time_limit: float, as_json: bool
) -> None:
    """Area of the design in DIR: gates or a library's cells, LUTs of three FPGA families; nothing may multiply.

    The result is also kept as DIR/synthesis.json, which the page of hwadder flow shows.
    """
    wanted = tuple(Target) if "all" in targets else tuple(Target(target) for target in targets)
    with spinner("synthesising") as progress:
        result = verbs.synth(folder, wanted, liberty=liberty, fmax=fmax, time_limit_s=time_limit, progress=progress)
    emit(
        synthesis_json(result) if as_json else None,
        as_table(f"{result.top} in {folder}", ("target", "what", "figure"), synthesis_rows(result)),
    )
    if not as_json:
        clock = (
            "Fmax is that of one run of nextpnr, with a register at every port."
            if fmax
            else "Fmax is left out: no place and route is run without --fmax."
        )
        click.echo(f"{GATE_CONVENTION}. {clock}")
    # After what is printed: hours of work are not lost to a folder that cannot be written.
    keep_synthesis(folder, result)


def _gate_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options of energy measured on gates; with --gates that is printed, and the command does not run.

    Whatever runs takes all options that are given.
    """
    options = (
        click.option("--gates", is_flag=True, help="Measure a tap of NET's adder layers on gates of a cell library."),
        click.option("--liberty", type=PATH, help="With --gates: the cell library (Liberty file)."),
        click.option(
            "--layer", "layers", multiple=True, help="With --gates: an adder layer.  [default: that of most taps]"
        ),
        click.option("--windows", type=int, help="With --gates: samples of a layer.  [default: 8]"),
        click.option("--window-words", type=int, help="With --gates: words of a sample, at least.  [default: 256]"),
        click.option("--clock-mhz", type=float, help="With --gates: at which leakage is charged.  [default: 100]"),
        click.option("--array", is_flag=True, help="With --gates: also the whole lane array, a minute more."),
    )

    @wraps(command)
    def with_gates(gates: bool, **kwargs: Any) -> None:
        given = _given_options()
        mode = chosen_mode(given)
        chosen = {name: value for name in GATE_NAMES if (value := kwargs.pop(name)) is not None and name in given}
        if not gates:
            command(mode=mode, **kwargs)
            return
        for name in ("liberty", "data"):
            if name not in given:
                raise BadInputError(f"option --{name} must be given with --gates, not left out")
        if kwargs["model"] is None:
            raise BadInputError("energy with --gates must be of a quantized network, not of none")
        with spinner("gates") as progress:
            report = verbs.gate_energy(
                Path(kwargs["model"]),
                kwargs["data"],
                kwargs["images"],
                GateOptions(**chosen),
                kwargs["architecture"],
                progress,
            )
        _print_gates(report, kwargs["as_json"])

    for option in reversed(options):
        with_gates = option(with_gates)
    return with_gates


def _given_options() -> dict[str, str]:
    """How the options are spelled that stand on the command line, by the name of their parameter."""
    context = click.get_current_context()
    return {
        each.name: each.opts[-1]
        for each in context.command.params
        if isinstance(each, click.Option) and context.get_parameter_source(each.name) is ParameterSource.COMMANDLINE
    }


def _print_gates(report: GateReport, as_json: bool) -> None:
    if as_json:
        emit(gate_json(report), "")
        return
    emit(None, as_table(f"{report.network}: energy of a tap on gates, fJ", GATE_HEADINGS, gate_rows(report)))
    emit(None, as_table("Mapped designs", DESIGN_HEADINGS, design_rows(report)))
    emit(None, as_table("Words played", SAMPLE_HEADINGS, sample_rows(report)))
    emit(None, "\n".join(modelled(report)))


@main.command()
@click.argument("model", metavar="[MODEL|CHECKPOINT|NET]", required=False)
@precision_option
@input_shape_option
@classes_option
@click.option(
    "--list-unknown",
    is_flag=True,
    expose_value=False,
    help="Only list the operations of MODEL that cannot be counted.",
)
@click.option(
    "--published",
    is_flag=True,
    expose_value=False,
    help="Only compare every published figure with the counted one.",
)
@click.option(
    "--accelerator",
    is_flag=True,
    expose_value=False,
    help="Memory too: NET on the accelerator that the options below describe.",
)
@click.option("--data", help=f"Test images that --accelerator counts effective taps on, or --gates plays: {DATA_HELP}.")
@click.option("--images", default=1, show_default=True, help="How many of them, from the first.")
@click.option("--html", type=PATH, help="Write a report page.")
@click.option("--markdown", type=PATH, help="Write the page's text and tables as Markdown.")
@click.option("--csv", type=PATH, help="Write one line per layer and operation.")
@json_option
@exit_codes
@pricing_options
@architecture_options(lanes=16)
@_gate_options
def energy(
    mode: EnergyMode,
    model: str | None,
    precision: str | None,
    pricing: verbs.Pricing,
    input_shape: tuple[int, int, int] | None,
    classes: int,
    architecture: Architecture,
    data: str | None,
    images: int,
    html: Path | None,
    markdown: Path | None,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Operations and energy of MODEL (by name, module:function or checkpoint), or of the quantized network NET, beside
    the same network as a CNN."""
    if (model is None) is not (mode is EnergyMode.PUBLISHED):
        raise BadInputError("energy must be of a model or --published, not of both or neither")
    if model is None:
        with bar("counting models") as progress:
            comparisons = verbs.published(progress)
        emit(
            {"published": [each.to_json() for each in comparisons]} if as_json else None,
            terminal_published(comparisons),
        )
        return
    if mode is EnergyMode.LIST_UNKNOWN:
        unknown = verbs.count_operations(model, input_shape, classes).unknown
        rows = [(each.operation, each.module, each.times) for each in unknown]
        emit(
            {"unknown": [asdict(each) for each in unknown]} if as_json else None,
            as_table(f"Operations of {model} that are not counted", ("operation", "module", "times"), rows),
        )
        return
    mapping = verbs.OnAccelerator(architecture, data, images) if mode is EnergyMode.ACCELERATOR else None
    chosen = None if precision is None else Precision(precision)
    with bar("counting") as progress:
        report = verbs.energy(model, chosen, input_shape, classes, pricing, mapping, progress)
        if csv is not None:
            write_csv(report, csv)
        if html is not None:
            energy_document(report).write(html)
        if markdown is not None:
            write_markdown(energy_document(report), markdown)
    emit(report.to_json() if as_json else None, terminal_report(report))


@main.command()
@click.argument("names", metavar="MODEL|CHECKPOINT|NET...", nargs=-1, required=True)
@click.option(
    "--precision",
    "precisions",
    type=click.Choice([each.value for each in Precision]),
    multiple=True,
    help="May be given several times.  [default: fp32, of a quantized network its own widths]",
)
@input_shape_option
@classes_option
@click.option("--html", type=PATH, help="Write a page with bars.")
@click.option("--markdown", type=PATH, help="Write the page's text and tables as Markdown.")
@click.option("--csv", type=PATH, help="Write one line per network, precision and table.")
@json_option
@exit_codes
@pricing_options
def compare(
    names: tuple[str, ...],
    precisions: tuple[str, ...],
    pricing: verbs.Pricing,
    input_shape: tuple[int, int, int] | None,
    classes: int,
    html: Path | None,
    markdown: Path | None,
    csv: Path | None,
    as_json: bool,
) -> None:
    """Taps, parameters and energy of several networks, or of one at several precisions or by several tables, side by
    side."""
    with spinner("counting"):
        result = verbs.compare(names, [Precision(each) for each in precisions], input_shape, classes, pricing)
        if csv is not None:
            result.write_csv(csv)
        if html is not None:
            result.document().write(html)
        if markdown is not None:
            write_markdown(result.document(), markdown)
    table = result.table()
    rows = ([cell.text for cell in row] for row in table.cells)
    emit(result.to_json() if as_json else None, as_table("Networks side by side", table.headings, rows))


@main.command()
@click.argument("name", metavar="MODEL|CHECKPOINT|NET")
@click.option(
    "--format", "form", type=click.Choice([each.value for each in verbs.ExportFormat]), required=True, help="Whose."
)
@click.option("--out", required=True, type=PATH, help="Folder of the files; earlier ones there are replaced.")
@precision_option
@input_shape_option
@classes_option
@json_option
@exit_codes
def export(
    name: str,
    form: str,
    out: Path,
    precision: str | None,
    input_shape: tuple[int, int, int] | None,
    classes: int,
    as_json: bool,
) -> None:
    """Write the layers of a network as YAML files of ZigZag or Accelergy, adder taps with their own energy."""
    chosen = None if precision is None else Precision(precision)
    report = verbs.export(name, verbs.ExportFormat(form), out, chosen, input_shape, classes)
    files = sorted(path.name for path in out.iterdir())
    layers = sum(row.layer.kind is not None for row in report.layers)
    content = {"out": str(out), "files": files, "layers": layers, "precision": str(report.precision)}
    emit(content if as_json else None, f"{out}: {layers} layers with taps in {', '.join(files)}")


@main.command()
@click.option("--model", default="lenet5", show_default=True, help=MODEL_HELP)
@click.option("--checkpoint", type=PATH, help="Default: the weights shipped with the model.")
@click.option("--data", default="mnist", show_default=True, help=DATA_HELP)
@click.option("--bits", default=8, show_default=True, help="Width of codes and weights, 2 to 8.")
@click.option("--images", default=10, show_default=True, help="Test images to simulate.")
@simulator_option
@precision_option
@click.option("--out", required=True, type=PATH, help="Folder that keeps every intermediate result.")
@click.option(
    "--from", "first", type=click.Choice([each.value for each in FlowStep]), default="evaluate", show_default=True
)
@click.option("--to", "last", type=click.Choice([each.value for each in FlowStep]), default="report", show_default=True)
@json_option
@exit_codes
@architecture_options(lanes=8)
def flow(
    model: str,
    checkpoint: Path | None,
    data: str,
    bits: int,
    architecture: Architecture,
    images: int,
    simulator: str,
    precision: str | None,
    out: Path,
    first: str,
    last: str,
    as_json: bool,
) -> None:
    """The whole chain: evaluate, quantize, rtl, simulate, energy, report; it can start and stop at any step."""
    options = FlowOptions(
        out=out,
        model=model,
        checkpoint=checkpoint,
        data=data,
        quantizer=QuantizerOptions(bits=bits),
        architecture=architecture,
        images=images,
        simulator=Simulator(simulator),
        precision=None if precision is None else Precision(precision),
    )
    with bar("flow") as progress:
        summary = run_flow(
            options,
            FlowStep(first),
            FlowStep(last),
            announce=lambda text: click.echo(f"hwadder {text}", err=True),
            progress=progress,
        )
    emit(summary.to_json() if as_json else None, as_table(f"{model} in {out}", ("what", "value"), summary.rows()))
    if summary.mismatch is not None:
        raise MismatchError(summary.mismatch)
