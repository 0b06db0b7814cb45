"""Energy measured on gates, from a network's file to JSON: what is in it, that it adds up, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cell_library import LIBERTY
from click.testing import CliRunner
from networks import Builder, quantized, small_lenet

from hwadder.cli import main
from hwadder.gate_energy import GateOptions, measure_gates
from quant import network_file
from quant.errors import BadInputError
from quant.float_network import Flatten, Kind
from rtl.architecture import Architecture

LANES = ("--in-lanes", "2", "--out-lanes", "2")
SAMPLE = ("--windows", "2", "--window-words", "4", "--layer", "conv2", "--layer", "fc1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of 4 bits, images for it, and a cell library."""
    folder = tmp_path_factory.mktemp("gates")
    network = quantized(small_lenet(), bits=4, edge_bits=4)
    (folder / "net.hwn").write_bytes(network_file.serialise(network))
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (8, *network.input.shape), dtype=np.uint8), np.arange(8) % 4
    np.savez(folder / "data.npz", x_train=images[:4], y_train=labels[:4], x_test=images[4:], y_test=labels[4:])
    (folder / "five.lib").write_text(LIBERTY)
    return folder


def run(folder: Path, *arguments: str, liberty: str = "five.lib") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the command on the folder's network."""
    given = ("--liberty", str(folder / liberty), "--data", str(folder / "data.npz"), *LANES)
    result = CliRunner().invoke(main, ["energy", str(folder / "net.hwn"), "--gates", *given, *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(scope="module")
def report(folder: Path) -> dict[str, Any]:
    code, stdout, stderr = run(folder, *SAMPLE, "--array", "--images", "2", "--clock-mhz", "50", "--json")
    assert code == 0, stderr
    content: dict[str, Any] = json.loads(stdout)
    return content


def test_every_measurement_is_there(report: dict[str, Any]) -> None:
    rows = {(row["layer"], row["design"], row["operands"], row["delay"]) for row in report["taps"]}
    kinds = {
        "min": ("layer", "uniform"),
        "complement": ("layer", "uniform"),
        "Booth rows": ("layer", "convolution", "uniform"),
        "lane array": ("layer", "uniform"),
    }
    assert rows == {
        (layer, design, operands, delay)
        for layer in ("conv2", "fc1")
        for design in kinds
        for operands in kinds[design]
        for delay in ("zero", "library", "unit")
    }
    assert len(report["taps"]) == len(rows)
    assert (report["network"], report["library"], report["code_bits"]) == ("small lenet", "five.lib", 4)
    assert [sample["words"] for sample in report["samples"]] == [2 * 14, 2 * 4]


def test_parts_are_a_whole(report: dict[str, Any]) -> None:
    totals = {(row["design"], row["layer"], row["operands"], row["delay"]): row["total_fj"] for row in report["taps"]}
    for row in report["taps"]:
        assert row["total_fj"] == pytest.approx(row["pins_fj"] + row["internal_fj"] + row["clock_fj"], rel=1e-12)
        key = (row["layer"], row["operands"], row["delay"])
        assert row["baseline_ratio"] == pytest.approx(totals["Booth rows", *key] / row["total_fj"], rel=1e-12)


def test_what_is_modelled_is_said(report: dict[str, Any]) -> None:
    assert report["model"] == [
        "Elements of 2 lanes, 4 bits, mapped with abc to five.lib (2 V); words of 2 output lanes in the order of the "
        "walk.",
        "pins: 1/2 C V^2 for each change of a net, C the input pins that it drives; wires have none.",
        "inside: the library's internal_power at a slew of 0.05 ns and the net's load.",
        "clock: clock pins of the flip-flops, both edges; no clock tree, no gating.",
        "delays zero: no glitches; library: delays of the library, pulses shorter than a gate's delay left out; unit: "
        "one unit of delay a gate; a glitch counts as a whole swing.",
        "Leakage is apart, at 50 MHz. Operand registers and memories are in no figure.",
        "min has a share of the sum of x: one for 2 output lanes.",
    ]


def test_a_library_of_functions_alone(folder: Path) -> None:
    """Neither energies nor delays, and said so; the table for people; the layer of most taps where none is named."""
    (folder / "bare.lib").write_text(BARE)
    code, stdout, stderr = run(folder, "--windows", "1", "--window-words", "1", liberty="bare.lib")
    assert code == 0, stderr
    assert "inside: 0, because the library has no internal_power." in stdout
    assert "the library has no delays" in stdout
    assert "small lenet: energy of a tap on gates, fJ" in stdout
    assert "conv1" in stdout
    assert "conv2" not in stdout


GIVEN = ["--gates", "--liberty", "five.lib", "--data", "data.npz"]
BARE = """library (bare) { nom_voltage : 1; capacitive_load_unit (1, pf);
  cell (INVX) { area : 2; pin (A) { direction : input; capacitance : 0.001; }
    pin (Y) { direction : output; function : "A'"; } }
  cell (BUFX) { area : 3; pin (A) { direction : input; capacitance : 0.001; }
    pin (Y) { direction : output; function : "A"; } }
  cell (NANDX) { area : 4; pin (A) { direction : input; capacitance : 0.002; }
    pin (B) { direction : input; capacitance : 0.002; } pin (Y) { direction : output; function : "(A B)'"; } }
  cell (DFFX) { area : 16; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; clock : true; } pin (D) { direction : input; capacitance : 0.001; }
    pin (Q) { direction : output; function : "IQ"; } }
}
"""


@pytest.mark.parametrize(
    ("arguments", "liberty", "message"),
    [
        (
            ["--layer", "pool1"],
            "five.lib",
            "layer must be an adder layer of small lenet (conv1, conv2, conv3, fc1, fc2), not pool1",
        ),
        (["--images", "0"], "five.lib", "images must be 1 to 4, the test images of {folder}/data.npz, not 0"),
        (["--windows", "0"], "five.lib", "windows must be at least 1 of at least 1 word, not 0 of 256"),
        (["--clock-mhz", "0"], "five.lib", "clock must be positive, not 0"),
        ([], "absent.lib", "cell library must be an existing file, not missing: {folder}/absent.lib"),
        ([], "data.npz", "cell library must be a Liberty file, not unreadable ('PK"),
    ],
)
def test_refusals(arguments: list[str], liberty: str, message: str, folder: Path) -> None:
    code, stdout, stderr = run(folder, *arguments, "--json", liberty=liberty)
    assert (code, stdout) == (2, "")
    assert stderr.startswith(f"hwadder: {message.format(folder=folder)}")


def test_refusals_before_the_network_is_read() -> None:
    for arguments, message in (
        (["--gates"], "option --liberty must be given with --gates, not left out"),
        (["--gates", "--liberty", "five.lib"], "option --data must be given with --gates, not left out"),
        (["--layer", "fc1", "--array"], "option --layer must be given with --gates, not alone"),
        ([*GIVEN, "--html", "page.html"], "option --html must be left out with --gates, not given"),
        ([*GIVEN, "--published"], "option --published must be left out with --gates, not given"),
        ([*GIVEN, "--precision", "int8"], "option --precision must be left out with --gates, not given"),
        (GIVEN, "network file must be an existing file, not missing: absent.hwn"),
    ):
        result = CliRunner().invoke(main, ["energy", "absent.hwn", *arguments])
        assert (result.exit_code, result.stderr) == (2, f"hwadder: {message}\n")
    result = CliRunner().invoke(main, ["energy", *GIVEN])
    assert result.stderr == "hwadder: energy with --gates must be of a quantized network, not of none\n"
    dots = Builder("dots", (1, 4, 4), 0)
    dots.linear("fc", dots.append(Flatten("flatten", "image")), Kind.DOT, 2)
    network = quantized(dots.network())
    images = np.zeros((1, *network.input.shape), np.uint8)
    with pytest.raises(BadInputError, match=r"^network must have an adder layer, not none: dots$"):
        measure_gates(network, images, Architecture(), GateOptions(liberty=Path("absent.lib")))
    with pytest.raises(BadInputError, match=r"^slew must be positive, not nan$"):
        GateOptions(liberty=Path("five.lib"), slew_ns=float("nan"))


def test_without_yosys(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    code, stdout, stderr = run(folder)
    message = "hwadder: synthesis tool Yosys (pyosys) must be installed, not missing: `pip install 'hwadder[synth]'`\n"
    assert (code, stdout, stderr) == (3, "", message)
