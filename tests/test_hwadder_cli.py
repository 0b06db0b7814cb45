"""The command line: exit codes, whole messages, what --json prints, and that a failure leaves nothing behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from networks import quantized, small_lenet
from PIL import Image
from tiny_user import MODEL, VALUES_PER_IMAGE, write_user_folder

from energy.technology import TABLES
from hwadder.cli import main
from hwadder.energy_modes import TAKEN
from hwadder.train_config import settings
from quant import network_file
from quant.errors import BadInputError
from rtl.design import load_design
from rtl.fitting import program_for
from sim.tools import require_icarus

NO_ICARUS = (
    "hwadder: simulator Icarus Verilog must be installed, not missing: "
    "`apt-get install -y --no-install-recommends iverilog`\n"
)
CONSOLE_SCRIPT = Path(sys.executable).with_name("hwadder")


def run(*arguments: object, env: dict[str, str | None] | None = None) -> Result:
    """The command line in this process; an exception that it does not turn into a sentence fails the test."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def told(result: Result) -> dict[str, object]:
    """The one object on stdout of a run that went well."""
    assert result.exit_code == 0, result.stderr
    content: dict[str, object] = json.loads(result.stdout)
    return content


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a user who has a model, its checkpoint and images, has quantized and has printed it."""
    folder = tmp_path_factory.mktemp("cli")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_user_folder()
        assert run("quantize", "tiny.pt", "--model", MODEL, "--data", "data.npz", "--out", "tiny.hwn").exit_code == 0
        assert run("rtl", "tiny.hwn", "--out", "rtl", "--in-lanes", 2, "--out-lanes", 3).exit_code == 0
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished folder, as the current folder."""
    copy = tmp_path / "user"
    shutil.copytree(finished, copy)
    monkeypatch.chdir(copy)
    return copy


def fails(code: int, message: str, *arguments: object, env: dict[str, str | None] | None = None) -> None:
    """The command ends with this code and sentence, prints no result, and leaves the folder as it was."""
    before = {path: path.read_bytes() if path.is_file() else None for path in Path.cwd().rglob("*")}
    result = run(*arguments, env=env)
    assert (result.exit_code, result.stderr, result.stdout) == (code, f"hwadder: {message}\n", "")
    after = {path: path.read_bytes() if path.is_file() else None for path in Path.cwd().rglob("*")}
    assert {path for path in after.keys() ^ before.keys() if "__pycache__" not in path.parts} == set()
    assert [path for path in before if path in after and after[path] != before[path]] == []


def quantize_into(out: str, checkpoint: str = "tiny.pt", model: str = MODEL, data: str = "data.npz") -> list[str]:
    return ["quantize", checkpoint, "--model", model, "--data", data, "--out", out]


# Checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_missing_checkpoint() -> None:
    fails(2, "checkpoint must be an existing file, not missing: none.pt", *quantize_into("new.hwn", "none.pt"))
    fails(
        2,
        "checkpoint or network file must be an existing file, not missing: none.pt",
        *("evaluate", "none.pt", "--model", MODEL, "--data", "data.npz"),
    )


@pytest.mark.usefixtures("folder")
def test_a_truncated_checkpoint() -> None:
    Path("half.pt").write_bytes(Path("tiny.pt").read_bytes()[:1500])
    fails(2, "checkpoint must be whole, not truncated or damaged: half.pt", *quantize_into("new.hwn", "half.pt"))


@pytest.mark.usefixtures("folder")
def test_a_pickle_that_tries_to_run_code() -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return os.system, ("touch was-run",)

    torch.save({"conv": Hostile()}, "hostile.pt")
    fails(
        2,
        "checkpoint must hold only tensors and the reference's modules, not posix.system, "
        "which was not run: hostile.pt",
        *quantize_into("new.hwn", "hostile.pt"),
    )
    assert not Path("was-run").exists()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.zeros(2, 1, 5, 5), "must be of shape (2, 1, 3, 3), not (2, 1, 5, 5)"),
        (torch.full((2, 1, 3, 3), torch.nan), "must be finite, not hold 18 NaN or infinite values"),
        (torch.full((2, 1, 3, 3), torch.inf), "must be finite, not hold 18 NaN or infinite values"),
    ],
    ids=["shape", "nan", "inf"],
)
def test_weights_that_cannot_be(value: torch.Tensor, message: str) -> None:
    torch.save({**torch.load("tiny.pt"), "0.adder": value}, "bad.pt")
    fails(2, f"entry 0.adder of checkpoint {message}: bad.pt", *quantize_into("new.hwn", "bad.pt"))


@pytest.mark.usefixtures("folder")
def test_a_checkpoint_without_its_model() -> None:
    message = "model of a checkpoint must be named with --model, not left out: tiny.pt"
    fails(2, message, "evaluate", "tiny.pt", "--data", "data.npz")


# Models ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_an_unsupported_layer() -> None:
    fails(
        2,
        "Sequential must be made of layers that convert, not of 2 (GELU, fx node _2): use Adder2d, AdderLinear, "
        "Conv2d, Linear, BatchNorm, ReLU, max, average or global pooling, flatten and addition",
        *quantize_into("new.hwn", model="tiny_user_model:with_gelu"),
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "lenet6",
            "model must be one of lenet5, resnet20, resnet32, vgg-small, resnet18, resnet50, deit-tiny, deit-small, "
            "deit-base, vdsr-x2, vdsr-x3, vdsr-x4, edsr-x2, edsr-x3, edsr-x4, each with -cnn for its twin, or "
            "module:function, not 'lenet6'",
        ),
        (
            "tiny_user_model:absent",
            "model tiny_user_model:absent must be importable and callable, not raise AttributeError: "
            "module 'tiny_user_model' has no attribute 'absent'",
        ),
    ],
)
def test_an_unknown_model(name: str, message: str) -> None:
    fails(2, message, "energy", name)
    fails(2, message, *quantize_into("new.hwn", model=name))


# Data --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_an_empty_data_folder() -> None:
    Path("images").mkdir()
    fails(
        2,
        "data folder images must hold train/<class>/ and test/<class>/ (or val/) with images, or the python batches of "
        "CIFAR, not be empty",
        *quantize_into("new.hwn", data="images"),
    )


@pytest.mark.usefixtures("folder")
def test_a_mislabelled_data_folder() -> None:
    for name in ("train/cat", "train/dog", "test/cat", "test/dig"):
        Path("images", name).mkdir(parents=True)
        Image.new("L", (6, 6)).save(Path("images", name, "0.png"))
    message = "classes of images/test must be those of train, not differ in dig, dog"
    fails(2, message, "evaluate", "tiny.hwn", "--data", "images")


@pytest.mark.usefixtures("folder")
def test_missing_data_and_data_of_another_shape() -> None:
    message = "data must be mnist, a folder or an .npz file, not missing: nothing.npz"
    fails(2, message, "simulate", "rtl", "--data", "nothing.npz")
    message = "images must be uint8 of shape (N, 1, 6, 6), not uint8 of shape (1, 1, 28, 28)"
    fails(2, message, "simulate", "rtl", "--data", "mnist")


# Options -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "option", "value", "message"),
    [
        ("quantize", "--bits", 1, "bits must be 2 to 8, not 1"),
        ("quantize", "--bits", 9, "bits must be 2 to 8, not 9"),
        ("quantize", "--edge-bits", 9, "edge bits must be 2 to 8, not 9"),
        ("rtl", "--in-lanes", 0, "in lanes must be 1 to 64, not 0"),
        ("rtl", "--out-lanes", 65, "out lanes must be 1 to 64, not 65"),
        ("rtl", "--tree-stages", 3, "tree stages must be 0 to 2, not 3"),
        ("rtl", "--tree-stages", -1, "tree stages must be 0 to 2, not -1"),
        ("rtl", "--vectors", -1, "vectors must be at least 0, not -1"),
        ("simulate", "--images", 0, "images must be 1 to 10, the test images of data.npz, not 0"),
        ("simulate", "--images", 100000, "images must be 1 to 10, the test images of data.npz, not 100000"),
    ],
)
def test_options_out_of_range(command: str, option: str, value: int, message: str) -> None:
    arguments = {
        "quantize": quantize_into("new.hwn"),
        "rtl": ["rtl", "tiny.hwn", "--out", "new"],
        "simulate": ["simulate", "rtl", "--data", "data.npz"],
    }
    fails(2, message, *arguments[command], option, value)


def test_an_input_shape_is_three_positive_integers() -> None:
    for text in ("3,²,4", "3,4", "0,4,4", "a,4,4"):
        result = run("energy", "lenet5", "--input-shape", text)
        assert (result.exit_code, result.stderr.splitlines()[-1]) == (
            2,
            f"Error: Invalid value for '--input-shape': shape must be three positive integers as 3,224,224, not {text}",
        )


@pytest.mark.usefixtures("folder")
def test_a_quantized_network_is_priced_at_its_own_widths() -> None:
    assert told(run("energy", "tiny.hwn", "--json"))["precision"] == "network"
    assert told(run("energy", "tiny.hwn", "--precision", "fp32", "--json"))["precision"] == "fp32"


def test_an_unknown_precision() -> None:
    result = run("energy", "lenet5", "--precision", "fp8")
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == (
        "Error: Invalid value for '--precision': 'fp8' is not one of 'fp32', 'fp16', 'int8', 'int8-sums8', 'network'."
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("lenet5", "--table", "horowitz"),
            "technology table must be horowitz-isscc-2014, aladdin-40nm, shiftaddnas-icml-2022 or a csv file, "
            "not horowitz",
        ),
        (("lenet5", "--table", "mine.csv"), "technology table must be an existing file, not missing: mine.csv"),
        (("lenet5", "--node", "7"), "--node and --voltage must be given together, not one of them alone"),
        (
            ("lenet5", "--node", "28", "--voltage", "0.9"),
            "node must be one of 180, 130, 90, 65, HP45, HP32, LP45, LP32, HP20, HP16, HP14, HP10, HP7, LP20, LP16, "
            "LP14, LP10, LP7, not 28",
        ),
        (
            ("lenet5", "--table", "aladdin-40nm", "--precision", "fp16"),
            "width of float multiply must be one that table aladdin-40nm prices, not 16 bits "
            "(nearest rows: 32 bits at 24.4 pJ)",
        ),
        (("lenet5", "--accelerator"), "network on the accelerator must be a quantized network's file, not lenet5"),
        (
            ("tiny.hwn", "--data", "data.npz"),
            "option --data must be given with --gates or --accelerator, not alone",
        ),
        (("lenet5", "--in-lanes", "3"), "option --in-lanes must be given with --gates or --accelerator, not alone"),
        (("tiny.hwn", "--accelerator", "--images", "3"), "option --images must be given with --data, not alone"),
        (
            ("tiny.hwn", "--accelerator", "--classes", "3"),
            "option --classes must be left out with --accelerator, not given",
        ),
        (("--published", "--csv", "p.csv"), "option --csv must be left out with --published, not given"),
        (("--published", "--accelerator"), "option --accelerator must be left out with --published, not given"),
        (
            ("lenet5", "--list-unknown", "--html", "u.html"),
            "option --html must be left out with --list-unknown, not given",
        ),
        (("tiny.hwn", "--list-unknown"), "operations to list must be of a model, not of a quantized network: tiny.hwn"),
        (("lenet5", "--published"), "energy must be of a model or --published, not of both or neither"),
        ((), "energy must be of a model or --published, not of both or neither"),
        (
            ("tiny.hwn", "--accelerator", "--data", "data.npz", "--images", "11"),
            "images must be 1 to 10, the test images of data.npz, not 11",
        ),
    ],
)
def test_energy_that_cannot_be_priced(options: tuple[str, ...], message: str) -> None:
    fails(2, message, "energy", *options)


def test_every_option_of_energy_has_its_mode() -> None:
    options = {each.name for each in main.commands["energy"].params if isinstance(each, click.Option)}
    assert options - {"as_json"} == {name for taken in TAKEN.values() for name in taken}


@pytest.mark.usefixtures("folder")
def test_energy_on_the_accelerator() -> None:
    options = ("--in-lanes", 4, "--out-lanes", 2, "--counters", "none", "--data", "data.npz", "--images", 2)
    shutil.copy(TABLES / "horowitz-isscc-2014.csv", "mine.csv")
    tables = ("--table", "horowitz-isscc-2014", "--table", "mine.csv")
    content = told(
        run("energy", "tiny.hwn", "--accelerator", *options, *tables, "--node", "16", "--voltage", "0.8", "--json")
    )
    accelerator = content["accelerator"]
    assert isinstance(accelerator, dict)
    assert (accelerator["design"], accelerator["images"]) == ("4 x 2 lanes of 8 bits", 2)
    assert isinstance(content["tables"], list)
    assert [each["table"] for each in content["tables"]] == [
        f"{name} at HP16, 0.8 V" for name in ("horowitz-isscc-2014", "mine")
    ]
    profile = told(run("profile", "tiny.hwn", *options[:4], "--data", "data.npz", "--images", 2, "--json"))
    assert isinstance(profile["layers"], list)
    reads = sum(layer["weight_reads"] for layer in profile["layers"])
    found = [
        traffic["count"]
        for layer in accelerator["layers"]
        for traffic in layer["adders"]["traffic"]
        if traffic["purpose"] == "weight reads"
    ]
    assert 2 * sum(found) == reads > 0
    without = told(run("energy", "tiny.hwn", "--accelerator", *options[:4], "--json"))["accelerator"]
    assert isinstance(without, dict)
    assert without["images"] == 0
    assert [layer["effective_taps"] for layer in without["layers"]] == [None] * len(without["layers"])


# Network files and designs -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_corrupted_network_file() -> None:
    whole = Path("tiny.hwn").read_bytes()
    Path("half.hwn").write_bytes(whole[: len(whole) // 2])
    message = "network file must be what `hwadder quantize` writes, not another or half a file: half.hwn"
    for arguments in (
        ("evaluate", "half.hwn", "--data", "data.npz"),
        ("rtl", "half.hwn", "--out", "new"),
        ("energy", "half.hwn"),
    ):
        fails(2, message, *arguments)
    weights = network_file.load(Path("tiny.hwn")).nodes[1].weight.astype(np.uint8).tobytes()  # type: ignore[union-attr]
    assert whole.count(weights) == 1
    Path("bit.hwn").write_bytes(whole.replace(weights, bytes([weights[0] ^ 1]) + weights[1:]))
    message = "network file must be undamaged, not unreadable (BadZipFile: Bad CRC-32 for file '0.weight.npy'): bit.hwn"
    fails(2, message, "rtl", "bit.hwn", "--out", "new")


@pytest.mark.usefixtures("folder")
def test_a_folder_that_is_no_design() -> None:
    fails(2, "design folder must be an existing folder, not missing: new", "simulate", "new", "--data", "data.npz")
    Path("empty").mkdir()
    message = "design index must be an existing file, not missing: empty/design.json"
    fails(2, message, "simulate", "empty", "--data", "data.npz")


# Output ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_file_in_the_way_of_the_output() -> None:
    Path("file").write_text("mine")
    refused = "must be writable, not refused by the system (File exists)"
    fails(2, f"output file/new.hwn {refused}", *quantize_into("file/new.hwn"))
    fails(2, "output folder must be a folder, not an existing file: file", "rtl", "tiny.hwn", "--out", "file")
    fails(2, f"output file/rtl {refused}", "rtl", "tiny.hwn", "--out", "file/rtl")
    fails(2, f"output file/page.html {refused}", "energy", "lenet5", "--html", "file/page.html")
    fails(2, f"output file/rows.csv {refused}", "energy", "lenet5", "--csv", "file/rows.csv")
    fails(
        2,
        "output file must be a writable folder, not refused by the system (File exists)",
        *("flow", "--model", MODEL, "--checkpoint", "tiny.pt", "--data", "data.npz", "--out", "file", "--images", 1),
    )


@pytest.mark.usefixtures("folder")
def test_a_folder_of_something_else_is_not_replaced() -> None:
    Path("thesis").mkdir()
    Path("thesis", "chapter1.tex").write_text("years of work")
    message = "output folder must be new, empty or an earlier design, not hold other files: thesis"
    fails(2, message, "rtl", "tiny.hwn", "--out", "thesis")


@pytest.mark.usefixtures("folder")
def test_missing_parent_folders_are_made() -> None:
    assert run(*quantize_into("a/b/new.hwn")).exit_code == 0
    assert Path("a/b/new.hwn").read_bytes() == Path("tiny.hwn").read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_read_only_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's refusal is imitated: the superuser, who runs tests in containers, may write anywhere."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    refused = "must be writable, not refused by the system (Read-only file system)"
    fails(2, f"output new.hwn {refused}", *quantize_into("new.hwn"))
    fails(2, f"output new {refused}", "rtl", "tiny.hwn", "--out", "new")


def test_a_disk_that_fills_up_half_way(folder: Path) -> None:
    """A limit on the size of files stands for the disk: the system itself refuses to write more."""
    before = sorted(path.name for path in folder.iterdir())
    for arguments, output in (
        (quantize_into("new.hwn"), "new.hwn"),
        (["rtl", "tiny.hwn", "--out", "new"], "new"),
        (["energy", "tiny.hwn", "--html", "page.html"], "page.html"),
    ):
        done = subprocess.run(
            ["prlimit", "--fsize=1000", CONSOLE_SCRIPT, *arguments],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr.strip()) == (
            2,
            f"hwadder: output {output} must be writable, not refused by the system (File too large)",
        )
        assert sorted(path.name for path in folder.iterdir() if path.name != "__pycache__") == before


def test_a_result_that_nobody_can_take() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [CONSOLE_SCRIPT, "energy", "lenet5", "--json"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "hwadder: output must be readable and writable, not refused by the system (No space left on device)"
    )


# The simulator -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_missing_simulator_is_found_before_any_work() -> None:
    nowhere: dict[str, str | None] = {"PATH": str(Path.cwd())}
    message = NO_ICARUS.removeprefix("hwadder: ").rstrip()
    # Neither the data nor the checkpoint exists: the simulator was looked for first.
    fails(3, message, "simulate", "rtl", "--data", "nothing.npz", env=nowhere)
    fails(3, message, "flow", "--checkpoint", "nothing.pt", "--out", "new", env=nowhere)
    fails(3, message, "rtl", "tiny.hwn", "--out", "new", env=nowhere)
    no_compiler = (
        "simulator Verilator must find g++ and make to compile what it writes, not miss g++ and make: "
        "`apt-get install -y --no-install-recommends g++ make`"
    )
    fails(3, no_compiler, "simulate", "rtl", "--data", "nothing.npz", "--simulator", "verilator", env=nowhere)


def test_the_doctor_names_a_missing_simulator(tmp_path: Path) -> None:
    result = run("doctor", "--json", env={"PATH": str(tmp_path)})
    assert result.exit_code == 3
    assert result.stderr == (
        "hwadder: needed tools must be installed, not missing: iverilog, vvp; "
        "install with `apt-get install -y --no-install-recommends iverilog`\n"
    )
    missing = {tool["name"] for tool in json.loads(result.stdout)["tools"] if tool["version"] is None}
    assert {"iverilog", "vvp"} <= missing


@pytest.mark.usefixtures("folder")
def test_a_flipped_weight_bit_is_a_mismatch() -> None:
    """The words of the first layer hold its weights lane by lane, an output lane's two input lanes side by side."""
    memory = Path("rtl/memory/weights.mem")
    lines = memory.read_text().split()
    lines[0] = f"{int(lines[0], 16) ^ 0x80:0{len(lines[0])}x}"
    memory.write_text("\n".join(lines) + "\n")
    result = run("simulate", "rtl", "--data", "data.npz", "--images", 2, "--json")
    assert result.exit_code == 1
    content = json.loads(result.stdout)
    mismatch = content["mismatch"]
    assert content["mismatches"] == 1
    assert (mismatch["layer"], mismatch["channel"]) == ("0", 0)
    assert mismatch["expected"] != mismatch["actual"]
    assert Path(mismatch["waveform"]).stat().st_size > 1000
    assert result.stderr.splitlines()[-1] == (
        f"hwadder: layer 0 must equal the golden model, not differ in image {mismatch['image']} at channel 0, "
        f"row {mismatch['row']}, column {mismatch['column']}: expected {mismatch['expected']}, "
        f"actual {mismatch['actual']}; waveform: rtl/simulation/mismatch/hwadder_net.fst"
    )
    plain = run("simulate", "rtl", "--data", "data.npz", "--images", 2)
    assert plain.exit_code == 1
    assert plain.stderr == result.stderr


# Results -----------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.usefixtures("folder")
def test_results_as_json() -> None:
    evaluation = told(run("evaluate", "tiny.pt", "--model", MODEL, "--data", "data.npz", "--json"))
    assert evaluation["kind"] == "float"
    assert evaluation["images"] == 10
    integer = told(run("evaluate", "tiny.hwn", "--data", "data.npz", "--json"))
    assert set(integer) == {"kind", "images", "correct", "accuracy", "top5_correct", "top5_accuracy"}
    assert integer["kind"] == "integer"
    assert integer["top5_correct"] is None  # of three classes
    assert integer["accuracy"] == integer["correct"] / 10  # type: ignore[operator]

    quantization = told(run(*quantize_into("new.hwn"), "--json"))
    assert quantization["sha256"] == network_file.digest(network_file.load(Path("new.hwn")))
    assert [layer["layer"] for layer in quantization["layers"]] == ["0", "3", "5"]  # type: ignore[attr-defined]

    options = ("--in-lanes", 3, "--lane", "complement", "--memory-style", "distributed", "--json")
    design = told(run("rtl", "tiny.hwn", "--out", "rtl", *options))
    assert design["top"] == "hwadder_net"
    chosen = {"IN_LANES": 3, "OUT_LANES": 16, "MIN_FORM": 0, "MEMORY_STYLE": 2}
    assert design["parameters"].items() >= chosen.items()  # type: ignore[attr-defined]

    simulation = told(run("simulate", "rtl", "--data", "data.npz", "--images", 3, "--waves", "--json"))
    keys = {"simulator", "images", "layers", "values_compared", "mismatches", "cycles_per_image"}
    assert keys <= set(simulation)
    counted = (simulation["images"], simulation["layers"], simulation["values_compared"])
    assert counted == (3, 3, 3 * VALUES_PER_IMAGE)
    assert (simulation["mismatches"], simulation["simulator"]) == (0, f"Icarus Verilog {require_icarus()}")
    assert Path(str(simulation["waveform"])).stat().st_size > 1000

    compiled = told(run("simulate", "rtl", "--data", "data.npz", "--images", 3, "--simulator", "verilator", "--json"))
    assert str(compiled["simulator"]).startswith("Verilator ")
    assert compiled == {**simulation, "simulator": compiled["simulator"], "waveform": None}


@pytest.mark.usefixtures("folder")
def test_packing_and_profile_as_json() -> None:
    roomy = ("--in-lanes", 3, "--out-lanes", 2, "--counters", "traffic", "--stopped", "--reserve", "WEIGHT_DEPTH=500")
    design = told(run("rtl", "tiny.hwn", "--out", "roomy", *roomy, "--json"))
    chosen = {"COUNTERS": 1, "RUN_AT_RESET": 0, "WEIGHT_DEPTH": 500}
    assert design["parameters"].items() >= chosen.items()  # type: ignore[attr-defined]
    packed = told(run("pack", "tiny.hwn", "--design", "roomy", "--out", "packets", "--json"))
    names = {path.name for path in Path("packets").iterdir()}
    assert names == {"descriptors.bin", "weights.bin", "affine.bin", "signature.txt"}
    assert packed["signature"] == Path("packets/signature.txt").read_text().strip()
    assert packed["weights.bin"] == Path("packets/weights.bin").stat().st_size
    assert Path("packets/weights.bin").read_bytes() == Path("roomy/packets/weights.bin").read_bytes()

    simulation = told(run("simulate", "roomy", "--data", "data.npz", "--images", 1, "--json"))
    profile = told(run("profile", "tiny.hwn", "--data", "data.npz", *roomy, "--json"))
    counted: list[dict[str, int]] = simulation["counters"]  # type: ignore[assignment]
    predicted: list[dict[str, int]] = profile["layers"]  # type: ignore[assignment]
    assert [dict(layer) | counts for layer, counts in zip(predicted, counted, strict=True)] == predicted
    assert profile["total"]["clocks"] == sum(layer["clocks"] for layer in predicted)  # type: ignore[index]

    twice = told(run("profile", "tiny.hwn", "--data", "data.npz", "--images", 2, *roomy, "--json"))
    assert twice["total"]["clocks"] == 2 * profile["total"]["clocks"]  # type: ignore[index]
    shown = run("profile", "tiny.hwn", "--data", "data.npz", *roomy)
    assert "3 x 2 lanes, 1 drained: predicted counters of 1 images" in shown.stdout
    assert f"{profile['total']['clocks']:,}" in shown.stdout  # type: ignore[index]


@pytest.mark.usefixtures("folder")
def test_a_network_that_does_not_fit_a_design() -> None:
    network = quantized(small_lenet())
    network_file.save(network, Path("lenet.hwn"))
    with pytest.raises(BadInputError, match=r"^network small lenet must fit the design, not need ") as caught:
        program_for(network, load_design(Path("rtl"))[0].parameters)
    fails(2, str(caught.value), "pack", "lenet.hwn", "--design", "rtl", "--out", "p")
    fails(
        2,
        "network file must be an existing file, not missing: none.hwn",
        "pack",
        "none.hwn",
        "--design",
        "rtl",
        "--out",
        "p",
    )
    fails(
        2,
        "design folder must be an existing folder, not missing: none",
        "pack",
        "tiny.hwn",
        "--design",
        "none",
        "--out",
        "p",
    )
    fails(
        2,
        "--reserve must be a parameter's name and a number, NAME=N, not WEIGHT_DEPTH",
        "rtl",
        "tiny.hwn",
        "--out",
        "new",
        "--reserve",
        "WEIGHT_DEPTH",
    )
    fails(
        2,
        "reserved WEIGHT_DEPTH must be 1 to 1073741824, not 0",
        "rtl",
        "tiny.hwn",
        "--out",
        "new",
        "--reserve",
        "WEIGHT_DEPTH=0",
    )


def test_energy_as_json() -> None:
    content = told(run("energy", "resnet20", "--json"))
    assert {"model", "table", "precision", "convention", "layers", "totals"} <= set(content)
    assert (content["model"], content["precision"]) == ("resnet20", "fp32")
    totals = content["totals"]
    assert isinstance(totals, dict)
    for kind, energy_uj in (("adder", 74.70), ("cnn", 187.74)):
        assert {"multiplications", "additions", "energy_pj"} == set(totals[kind])
        assert f"{totals[kind]['energy_pj'] / 1e6:.2f}" == f"{energy_uj:.2f}"
    assert (totals["adder_taps"], totals["dot_taps"]) == (40_370_176, 443_008)


@pytest.mark.usefixtures("folder")
def test_networks_side_by_side() -> None:
    content = told(run("compare", "lenet5", MODEL, "tiny.hwn", "--csv", "c.csv", "--html", "c.html", "--json"))
    networks = content["networks"]
    assert isinstance(networks, list)
    assert [(row["label"], row["precision"]) for row in networks] == [
        ("lenet5", "fp32"),
        (MODEL, "fp32"),
        ("tiny.hwn", "network"),
    ]
    assert networks[1]["adder_taps"] == networks[2]["adder_taps"]
    assert len(Path("c.csv").read_text().splitlines()) == 4
    assert "Networks side by side" in Path("c.html").read_text()
    run("compare", "lenet5", "--markdown", "c.md")
    assert Path("c.md").read_text().startswith("# Networks side by side\n")
    run("energy", "lenet5", "--markdown", "e.md")
    assert Path("e.md").read_text().startswith("# Energy of lenet5\n")
    tables = [f"--table={name}" for name in ("horowitz-isscc-2014", "aladdin-40nm")]
    by_table = told(run("compare", "lenet5", "--precision", "int8", *tables, "--json"))["networks"]
    assert isinstance(by_table, list)
    assert [row["label"] for row in by_table] == ["lenet5 horowitz-isscc-2014", "lenet5 aladdin-40nm"]
    # Two files of one name.
    for place in ("a", "b"):
        Path(place).mkdir()
        shutil.copy(TABLES / f"{'horowitz-isscc-2014' if place == 'a' else 'aladdin-40nm'}.csv", f"{place}/t.csv")
    both = told(run("compare", "lenet5", "--precision", "int8", "--table", "a/t.csv", "--table", "b/t.csv", "--json"))
    assert isinstance(both["networks"], list)
    assert [row["label"] for row in both["networks"]] == ["lenet5 a/t.csv", "lenet5 b/t.csv"]
    assert [row["adder_energy_pj"] for row in both["networks"]] == [row["adder_energy_pj"] for row in by_table]
    alone = told(run("energy", "lenet5", "--precision", "int8", tables[1], "--json"))["totals"]
    assert isinstance(alone, dict)
    assert by_table[1]["adder_energy_pj"] == alone["adder"]["energy_pj"]
    scaled = told(run("compare", "lenet5", "--node", "7", "--voltage", "0.7", "--json"))["networks"]
    assert isinstance(scaled, list)
    assert 0 < scaled[0]["adder_energy_pj"] < networks[0]["adder_energy_pj"]
    twice = told(run("compare", "lenet5", "--precision", "fp32", "--precision", "int8", "--json"))["networks"]
    assert isinstance(twice, list)
    assert [row["label"] for row in twice] == ["lenet5 fp32", "lenet5 int8"]
    assert "…" not in run("compare", "lenet5", "tiny.hwn").stdout
    fails(2, "names to compare must differ, not name lenet5 twice", "compare", "lenet5", "lenet5")
    fails(
        2, "precisions to compare must differ, not name fp32 twice", "compare", "lenet5", *(2 * ["--precision", "fp32"])
    )
    shutil.copy("tiny.hwn", "tiny.hwn y")
    for table in ("z.csv", "y z.csv"):
        shutil.copy("a/t.csv", table)
    fails(
        *(2, "labels to compare must differ, not be tiny.hwn y z.csv twice"),
        *("compare", "tiny.hwn", "tiny.hwn y", "--table", "y z.csv", "--table", "z.csv"),
    )
    fails(2, "tables to compare must differ, not name aladdin-40nm twice", "compare", "lenet5", *(2 * tables[1:]))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("zigzag", ["unit_energy.yaml", "workload.yaml"]),
        ("accelergy", ["ERT.yaml", "action_counts.yaml", "architecture.yaml", "hwadder.lib.yaml"]),
    ],
)
def test_exports(form: str, files: list[str]) -> None:
    for name, precision in (("tiny.hwn", "network"), ("lenet5", "fp32")):  # the second replaces the first
        content = told(run("export", name, "--format", form, "--out", "new", "--json"))
        assert (content["files"], content["precision"]) == (files, precision)
        assert sorted(path.name for path in Path("new").iterdir()) == files
    assert "5 layers with taps" in run("export", "lenet5", "--format", form, "--out", "new").stdout
    assert run("export", "lenet5", "--format", form, "--out", "few", "--classes", 7).exit_code == 0
    assert Path("few", files[1]).read_text() != Path("new", files[1]).read_text()


def test_a_network_that_zigzag_cannot_be_told(folder: Path) -> None:
    result = run("export", "deit-tiny", "--format", "zigzag", "--out", "new")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "hwadder: network for ZigZag must be one that `hwadder quantize` takes, not deit-tiny: "
    )
    assert not (folder / "new").exists()


@pytest.mark.usefixtures("folder")
def test_training_as_json() -> None:
    arguments = ("--data", "data.npz", "--out", "trained.pt", "--epochs", 2, "--batch-size", 10, "--json")
    content = told(run("train", MODEL, *arguments))
    assert (content["checkpoint"], content["epochs"]) == ("trained.pt", 2)
    assert sorted(path.name for path in Path.cwd().glob("trained.pt*")) == [
        *("trained.pt", "trained.pt.csv", "trained.pt.last", "trained.pt.png"),
    ]


@pytest.mark.usefixtures("folder")
def test_training_is_configured_stopped_and_resumed() -> None:
    Path("own.toml").write_text("epochs = 2\nbatch_size = 10\nflip = true\n")
    whole = ("train", MODEL, "--data", "data.npz", "--config", "own.toml", "--no-flip", "--device", "cpu")
    done = run(*whole, "--out", "whole.pt")
    assert done.stderr.startswith("recipe mnist-lenet5: epochs 2, batch_size 10, accumulate 1, learning_rate 0.05, ")
    assert ", flip False, " in done.stderr
    assert done.stdout.startswith("whole.pt: best epoch ")
    assert done.stdout.endswith(" of the validation images right\n")

    stopped = run(*whole, "--out", "stopped.pt", "--stop-after", 1e-9)
    assert (stopped.exit_code, stopped.stdout) == (
        0,
        "stopped.pt: not written before the first epoch's end; stopped, the same command goes on with --resume\n",
    )
    # The resume file holds the configuration, so that it need not be told again.
    resumed = run("train", MODEL, "--data", "data.npz", "--out", "stopped.pt", "--resume", "--device", "cpu")
    assert resumed.exit_code == 0
    assert resumed.stderr.startswith("stopped.pt.last: epochs 2, batch_size 10, ")
    assert Path("stopped.pt").read_bytes() == Path("whole.pt").read_bytes()
    assert Path("stopped.pt.csv").read_bytes() == Path("whole.pt.csv").read_bytes()


@pytest.mark.usefixtures("folder")
def test_bad_settings_of_training() -> None:
    Path("own.toml").write_text("epoch = 2\n")
    start = ("train", MODEL, "--data", "data.npz", "--out", "new.pt")
    message = "key of the configuration must be a setting of training, not epoch; the nearest is epochs"
    fails(2, message, *start, "--config", "own.toml")
    fails(2, "epochs must be at least 1, not 0", *start, "--epochs", 0)
    fails(2, "stop_after_minutes must be positive, not 0.0", *start, "--stop-after", 0)
    fails(2, "configuration must be an existing file, not missing: none.toml", *start, "--config", "none.toml")
    fails(2, "checkpoint must be an existing file, not missing: new.pt.last", *start, "--resume")


def test_every_setting_of_training_has_its_option_and_help() -> None:
    text = " ".join(run("train", "--help", env={"COLUMNS": "500"}).output.split())
    for name, (kind, meaning) in settings().items():
        flag = f"--{name.replace('_', '-')}"
        assert (f"{flag} / --no-{flag[2:]}" if kind is bool else f"{flag} ") in text
        assert meaning in text


@pytest.mark.usefixtures("folder")
def test_results_for_people() -> None:
    assert run("evaluate", "tiny.hwn", "--data", "data.npz").stdout.endswith(" of 10), integer\n")
    shown = run("simulate", "rtl", "--data", "data.npz").stdout
    assert " 1 images, 3 layers, 42 values compared, 0 mismatches, " in shown
    table = run("quantize", "tiny.pt", "--model", MODEL, "--data", "data.npz", "--out", "[b]new.hwn").stdout
    assert table.startswith("[b]new.hwn: 3 layers, SHA-256 ")
    assert "MaxPool" in table
    assert "…" not in run("energy", "resnet20").stdout  # no figure is cut in a pipe


def test_the_console_script_from_another_folder(folder: Path, tmp_path: Path) -> None:
    """One object on stdout alone, progress beside it on stderr; the folder `sim` of the caller is not ours."""
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    arguments = ["simulate", str(folder / "rtl"), "--data", str(folder / "data.npz"), "--images", "2", "--json"]
    done = subprocess.run([CONSOLE_SCRIPT, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["mismatches"] == 0
    version = subprocess.run([CONSOLE_SCRIPT, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert version.stdout.startswith("hwadder, version ")


# Synthesis -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_synthesis_as_json() -> None:
    content = told(run("synth", "rtl", "--json"))
    assert (content["top"], content["multipliers"], content["area"], content["fpga"]) == ("hwadder_net", 0, None, [])
    gates, memories = content["gates"], content["memories"]
    assert isinstance(gates, dict)
    assert isinstance(memories, list)
    assert gates["gate_equivalents"] == gates["transistors"] / 4 > 1000
    assert content["memory_bits"] == sum(memory["words"] * memory["width_bits"] for memory in memories) > 0
    # None of the memories was taken apart: the logic has fewer flip-flops than they have bits.
    assert gates["flip_flops"] < content["memory_bits"]
    kept = json.loads(Path("rtl", "synthesis.json").read_text())
    assert (len(kept.pop("design_sha256")), kept) == (64, content)


@pytest.mark.long
@pytest.mark.usefixtures("folder")
def test_synthesis_for_people() -> None:
    shown = run("synth", "rtl", "--target", "ice40")
    assert shown.exit_code == 0, shown.stderr
    for text in ("Lattice iCE40", "block RAMs", "DSP blocks", "multiplier cells"):
        assert text in shown.stdout
    assert shown.stdout.endswith("Fmax is left out: no place and route is run without --fmax.\n")


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_clock_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked of a stand-in for nextpnr, which finds the design too large."""
    program = tmp_path / "bin" / "nextpnr-ice40"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    program.write_text("#!/bin/sh\necho 'Info:  ICESTORM_LC:  9000/  7680  117%'; exit 1\n")
    program.chmod(0o755)
    shown = run("synth", "rtl", "--target", "ice40", "--fmax")
    assert shown.exit_code == 0, shown.stderr
    assert "Fmax, iCE40HX8K" in shown.stdout
    assert "does not fit: 9,000 ICESTORM_LC of 7,680" in shown.stdout
    assert shown.stdout.endswith("Fmax is that of one run of nextpnr, with a register at every port.\n")


@pytest.mark.usefixtures("folder")
def test_a_clock_rate_without_nextpnr(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name == "pyosys" else None)
    message = "place and route tool nextpnr-ecp5 must be installed, not missing: `pip install 'hwadder[fmax]'`"
    fails(3, message, "synth", "rtl", "--target", "ecp5", "--fmax")
    fails(2, "targets with a clock rate must include ecp5 or ice40, not be asic", "synth", "rtl", "--fmax")


@pytest.mark.usefixtures("folder")
def test_synthesis_that_can_not_be() -> None:
    fails(2, "design folder must be an existing folder, not missing: new", "synth", "new")
    fails(2, "cell library must be an existing file, not missing: new.lib", "synth", "rtl", "--liberty", "new.lib")
    message = "targets with a cell library must include asic, not be xc7"
    fails(2, message, "synth", "rtl", "--liberty", "data.npz", "--target", "xc7")
    fails(2, "time limit must be positive, not 0 s", "synth", "rtl", "--time-limit", 0)


@pytest.mark.usefixtures("folder")
def test_distributed_memories_without_lut_ram() -> None:
    assert run("rtl", "tiny.hwn", "--out", "rtl", "--memory-style", "distributed").exit_code == 0
    message = "targets of a design with distributed memories must have LUT RAM, not be ice40: rtl"
    fails(2, message, "synth", "rtl", "--target", "all")


@pytest.mark.usefixtures("folder")
def test_a_multiplier_planted_in_a_design() -> None:
    (lane,) = Path("rtl", "library").glob("minimum_lane.v")
    text = lane.read_text()
    assert text.count("(x < w) ? x : w") == 1
    lane.write_text(text.replace("(x < w) ? x : w", "x * w"))
    parameters = json.loads(Path("rtl", "design.json").read_text())["parameters"]
    lanes = parameters["IN_LANES"] * parameters["OUT_LANES"]
    fails(1, f"multiplier cells of hwadder_net must be 0, not {lanes} $mul", "synth", "rtl")


@pytest.mark.usefixtures("folder")
def test_synthesis_without_yosys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    message = "synthesis tool Yosys (pyosys) must be installed, not missing: `pip install 'hwadder[synth]'`"
    fails(3, message, "synth", "rtl")
