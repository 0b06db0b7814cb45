"""Whole printed networks as compiled programs: what Icarus finds, they find, in the same clocks and the same words."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from networks import every_node_network, quantized, random_images, small_lenet, small_resnet

from quant.errors import BadInputError, MismatchError, MissingToolError
from quant.float_network import FloatNetwork
from quant.golden import classify, encode, trace
from quant.integer_network import Argmax, IntArray, IntegerNetwork
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import Descriptor
from rtl.design import Design, load_design
from rtl.generator import print_design
from sim.job import Job
from sim.simulate import simulate
from sim.tools import Simulator
from sim.verilator import player as player_module
from sim.verilator.player import VerilatorPlayer
from sim.verilator.stimulus import write_stimulus

# Compilers on a busy machine: the guard against hangs must not bite.
pytestmark = pytest.mark.timeout(900)

IMAGES = 4


def codes_of(network: IntegerNetwork, count: int) -> IntArray:
    return encode(network, random_images(network.input.shape, count, seed=9))


@pytest.mark.parametrize(
    ("build", "bits", "architecture"),
    [
        (small_resnet, 8, Architecture(in_lanes=3, out_lanes=5, lane_form=LaneForm.COMPLEMENT)),
        (every_node_network, 6, Architecture(in_lanes=3, out_lanes=4)),
    ],
    ids=["resnet", "every"],
)
def test_both_simulators_show_the_same(
    build: Callable[[], FloatNetwork], bits: int, architecture: Architecture, tmp_path: Path
) -> None:
    network = quantized(build(), bits)
    print_design(network, architecture, tmp_path / "rtl")
    codes = codes_of(network, 2)
    icarus = simulate(tmp_path / "rtl", codes, processes=1)
    seen: list[tuple[int, int]] = []
    compiled = simulate(
        tmp_path / "rtl",
        codes,
        simulator=Simulator.VERILATOR,
        processes=1,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert compiled.simulator == f"Verilator {metadata.version('verilator')}"
    # The cycles of an image too: nothing pauses the streams.
    assert replace(compiled, simulator=icarus.simulator) == icarus
    assert compiled.mismatch is None
    layers = 2 * len(load_design(tmp_path / "rtl")[0].layers)
    assert seen[-1] == (layers, layers)


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return quantized(small_lenet())


@pytest.fixture(scope="module")
def design(network: IntegerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Design:
    folder = tmp_path_factory.mktemp("lenet") / "rtl"
    return print_design(network, Architecture(in_lanes=4, out_lanes=4), folder)


@pytest.fixture(scope="module")
def programs(design: Design, network: IntegerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled design: the programs in it serve any copy of the design's memory images."""
    folder = tmp_path_factory.mktemp("programs")
    VerilatorPlayer(design, network, folder)
    return folder


@pytest.fixture
def player(
    programs: Path, design: Design, network: IntegerNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> VerilatorPlayer:
    """The compiled design, which reads the memory images of a copy in `tmp_path / "rtl"`."""
    copy = replace(design, folder=Path(shutil.copytree(design.folder, tmp_path / "rtl")))
    monkeypatch.setattr(player_module, "build", lambda *_, **__: programs / "build" / design.top)
    ready = VerilatorPlayer(copy, network, programs, stall_clocks=2000)
    monkeypatch.undo()
    return ready


def flip(path: Path, line: int, bit: int) -> None:
    lines = path.read_text().split()
    lines[line] = f"{int(lines[line], 16) ^ 1 << bit:0{len(lines[line])}x}"
    path.write_text("\n".join(lines) + "\n")


def test_gaps_do_not_change_a_bit(player: VerilatorPlayer, network: IntegerNetwork, tmp_path: Path) -> None:
    images = random_images(network.input.shape, IMAGES, seed=9)
    codes = encode(network, images)
    steady = player.play(Job(tmp_path / "steady", codes, 0, 0, False))
    gaps = player.play(Job(tmp_path / "gaps", codes, 0, 60, False))
    again = player.play(Job(tmp_path / "again", codes, 0, 60, False))
    tensors = trace(network, codes)
    traced = [node.name for node in network.layers if not isinstance(node, Argmax)]
    assert steady.classes == tuple(int(index) for batch in classify(network, images) for index in batch)
    assert steady.values_compared == sum(tensors[name].size for name in traced)
    assert len(set(steady.cycles)) == 1
    assert len(steady.cycles) == IMAGES
    # How long the last layer takes is all that pauses change.
    counters = (*gaps.counters[:-1], replace(gaps.counters[-1], clocks=steady.counters[-1].clocks))
    assert replace(gaps, cycles=steady.cycles, counters=counters) == steady
    assert min(gaps.cycles) > steady.cycles[0]
    assert again == gaps


def test_images_in_several_processes_keep_their_order(
    design: Design, network: IntegerNetwork, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player_module, "build", lambda *_, **__: programs / "build" / design.top)
    images = random_images(network.input.shape, 5, seed=9)
    result = simulate(design.folder, encode(network, images), simulator=Simulator.VERILATOR, processes=2)
    assert result.mismatch is None
    assert result.classes == tuple(int(index) for batch in classify(network, images) for index in batch)


@pytest.mark.long
def test_a_flipped_weight_bit_is_named_as_icarus_names_it(network: IntegerNetwork, tmp_path: Path) -> None:
    folder = tmp_path / "a folder" / "rtl"  # GNU make knows no spaces
    design = print_design(network, Architecture(in_lanes=4, out_lanes=4), folder)
    flip(folder / "memory" / "weights.mem", 0, 7)
    codes = codes_of(network, 3)
    icarus = simulate(folder, codes, processes=1)
    compiled = simulate(folder, codes, processes=1, simulator=Simulator.VERILATOR)
    assert icarus.mismatch is not None
    assert compiled.mismatch is not None
    waveform = folder / "simulation" / "mismatch" / f"{design.top}.vcd"
    assert compiled.mismatch == replace(icarus.mismatch, waveform=str(waveform))
    assert compiled.values_compared == icarus.values_compared
    # The waveform ends in the clock of the difference.
    text = waveform.read_text()
    assert "$scope module u_accelerator $end" in text
    first, *_, last = (int(line[1:]) for line in text.splitlines() if line.startswith("#"))
    assert 0 <= first < last
    assert last % 10_000 == 0


@pytest.mark.long
def test_a_waveform_is_kept_when_asked_for(tmp_path: Path) -> None:
    network = quantized(every_node_network())
    design = print_design(network, Architecture(in_lanes=2, out_lanes=2), tmp_path / "rtl")
    result = simulate(tmp_path / "rtl", codes_of(network, 2), waves=True, simulator=Simulator.VERILATOR)
    assert (result.mismatch, result.images) == (None, 2)
    assert result.waveform == tmp_path / "rtl" / "simulation" / "waves" / f"{design.top}.vcd"
    clocks = [line for line in result.waveform.read_text().splitlines() if line.startswith("#")]
    assert len(clocks) <= 2 * player_module.WAVE_CLOCKS + 2


def test_a_design_that_stops_ends_with_a_sentence(
    player: VerilatorPlayer, design: Design, network: IntegerNetwork, tmp_path: Path
) -> None:
    path = tmp_path / "rtl" / "memory" / "descriptors.mem"
    lines = path.read_text().split()
    length = list(Descriptor.__dataclass_fields__).index("load_length")
    # The first descriptor waits for more codes than both images have.
    lines[length] = f"{4 * int(lines[length], 16):08x}"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(MismatchError) as caught:
        player.play(Job(tmp_path / "job", codes_of(network, 2), 7, 0, False))
    assert str(caught.value) == (
        f"design {design.top} must show its next value within 2,000 clocks, not hang in image 7 before layer conv1, "
        "channel 0, row 0, column 0"
    )


def test_a_wrong_argmax_is_named(
    player: VerilatorPlayer, design: Design, network: IntegerNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = codes_of(network, 1)
    right = int(trace(network, codes)[network.nodes[-1].name][0])

    def doctored(path: Path, *arguments: object) -> None:
        write_stimulus(path, *arguments)  # type: ignore[arg-type]
        words = np.fromfile(path, np.int32)
        assert words[-1] == right
        words[-1] = 9 - right
        words.tofile(path)

    monkeypatch.setattr(player_module, "write_stimulus", doctored)
    with pytest.raises(MismatchError) as caught:
        player.play(Job(tmp_path / "job", codes, 3, 0, False))
    assert str(caught.value) == (
        f"design {design.top} must show what was promised: argmax of image 3 must be {9 - right}, not {right}"
    )


def test_a_wrong_output_value_is_a_mismatch(
    player: VerilatorPlayer, network: IntegerNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def doctored(path: Path, *arguments: object) -> None:
        write_stimulus(path, *arguments)  # type: ignore[arg-type]
        words = np.fromfile(path, np.int32)
        words[-2] += 1  # the last value of the output stream, which the trace showed before
        words.tofile(path)

    monkeypatch.setattr(player_module, "write_stimulus", doctored)
    mismatch = player.play(Job(tmp_path / "job", codes_of(network, 1), 0, 0, False)).mismatch
    assert mismatch is not None
    outputs = trace(network, codes_of(network, 1))[mismatch.layer][0].reshape(-1)
    assert (mismatch.channel, mismatch.actual) == (len(outputs) - 1, outputs[-1])
    assert mismatch.expected == outputs[-1] + 1


def test_a_program_that_stops_early_is_named(player: VerilatorPlayer, network: IntegerNetwork, tmp_path: Path) -> None:
    (tmp_path / "rtl" / "memory" / "weights.mem").write_text("not hexadecimal\n")
    with pytest.raises(MismatchError, match=r"^design hwadder_small_lenet must run to its end, not stop with:\n"):
        player.play(Job(tmp_path / "job", codes_of(network, 1), 0, 0, False))


def test_a_design_that_does_not_compile_is_named(network: IntegerNetwork, tmp_path: Path) -> None:
    print_design(network, Architecture(in_lanes=4, out_lanes=4), tmp_path / "rtl")
    (tmp_path / "rtl" / "library" / "ram.v").write_text("module ram (;\n")
    with pytest.raises(BadInputError, match=r"^design hwadder_small_lenet must compile, not fail with:\n") as caught:
        simulate(tmp_path / "rtl", codes_of(network, 1), simulator=Simulator.VERILATOR)
    assert "syntax error" in str(caught.value)


def test_missing_tools_are_named_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        simulate(tmp_path / "absent", np.zeros((1, 1, 1, 1), np.int64), simulator=Simulator.VERILATOR)
    assert str(caught.value) == (
        "simulator Verilator must find g++ and make to compile what it writes, not miss g++ and make: "
        "`apt-get install -y --no-install-recommends g++ make`"
    )


@pytest.mark.long
def test_one_real_image_through_the_official_network(data_folder: Path, tmp_path: Path) -> None:
    """ResNet-20 at 8 bits on 16 x 16 lanes."""
    from hwadder import quantize, rtl
    from hwadder import simulate as simulate_images

    data = str(data_folder / "cifar10-subset.npz")
    net = tmp_path / "resnet20.hwn"
    quantize(data_folder / "ResNet20-AdderNet.pth", "resnet20", data, net)
    design = rtl(net, tmp_path / "rtl")
    assert (design.parameters["IN_LANES"], design.parameters["OUT_LANES"]) == (16, 16)
    result = simulate_images(tmp_path / "rtl", data, images=1, simulator=Simulator.VERILATOR)
    assert (result.mismatch, result.layers, result.values_compared) == (None, 23, 200_778)
