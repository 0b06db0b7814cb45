"""The whole chain: steps that go on from each other, results that outlive none of their causes, and real networks."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_user import MODEL, VALUES_PER_IMAGE, write_user_folder

from energy import Precision
from hwadder import chain, verbs
from hwadder.chain import FlowOptions, FlowStep, flow
from hwadder.data import Dataset, load_dataset
from hwadder.models import shipped_weights
from hwadder.synthesis_record import keep_synthesis, kept_synthesis
from quant import network_file
from quant.errors import BadInputError, MissingToolError
from quant.executor import Executor
from quant.golden import encode, trace
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from rtl.synthesis import Gates, Synthesis
from sim.tools import Simulator

EVALUATE, QUANTIZE, RTL, SIMULATE, ENERGY, REPORT = list(FlowStep)[1:]


def options_in(folder: Path) -> FlowOptions:
    return FlowOptions(
        out=folder / "out",
        model=MODEL,
        checkpoint=folder / "tiny.pt",
        data=str(folder / "data.npz"),
        architecture=Architecture(in_lanes=2, out_lanes=2),
        images=2,
        precision=Precision.NETWORK,
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> FlowOptions:
    """A flow that has run to its end."""
    folder = tmp_path_factory.mktemp("flow")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_user_folder()
        options = options_in(folder)
        flow(options)
    return options


@pytest.fixture
def options(finished: FlowOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FlowOptions:
    """The same, in a folder of the test's own, which is the current one."""
    folder = tmp_path / "user"
    shutil.copytree(finished.out.parent, folder)
    monkeypatch.chdir(folder)
    return options_in(folder)


def records(options: FlowOptions) -> set[str]:
    return {step.value for step in FlowStep if options.record(step).is_file()}


def test_every_step_leaves_its_result(finished: FlowOptions) -> None:
    assert sorted(path.name for path in finished.out.iterdir()) == sorted(
        ["energy.csv", "network.hwn", "rtl", "report.html", *(f"{step}.json" for step in list(FlowStep)[1:-1])]
    )
    simulation = json.loads((finished.out / "simulate.json").read_text())
    assert (simulation["mismatches"], simulation["values_compared"]) == (0, 2 * VALUES_PER_IMAGE)
    assert Path(simulation["waveform"]).is_file()
    quantization = json.loads((finished.out / "quantize.json").read_text())
    design = json.loads((finished.out / "rtl.json").read_text())
    assert quantization["sha256"] == design["network_sha256"]
    assert json.loads((finished.out / "energy.json").read_text())["precision"] == "network"
    page = (finished.out / "report.html").read_text()
    for text in (f"{MODEL} on adder-only hardware", "Simulation against the golden model", quantization["sha256"]):
        assert text in page


def texts(options: FlowOptions) -> dict[str, str]:
    """The records' texts, wherever their folder lies."""
    files = options.out.glob("*.json")
    return {path.name: path.read_text().replace(str(options.out), "OUT") for path in files}


def test_a_flow_goes_on_where_one_stopped(finished: FlowOptions, options: FlowOptions) -> None:
    shutil.rmtree(options.out)
    lines: list[str] = []
    assert flow(options, last=QUANTIZE, announce=lines.append).rows()[-1][0] == "integer accuracy"
    assert records(options) == {"evaluate", "quantize"}
    summary = flow(options, RTL, announce=lines.append)
    assert lines == [f"{step}: {MODEL} on {options.data}" for step in list(FlowStep)[1:]]
    mine, whole = texts(options), texts(finished)
    mine["quantize.json"] = mine["quantize.json"].replace(options.data, finished.data)
    assert mine == whole
    assert [what for what, _ in summary.rows()] == [
        *(
            "float accuracy",
            "integer accuracy",
            "RTL against golden model",
            "simulated",
            "cycles per image",
            "waveform",
        ),
        *("energy, network", "report"),
    ]
    assert summary.to_json().keys() == {"evaluate", "quantize", "rtl", "simulate", "energy", "report"}
    assert summary.page == options.out / "report.html"


def test_a_new_network_makes_older_results_void(options: FlowOptions) -> None:
    summary = flow(replace(options, quantizer=QuantizerOptions(bits=4)), QUANTIZE, QUANTIZE)
    assert (summary.design, summary.simulation, summary.energy, summary.page) == (None, None, None, None)
    assert records(options) == {"evaluate", "quantize"}
    with pytest.raises(BadInputError) as caught:
        flow(options, SIMULATE)
    assert str(caught.value) == (
        "result of step rtl, which step simulate goes on from, must be an existing file, not missing: "
        f"{options.out / 'rtl.json'}"
    )
    # The page tells what the folder holds, whatever options the last run was given.
    flow(options, ENERGY)
    page = (options.out / "report.html").read_text()
    assert "quantized to 4 bits." in page
    assert "Simulat" not in page


def test_a_mismatch_ends_the_flow(options: FlowOptions) -> None:
    memory = options.design / "memory" / "weights.mem"
    first, *rest = memory.read_text().split()
    memory.write_text("\n".join([f"{int(first, 16) ^ 0x80:0{len(first)}x}", *rest]) + "\n")
    summary = flow(options, SIMULATE)
    assert summary.mismatch is not None
    assert summary.mismatch.startswith("layer 0 must equal the golden model, not differ in image ")
    assert summary.page is None
    assert records(options) == {"evaluate", "quantize", "rtl", "simulate", "energy"}
    assert ("RTL against golden model", "1 mismatches in ") in [(what, value[:16]) for what, value in summary.rows()]


def test_training_feeds_the_steps_after_it(options: FlowOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(model: str, data: Dataset, out: Path) -> None:
        assert (model, len(data.x_train)) == (MODEL, 30)
        shutil.copyfile("tiny.pt", out)

    monkeypatch.setattr(verbs, "train", train)
    evaluation = json.loads((options.out / "evaluate.json").read_text())
    shutil.rmtree(options.out)
    summary = flow(replace(options, checkpoint=None), FlowStep.TRAIN, EVALUATE)
    assert summary.evaluation == evaluation
    with pytest.raises(BadInputError) as caught:
        flow(options, FlowStep.TRAIN)
    assert str(caught.value) == f"checkpoint of a flow that trains must be left out, not {options.checkpoint}"


def test_what_is_wrong_is_said_before_any_work(
    options: FlowOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in options.out.iterdir()}
    cases = [
        (options, ENERGY, RTL, "first step must not come after the last, not be energy with rtl"),
        (replace(options, images=11), EVALUATE, REPORT, "images must be 1 to 10, the test images of data.npz, not 11"),
        (
            replace(options, checkpoint=Path("none.pt")),
            *(EVALUATE, REPORT),
            "checkpoint must be an existing file, not missing: none.pt",
        ),
        (
            replace(options, out=tmp_path / "new"),
            *(REPORT, REPORT),
            "result of step quantize, which step report goes on from, must be an existing file, not missing: "
            f"{tmp_path / 'new' / 'quantize.json'}",
        ),
    ]
    for case, first, last, message in cases:
        with pytest.raises(BadInputError) as caught:
            flow(replace(case, data="data.npz"), first, last)
        assert str(caught.value) == message
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError):
        flow(options)
    assert {path: path.stat().st_mtime_ns for path in options.out.iterdir()} == before
    assert not (tmp_path / "new").exists()


def test_a_damaged_record_is_named(options: FlowOptions) -> None:
    options.record(EVALUATE).write_text('{"kind": ')
    with pytest.raises(BadInputError) as caught:
        flow(options, ENERGY, ENERGY)
    assert str(caught.value) == (
        f"result of step evaluate must be undamaged JSON, not unreadable: {options.out / 'evaluate.json'}"
    )


def test_every_source_of_a_step_comes_before_it() -> None:
    order = list(FlowStep)
    assert all(order.index(source) < order.index(step) for step, source in chain._SOURCE.items())


# Real networks --------------------------------------------------------------------------------------------------------


def test_the_shipped_lenet5_from_weights_to_page(tmp_path: Path) -> None:
    assert shipped_weights("lenet5").is_file()
    summary = flow(FlowOptions(out=tmp_path / "demo", images=2))
    evaluation, quantization, simulation = summary.evaluation, summary.quantization, summary.simulation
    assert evaluation is not None
    assert quantization is not None
    assert simulation is not None
    assert (evaluation["kind"], evaluation["images"]) == ("float", 1000)
    assert evaluation["correct"] >= 985
    integer = quantization["evaluation"]
    assert (integer["kind"], integer["images"], quantization["bits"]) == ("integer", 1000, 8)
    assert abs(integer["correct"] - evaluation["correct"]) <= 3
    # conv, pool, conv, pool, conv, fc, fc of a 28 x 28 image.
    values = 6 * 28 * 28 + 6 * 14 * 14 + 16 * 10 * 10 + 16 * 5 * 5 + 120 + 84 + 10
    assert (simulation["mismatches"], simulation["layers"], simulation["values_compared"]) == (0, 7, 2 * values)
    assert Path(simulation["waveform"]).is_file()
    assert summary.page is not None
    page = summary.page.read_text()
    assert f"{evaluation['accuracy']:.2%}" in page
    assert f"{simulation['cycles_per_image']:,.0f}" in page


@pytest.fixture(scope="module")
def cifar(data_folder: Path) -> Dataset:
    return load_dataset(str(data_folder / "cifar10-subset.npz"))


@pytest.mark.parametrize(("bits", "least"), [(8, 470), (6, 470), (4, 464)], ids=["8bits", "6bits", "4bits"])
def test_the_official_resnet20_in_integers(
    bits: int, least: int, data_folder: Path, cifar: Dataset, tmp_path: Path
) -> None:
    net = tmp_path / "resnet20.hwn"
    settings = QuantizerOptions(bits=bits)
    verbs.quantize(data_folder / "ResNet20-AdderNet.pth", "resnet20", cifar, net, settings)
    result = verbs.evaluate(net, cifar)
    assert (result.kind, result.images) == ("integer", 512)
    assert result.correct >= least
    # The accuracy is the compiled kernels': on some of the images every layer is compared with the golden model.
    network = network_file.load(net)
    codes = encode(network, cifar.x_test[:32])
    expected, actual = trace(network, codes), Executor(network).trace(codes)
    assert [name for name, tensor in expected.items() if not np.array_equal(tensor, actual[name])] == []


@pytest.mark.long
def test_the_official_resnet20_gives_the_same_file_twice(data_folder: Path, cifar: Dataset, tmp_path: Path) -> None:
    files = [tmp_path / "first.hwn", tmp_path / "second.hwn"]
    for file in files:
        options = QuantizerOptions(bits=4, candidates=5)
        verbs.quantize(data_folder / "ResNet20-AdderNet.pth", "resnet20", cifar, file, options)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_the_other_simulator_plays_the_same(options: FlowOptions) -> None:
    before = json.loads(options.record(SIMULATE).read_text())
    flow(replace(options, simulator=Simulator.VERILATOR), SIMULATE, SIMULATE)
    after = json.loads(options.record(SIMULATE).read_text())
    assert after["simulator"].startswith("Verilator ")
    compared = ("values_compared", "mismatches", "cycles_per_image", "images")
    assert {name: after[name] for name in compared} == {name: before[name] for name in compared}


# A synthesis on the page ---------------------------------------------------------------------------------------------

GATES = Synthesis("hwadder_net", 0, (), Gates({"$_NAND_": 4321}, 4 * 4321, 0), None, ())


def test_the_page_shows_the_synthesis_of_its_design(options: FlowOptions) -> None:
    """Until the design is another one, or is printed again."""

    def page() -> str:
        return Path(str(flow(options, REPORT).page)).read_text()

    assert "<h2>Synthesis</h2>" not in page()
    path = keep_synthesis(options.design, GATES)
    assert path == options.design / "synthesis.json"
    assert "<h2>Synthesis</h2>" in page()
    assert "4,321" in page()
    source = options.design / "library" / "minimum_lane.v"
    text = source.read_text()
    source.write_text(f"{text}// changed\n")
    assert kept_synthesis(options.design) is None
    assert "<h2>Synthesis</h2>" not in page()
    source.write_text(text)
    assert "<h2>Synthesis</h2>" in page()
    flow(options, RTL, RTL)
    assert kept_synthesis(options.design) is None
    assert not path.exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_damaged_synthesis_is_named(options: FlowOptions, content: str) -> None:
    path = options.design / "synthesis.json"
    path.write_text(content)
    with pytest.raises(BadInputError) as caught:
        flow(options, REPORT)
    assert str(caught.value) == f"synthesis of a design must be undamaged JSON, not unreadable: {path}"
