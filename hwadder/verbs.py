"""The command line's verbs as functions: each takes paths and plain options, and returns what the command prints."""

from __future__ import annotations

import enum
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from numpy.typing import NDArray

from energy import (
    Comparison,
    EnergyReport,
    Precision,
    SideBySide,
    Workload,
    build_report,
    compare_published,
    count_float,
    count_integer,
    find_table,
    published_models,
)
from energy.accelerator import AcceleratorCounts
from energy.accelergy import write_accelergy
from energy.scaling import OperatingPoint
from energy.technology import BUILT_IN
from energy.zigzag import write_zigzag
from hwadder.accelerator_energy import accelerator_counts, count_accelerator
from hwadder.diagnosis import ToolStatus, diagnose
from hwadder.gate_energy import GateOptions, GateReport, measure_gates
from quant import network_file
from quant.errors import BadInputError
from quant.executor import Executor
from quant.files import replacing_file, replacing_folder, require_file
from quant.float_network import FloatNetwork
from quant.golden import encode, trace
from quant.integer_network import IntegerNetwork
from quant.quantization_report import LayerReport
from quant.quantization_report import report as quantization_report
from quant.quantizer import QuantizerOptions
from quant.quantizer import quantize as quantize_network
from rtl.architecture import Architecture, Counters, MemoryStyle
from rtl.counters import count_active_taps, predict_counters
from rtl.design import INDEX_FILE, Design, load_design
from rtl.driver import LayerCounts
from rtl.fitting import program_for
from rtl.generator import print_design
from rtl.packets import write_packets
from rtl.program import Program, compile_network
from rtl.synthesis import TIME_LIMIT_S, Synthesis, Target, require_nextpnr, synthesise
from rtl.yosys import require_yosys
from sim.simulate import Simulation
from sim.simulate import simulate as simulate_design
from sim.tools import Simulator, require_simulator

if TYPE_CHECKING:
    from torch import nn

    from hwadder.counting import TorchCount
    from hwadder.data import Dataset
    from hwadder.train_config import TrainConfig
    from hwadder.training import TrainResult, TrainRun

CALIBRATION_IMAGES = 96
_BATCH = 256
"""Test images at a time: a folder's images may be more than memory holds."""
NETWORK_SUFFIX = ".hwn"

Source = Union[str, "Dataset"]
"""Where images come from: the command line's `--data`, or a dataset that is loaded already."""
Step = Callable[[str], None]
Counter = Callable[[int, int], None]


def _ignore_step(_step: str) -> None:
    """Progress nobody listens to."""


def _ignore_count(_done: int, _total: int) -> None:
    """Progress nobody listens to."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Top-1 and top-5 accuracy on the test split.

    Attributes:
        kind: `float` for a checkpoint, `integer` for a quantized network.
        correct: images classified rightly.
        images: images of the test split.
        top5_correct: images whose class is among the five largest logits; None for networks of fewer than six classes.
    """

    kind: str
    correct: int
    images: int
    top5_correct: int | None = None

    @property
    def accuracy(self) -> float:
        """Fraction of the images classified rightly."""
        return self.correct / self.images

    @property
    def top5_accuracy(self) -> float | None:
        """Fraction of the images whose class is among the five largest logits."""
        return None if self.top5_correct is None else self.top5_correct / self.images


@dataclass(frozen=True, slots=True, eq=False)
class Quantization:
    """A quantized network, where it was written, and the report per layer."""

    network: IntegerNetwork
    path: Path
    sha256: str
    layers: tuple[LayerReport, ...]


def is_network_file(path: Path) -> bool:
    """Whether a file is a quantized network: by its suffix, or by the header inside."""
    if path.suffix == NETWORK_SUFFIX:
        return True
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return "network.json" in archive.namelist()


def _loaded(data: Source, shape: tuple[int, int, int]) -> Dataset:
    from hwadder.data import load_dataset

    return load_dataset(data, shape) if isinstance(data, str) else data


def image_shape(model_name: str) -> tuple[int, int, int]:
    """The (C, H, W) of one image that a model takes."""
    from hwadder.models import build_model, input_shape

    return input_shape(build_model(model_name))


def _loaded_model(checkpoint: Path, model_name: str, num_classes: int = 10) -> nn.Module:
    from hwadder.checkpoint import load_checkpoint
    from hwadder.models import build_model

    model = build_model(model_name, num_classes)
    load_checkpoint(checkpoint, model)
    model.eval()
    return model


def float_network(
    model_name: str,
    dataset: Dataset | None = None,
    checkpoint: Path | None = None,
    *,
    image_shape: tuple[int, int, int] | None = None,
    num_classes: int = 10,
) -> FloatNetwork:
    """The float network of a model, with a checkpoint's weights and a dataset's normalisation where they are given.

    A dataset decides the classes; `image_shape` takes the place of the model's own input shape.
    """
    from hwadder.bridge import to_float_network
    from hwadder.models import build_model, input_shape

    if dataset is not None:
        num_classes = dataset.num_classes
    if checkpoint is None:
        model = build_model(model_name, num_classes, image_shape=image_shape)
    else:
        model = _loaded_model(checkpoint, model_name, num_classes)
    shape = image_shape or input_shape(model)
    mean = np.zeros(shape[0]) if dataset is None else dataset.mean
    std = np.ones(shape[0]) if dataset is None else dataset.std
    if dataset is not None and dataset.image_shape != shape:
        raise BadInputError(
            f"images of {dataset.name} must be of shape {shape} for {model_name}, not {dataset.image_shape}"
        )
    return to_float_network(model, shape, mean, std, model_name.rpartition(":")[2])


def calibration_images(dataset: Dataset, count: int = CALIBRATION_IMAGES) -> NDArray[np.uint8]:
    """Training images evenly spaced over the training split, so that a split sorted by class is covered too."""
    images = dataset.x_train
    return images[:: max(1, len(images) // count)][:count]


def doctor() -> tuple[ToolStatus, ...]:
    """What this machine has of what the chain needs."""
    return diagnose()


def train(
    model: str,
    data: Source,
    run: TrainRun | Path,
    config: TrainConfig | Mapping[str, object] | None = None,
    progress: Step = _ignore_step,
) -> TrainResult:
    """Train a model as `run` says: where the checkpoint goes (a path says only that), on which device, how far.

    A mapping in place of a configuration changes settings of the default recipe for the model and its images, or, when
    resuming, must be what the earlier run had. `progress` hears which configuration is taken.
    """
    from hwadder.models import build_model
    from hwadder.train_config import TrainConfig, changed, default_recipe, recipe
    from hwadder.training import TrainRun, stored_config
    from hwadder.training import train as run_training

    if isinstance(run, Path):
        run = TrainRun(run)
    shape = image_shape(model)
    dataset = _loaded(data, shape)
    if isinstance(config, TrainConfig):
        settings = config
    else:
        if run.resume:
            source, base = str(run.last), stored_config(run.last)
        else:
            source = f"recipe {default_recipe(model, shape)}"
            base = recipe(default_recipe(model, shape))
        settings = changed(base, config or {}, "the configuration")
        progress(f"{source}: {settings.summary()}")
    return run_training(settings, dataset, build_model(model, dataset.num_classes, settings.seed), run)


def evaluate(file: Path, data: Source, model: str | None = None, progress: Counter = _ignore_count) -> Evaluation:
    """Accuracy of a checkpoint (float; needs `model`) or of a quantized network (integer) on the test split."""
    require_file(file, "checkpoint or network file")
    if is_network_file(file):
        network = network_file.load(file)
        return evaluate_network(network, _loaded(data, network.input.shape), progress)
    if model is None:
        raise BadInputError(f"model of a checkpoint must be named with --model, not left out: {file}")
    from hwadder.accuracy import float_logits

    dataset = _loaded(data, image_shape(model))
    batches = float_logits(_loaded_model(file, model, dataset.num_classes), dataset)
    return _evaluation("float", batches, dataset, progress)


def evaluate_network(network: IntegerNetwork, dataset: Dataset, progress: Counter = _ignore_count) -> Evaluation:
    """Accuracy of the integer network on the test split."""
    executor = Executor(network)
    images = (dataset.x_test[first : first + _BATCH] for first in range(0, len(dataset.x_test), _BATCH))
    batches = (batch for each in images for batch in executor.logits(each))
    return _evaluation("integer", batches, dataset, progress)


def _evaluation(kind: str, batches: Iterable[NDArray[Any]], dataset: Dataset, progress: Counter) -> Evaluation:
    from hwadder.accuracy import label_ranks

    ranks: list[int] = []
    for batch in batches:
        classes = batch.shape[1]
        ranks += label_ranks(batch, dataset.y_test[len(ranks) : len(ranks) + len(batch)]).tolist()
        progress(len(ranks), len(dataset.y_test))
    top5 = sum(rank < 5 for rank in ranks) if classes > 5 else None
    return Evaluation(kind, ranks.count(0), len(ranks), top5)


def quantize(
    file: Path,
    model: str,
    data: Source,
    out: Path,
    options: QuantizerOptions | None = None,
    progress: Step = _ignore_step,
) -> Quantization:
    """Quantize a checkpoint on calibration images of the training split and write the integer network to `out`."""
    require_file(file, "checkpoint")
    dataset = _loaded(data, image_shape(model))
    network = float_network(model, dataset, file)
    images = calibration_images(dataset)
    # Opened before the work, which takes a while: where nothing can be written, it is not begun.
    with replacing_file(out) as temporary:
        quantized = quantize_network(network, images, options or QuantizerOptions(), progress)
        progress("measuring noise")
        layers = quantization_report(network, quantized, images)
        temporary.write_bytes(network_file.serialise(quantized.network))
    return Quantization(quantized.network, out, network_file.digest(quantized.network), layers)


def rtl(net: Path, out: Path, architecture: Architecture | None = None, vectors: int = 0) -> Design:
    """Print the accelerator of a quantized network into the folder `out`, and read it back through two parsers."""
    if vectors < 0:
        raise BadInputError(f"vectors must be at least 0, not {vectors}")
    if out.is_dir() and any(out.iterdir()) and not (out / INDEX_FILE).is_file():
        raise BadInputError(f"output folder must be new, empty or an earlier design, not hold other files: {out}")
    return print_design(network_file.load(net), architecture or Architecture(), out, vectors)


def pack(net: Path, design: Path, out: Path) -> Program:
    """Compile a quantized network for a printed design and write the packets that load it to the folder `out`."""
    program = program_for(network_file.load(net), load_design(design)[0].parameters)
    with replacing_folder(out) as staged:
        write_packets(staged, program)
    return program


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """What an accelerator takes for some images, by layer.

    Attributes:
        program: of the network, with the accelerator's parameters.
        images: how many; the counts below are their sum.
        counts: of each layer of the program.
        active_taps: of each layer, taps whose activation is not 0; 0 for all but adder layers.
    """

    program: Program
    images: int
    counts: tuple[LayerCounts, ...]
    active_taps: tuple[int, ...]


def profile(
    net: Path,
    data: Source,
    images: int,
    architecture: Architecture | None = None,
    progress: Counter = _ignore_count,
) -> Profile:
    """Predict the accelerator's counters for the first test images, without printing or simulating it."""
    network = network_file.load(net)
    program = compile_network(network, architecture or Architecture())
    pictures = first_test_images(_loaded(data, network.input.shape), images)
    sums: list[LayerCounts] = []
    active = [0] * len(program.layers)
    for index in range(images):
        tensors = trace(network, encode(network, pictures[index : index + 1]))
        counts = predict_counters(program, network, tensors)
        sums = [each + other for each, other in zip(sums, counts, strict=True)] if sums else counts
        active = list(map(add, active, count_active_taps(program, network, tensors)))
        progress(index + 1, images)
    return Profile(program, images, tuple(sums), tuple(active))


def simulate(
    folder: Path,
    data: Source,
    images: int,
    *,
    simulator: Simulator = Simulator.ICARUS,
    waves: bool = False,
    progress: Counter = _ignore_count,
) -> Simulation:
    """Play the first test images to a printed accelerator and compare every layer with the golden model."""
    require_simulator(simulator)
    _, network = load_design(folder)
    codes = encode(network, first_test_images(_loaded(data, network.input.shape), images))
    return simulate_design(folder, codes, simulator=simulator, waves=waves, progress=progress)


def synth(
    folder: Path,
    targets: Iterable[Target] = (Target.ASIC,),
    *,
    liberty: Path | None = None,
    fmax: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Step = _ignore_step,
) -> Synthesis:
    """Synthesise a printed accelerator with Yosys: gates or cell area, FPGA resources, and proof of no multiplier.

    With `fmax` nextpnr also finds the clock rate on the FPGA targets that it knows.
    """
    wanted = tuple(targets)
    require_yosys()
    if fmax:
        require_nextpnr(wanted)
    design, _ = load_design(folder)
    if Target.ICE40 in wanted and design.parameters.get("MEMORY_STYLE") == MemoryStyle.DISTRIBUTED.number:
        raise BadInputError(
            f"targets of a design with distributed memories must have LUT RAM, not be {Target.ICE40}: {folder}"
        )
    return synthesise(
        design.source_files,
        design.top,
        wanted,
        liberty=liberty,
        folder=folder,
        fmax=fmax,
        time_limit_s=time_limit_s,
        progress=progress,
    )


def first_test_images(dataset: Dataset, count: int) -> NDArray[np.uint8]:
    """The first `count` images of the test split; raises BadInputError when it holds fewer, or for none."""
    if not 1 <= count <= len(dataset.x_test):
        raise BadInputError(
            f"images must be 1 to {len(dataset.x_test)}, the test images of {dataset.name}, not {count}"
        )
    return dataset.x_test[:count]


def count_operations(model: str, input_shape: tuple[int, int, int] | None = None, num_classes: int = 10) -> TorchCount:
    """Operations of a model by name or of a checkpoint of one that ships, with those that no rule counts.

    `input_shape` is the (C, H, W) of a user's model that has no attribute of this name. Nothing is computed: the
    weights of a model that ships are never made.
    """
    import torch

    from hwadder.counting import count_torch
    from hwadder.models import build_model
    from hwadder.models import input_shape as shape_of

    path = Path(model)
    if _is_network(path):
        raise BadInputError(f"operations to list must be of a model, not of a quantized network: {model}")
    if path.is_file():
        built, name = _model_of_checkpoint(path)
    elif ":" in model:
        built, name = build_model(model, image_shape=input_shape), model.rpartition(":")[2]
    else:
        with torch.device("meta"):
            built, name = build_model(model, num_classes), model
    return count_torch(built, input_shape or shape_of(built), name)


def _model_of_checkpoint(path: Path) -> tuple[nn.Module, str]:
    """The model that ships whose entries a checkpoint holds, on meta tensors, and its name."""
    import torch

    from hwadder.checkpoint import fitted, read_state_dict
    from hwadder.models import MODEL_NAMES, build_model

    state = read_state_dict(path)
    # Entries called `weight` fit a model of adders too, as some checkpoints call its weights; its twin is likelier.
    kinds = ("", "-cnn") if any(entry.endswith(".adder") for entry in state) else ("-cnn", "")
    for name in (base + kind for kind in kinds for base in MODEL_NAMES):
        for num_classes in (10, 100, 1000):
            with torch.device("meta"):
                model = build_model(name, num_classes)
            try:
                fitted(state, model, path)
            except BadInputError:
                continue
            return model, name
    raise BadInputError(f"checkpoint to count must be of a model that ships ({', '.join(MODEL_NAMES)}), not {path}")


@dataclass(frozen=True, slots=True)
class Pricing:
    """What operations and accesses are priced with.

    Attributes:
        tables: names of technology tables, or files; the first prices the report, the totals of all stand side by side.
        point: node and voltage that the tables are scaled to.
    """

    tables: tuple[str, ...] = BUILT_IN[:1]
    point: OperatingPoint | None = None


@dataclass(frozen=True, slots=True)
class OnAccelerator:
    """The accelerator that a network's memory is counted on, and the test images that show its effective taps."""

    architecture: Architecture
    data: Source | None = None
    images: int = 1


_PLAIN = Pricing()


def energy(
    model: str,
    precision: Precision | None = None,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int = 10,
    pricing: Pricing = _PLAIN,
    mapping: OnAccelerator | None = None,
    progress: Counter = _ignore_count,
) -> EnergyReport:
    """Count and price the operations of a model by name, of a checkpoint, or of a quantized network's file.

    Without a precision a float network is priced at fp32, an integer one at its own widths.
    """
    first, *others = map(find_table, pricing.tables)
    workload, accelerator = _workload(model, input_shape, num_classes), None
    if mapping is not None:
        if not _is_network(Path(model)):
            raise BadInputError(f"network on the accelerator must be a quantized network's file, not {model}")
        accelerator = _on_accelerator(Path(model), mapping, progress)
    return build_report(
        workload,
        first,
        precision or _own_precision(workload),
        others=others,
        target=pricing.point,
        accelerator=accelerator,
    )


def _workload(model: str, input_shape: tuple[int, int, int] | None, num_classes: int) -> Workload:
    if _is_network(Path(model)):
        return count_integer(network_file.load(Path(model)))
    from hwadder.counting import require_known

    return require_known(count_operations(model, input_shape, num_classes))


def _is_network(path: Path) -> bool:
    return path.suffix == NETWORK_SUFFIX or (path.is_file() and is_network_file(path))


def _on_accelerator(path: Path, mapping: OnAccelerator, progress: Counter) -> AcceleratorCounts:
    network = network_file.load(path)
    if mapping.data is None:
        return count_accelerator(network, mapping.architecture)
    architecture = replace(mapping.architecture, counters=Counters.FULL)
    result = profile(path, mapping.data, mapping.images, architecture, progress)
    return accelerator_counts(network, result.program, result.counts, result.active_taps, result.images)


def gate_energy(
    net: Path,
    data: Source,
    images: int,
    options: GateOptions,
    architecture: Architecture | None = None,
    progress: Step = _ignore_step,
) -> GateReport:
    """Measure, on gates of a cell library, the energy of a tap of adder layers on the first test images."""
    network = network_file.load(net)
    pictures = first_test_images(_loaded(data, network.input.shape), images)
    return measure_gates(network, pictures, architecture or Architecture(), options, progress)


def published(progress: Counter = _ignore_count) -> tuple[Comparison, ...]:
    """Every figure that a paper prints of a model that ships, beside the counted one."""
    names = published_models()
    comparisons: list[Comparison] = []
    for done, name in enumerate(names, 1):
        # The papers' models with products at both ends are their ImageNet models.
        workload = count_operations(name, num_classes=1000 if name.endswith("-inner") else 10).workload
        comparisons += compare_published(workload)
        progress(done, len(names))
    return tuple(comparisons)


def compare(
    names: Sequence[str],
    precisions: Sequence[Precision] = (),
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int = 10,
    pricing: Pricing = _PLAIN,
) -> SideBySide:
    """Count and price several networks, named as for `energy`, each at every one of the precisions by every table.

    Without precisions a float network is priced at fp32, an integer one at its own widths. Raises BadInputError for a
    name, a precision or a table given twice.
    """
    for what, given in (("names", names), ("precisions", precisions), ("tables", pricing.tables)):
        twice = [each for at, each in enumerate(given) if each in given[:at]]
        if twice:
            raise BadInputError(f"{what} to compare must differ, not name {twice[0]} twice")
    tables = {text: find_table(text) for text in pricing.tables}
    reports: dict[str, EnergyReport] = {}
    for name in names:
        workload = _workload(name, input_shape, num_classes)
        for precision in precisions or (_own_precision(workload),):
            for text, table in tables.items():
                # By the text given: files in different folders may have one name.
                told = (name, *([precision] if len(precisions) > 1 else []), *([text] if len(tables) > 1 else []))
                label = " ".join(told)
                if label in reports:
                    raise BadInputError(f"labels to compare must differ, not be {label} twice")
                reports[label] = build_report(workload, table, precision, target=pricing.point)
    return SideBySide(reports)


def _own_precision(workload: Workload) -> Precision:
    return Precision.NETWORK if workload.is_integer else Precision.FP32


class ExportFormat(enum.StrEnum):
    """Tools that model what is around the arithmetic."""

    ZIGZAG = "zigzag"
    ACCELERGY = "accelergy"


def export(
    name: str,
    form: ExportFormat,
    out: Path,
    precision: Precision | None = None,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int = 10,
) -> EnergyReport:
    """Write the layers of a network, named as for `energy`, for another tool to the folder `out`; returns its report.

    ZigZag is told loops and sources of each layer, so there the network must be one that `quantize` takes, by name, or
    a quantized network's file. Without a precision a float network is priced at fp32, an integer one at its own widths.
    """
    if form is ExportFormat.ZIGZAG:
        network = _network_of_loops(name, input_shape, num_classes)
        workload = count_integer(network) if isinstance(network, IntegerNetwork) else count_float(network)
    else:
        workload = _workload(name, input_shape, num_classes)
    report = build_report(workload, find_table(BUILT_IN[0]), precision or _own_precision(workload))
    with replacing_folder(out) as staged:
        if form is ExportFormat.ZIGZAG:
            write_zigzag(network, report, staged)
        else:
            write_accelergy(report, staged)
    return report


def _network_of_loops(
    name: str, input_shape: tuple[int, int, int] | None, num_classes: int
) -> FloatNetwork | IntegerNetwork:
    if _is_network(Path(name)):
        return network_file.load(Path(name))
    try:
        return float_network(name, image_shape=input_shape, num_classes=num_classes)
    except BadInputError as error:
        raise BadInputError(
            f"network for ZigZag must be one that `hwadder quantize` takes, not {name}: {error}"
        ) from error
