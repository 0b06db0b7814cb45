"""Whole printed networks on Icarus equal the golden model in every layer, and a flipped bit does not get through."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, random_images, small_lenet, small_resnet

from quant.errors import BadInputError, MissingToolError
from quant.float_network import FloatNetwork, Kind
from quant.golden import classify, encode, trace
from quant.integer_network import Argmax, Conv2d, Flatten, IntArray, IntegerNetwork, SumPool
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import DESCRIPTOR_WORDS, Descriptor
from rtl.design import load_design
from rtl.generator import print_design
from sim.simulate import Mismatch, simulate

MIN, COMPLEMENT = LaneForm.MIN, LaneForm.COMPLEMENT


def printed(network: IntegerNetwork, folder: Path, in_lanes: int, out_lanes: int, form: LaneForm) -> Path:
    print_design(network, Architecture(in_lanes=in_lanes, out_lanes=out_lanes, lane_form=form), folder)
    return folder


def codes_of(network: IntegerNetwork, count: int) -> IntArray:
    return encode(network, random_images(network.input.shape, count, seed=9))


@pytest.mark.parametrize(
    ("build", "bits", "in_lanes", "out_lanes", "form", "gap_percent"),
    [
        (small_lenet, 8, 2, 7, MIN, 40),
        (small_lenet, 4, 5, 3, COMPLEMENT, 0),
        (small_resnet, 8, 3, 5, COMPLEMENT, 40),
        (small_resnet, 5, 4, 4, MIN, 0),
        (every_node_network, 8, 1, 3, COMPLEMENT, 40),
        (every_node_network, 6, 3, 4, MIN, 0),
    ],
    ids=["lenet-min", "lenet-complement", "resnet-complement", "resnet-min", "every-complement", "every-min"],
)
def test_every_layer_equals_the_golden_model(
    build: Callable[[], FloatNetwork],
    bits: int,
    in_lanes: int,
    out_lanes: int,
    form: LaneForm,
    gap_percent: int,
    tmp_path: Path,
) -> None:
    network = quantized(build(), bits)
    images = random_images(network.input.shape, 2, seed=9)
    folder = printed(network, tmp_path / "rtl", in_lanes, out_lanes, form)
    # One process: the images follow each other without a reset in between.
    result = simulate(folder, encode(network, images), gap_percent=gap_percent, processes=1)
    assert (result.mismatch, result.mismatches, result.images) == (None, 0, 2)
    tensors = trace(network, encode(network, images))
    traced = [node.name for node in network.layers if not isinstance(node, Argmax)]
    assert result.layers == len(traced)
    assert result.values_compared == sum(tensors[name].size for name in traced)
    assert result.classes == tuple(int(index) for batch in classify(network, images) for index in batch)
    assert result.cycles_per_image > sum(tensors[name][0].size for name in traced) / out_lanes
    assert result.waveform is None


def test_the_reduced_resnet_has_every_node_type_of_the_official_network() -> None:
    network = quantized(small_resnet())
    convolutions = [node for node in network.layers if isinstance(node, Conv2d)]
    assert {(node.kind.value, node.stride, node.weight.shape[2:]) for node in convolutions} == {
        ("dot", (1, 1), (3, 3)),
        ("dot", (1, 1), (1, 1)),
        ("adder", (1, 1), (3, 3)),
        ("adder", (2, 2), (3, 3)),
        ("adder", (2, 2), (1, 1)),
    }
    assert sum(node.shortcut is not None for node in convolutions) == 3
    assert any(isinstance(node, SumPool) for node in network.layers)


@pytest.fixture(scope="module")
def lenet() -> IntegerNetwork:
    return quantized(small_lenet())


@pytest.fixture(scope="module")
def printed_lenet(lenet: IntegerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return printed(lenet, tmp_path_factory.mktemp("lenet") / "rtl", 4, 4, COMPLEMENT)


@pytest.fixture
def flip(printed_lenet: Path) -> Iterator[Callable[[str, int, int], None]]:
    """Flips a bit of a word of a memory image, until the test is over."""
    originals: dict[Path, str] = {}

    def flipped(memory: str, line: int, bit: int) -> None:
        path = printed_lenet / "memory" / memory
        originals[path] = path.read_text()
        lines = originals[path].split()
        lines[line] = f"{int(lines[line], 16) ^ 1 << bit:0{len(lines[line])}x}"
        path.write_text("\n".join(lines) + "\n")

    yield flipped
    for path, text in originals.items():
        path.write_text(text)


def test_images_in_several_simulators_keep_their_order(lenet: IntegerNetwork, printed_lenet: Path) -> None:
    images = random_images(lenet.input.shape, 4, seed=9)
    seen: list[tuple[int, int]] = []
    result = simulate(
        printed_lenet,
        encode(lenet, images),
        waves=True,
        processes=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.mismatch is None
    assert result.classes == tuple(int(index) for batch in classify(lenet, images) for index in batch)
    assert result.waveform == printed_lenet / "simulation" / "waves" / "hwadder_small_lenet.fst"
    assert result.waveform.stat().st_size > 10_000
    assert seen[-1] == (28, 28)
    assert seen == sorted(seen)
    assert sorted(path.name for path in (printed_lenet / "simulation").iterdir()) == ["part0", "part1", "waves"]


def test_a_flipped_weight_bit_is_named(
    lenet: IntegerNetwork, printed_lenet: Path, flip: Callable[[str, int, int], None]
) -> None:
    """The expected and the seen value are those of two golden models, one of which has the flipped weight."""
    flip("weights.mem", 0, 7)  # filter 0, channel 0, the window's first tap
    position = next(index for index, node in enumerate(lenet.nodes) if isinstance(node, Conv2d))
    first = lenet.nodes[position]
    assert isinstance(first, Conv2d)
    weight = first.weight.copy()
    weight[0, 0, 0, 0] ^= 128
    flipped = replace(
        lenet, nodes=(*lenet.nodes[:position], replace(first, weight=weight), *lenet.nodes[position + 1 :])
    )
    codes = codes_of(lenet, 2)
    right, wrong = (trace(network, codes)[first.name] for network in (lenet, flipped))
    image, row, column, channel = np.argwhere((right != wrong).transpose(0, 2, 3, 1))[0].tolist()
    expected, actual = (int(each[image, channel, row, column]) for each in (right, wrong))
    waveform = printed_lenet / "simulation" / "mismatch" / "hwadder_small_lenet.fst"

    result = simulate(printed_lenet, codes, processes=1)
    assert result.mismatches == 1
    assert result.mismatch == Mismatch(image, first.name, channel, row, column, expected, actual, str(waveform))
    assert waveform.stat().st_size > 10_000
    assert result.mismatch.sentence() == (
        f"layer conv1 must equal the golden model, not differ in image {image} at channel {channel}, row {row}, "
        f"column {column}: expected {expected}, actual {actual}; waveform: {waveform}"
    )


def test_a_flipped_affine_constant_is_named(
    lenet: IntegerNetwork, printed_lenet: Path, flip: Callable[[str, int, int], None]
) -> None:
    design = load_design(printed_lenet)[0]
    descriptor = next(layer.index for layer in design.layers if layer.node == "conv2")
    words = (printed_lenet / "memory" / "descriptors.mem").read_text().split()[descriptor * DESCRIPTOR_WORDS :]
    affine_base = int(words[list(Descriptor.__dataclass_fields__).index("affine_base")], 16)
    node = next(node for node in lenet.layers if node.name == "conv2")
    assert isinstance(node, Conv2d)
    assert node.affine is not None
    # A sweep shares words, a record for a channel; the constant is its lower end. This bit moves channel 3 by 16 steps.
    size = design.parameters
    sweep, within = divmod(3, size["OUT_LANES"])
    word, position = divmod(within, size["DRAIN_LANES"])
    word += affine_base + sweep * -(-size["OUT_LANES"] // size["DRAIN_LANES"])
    record_bits = size["CONST_BITS"] + 7 * size["DIGITS"]
    flip("affine.mem", word, position * record_bits + node.affine.shift + 4)
    result = simulate(printed_lenet, codes_of(lenet, 1), waves=True, processes=1)
    mismatch = result.mismatch
    assert mismatch is not None
    assert (mismatch.image, mismatch.layer, mismatch.channel) == (0, "conv2", 3)
    assert mismatch.expected == trace(lenet, codes_of(lenet, 1))["conv2"][0, 3, mismatch.row, mismatch.column]
    assert isinstance(mismatch.actual, int)
    assert abs(mismatch.actual - mismatch.expected) <= 16
    assert mismatch.waveform == str(printed_lenet / "simulation" / "waves" / "hwadder_small_lenet.fst")


def test_a_changed_network_file_is_refused(lenet: IntegerNetwork, printed_lenet: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rtl"
    folder.mkdir()
    index = json.loads((printed_lenet / "design.json").read_text())
    index["network_sha256"] = "0" * 64
    (folder / "design.json").write_text(json.dumps(index, indent=1) + "\n")
    (folder / "network.hwn").write_bytes((printed_lenet / "network.hwn").read_bytes())
    with pytest.raises(BadInputError) as caught:
        simulate(folder, codes_of(lenet, 1))
    assert str(caught.value) == (f"network of design {folder} must be the one it was printed from, not a changed file")


def test_bad_codes_and_gaps_are_refused(lenet: IntegerNetwork, printed_lenet: Path) -> None:
    codes = codes_of(lenet, 1)
    with pytest.raises(BadInputError) as caught:
        simulate(printed_lenet, codes[:0])
    assert str(caught.value) == "codes must be of shape (N, 1, 12, 12) with N at least 1, not (0, 1, 12, 12)"
    with pytest.raises(BadInputError) as caught:
        simulate(printed_lenet, codes, gap_percent=100)
    assert str(caught.value) == "gap percent must be 0 to 99, not 100"


def test_a_missing_simulator_is_named(
    lenet: IntegerNetwork, printed_lenet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError) as caught:
        simulate(printed_lenet, codes_of(lenet, 1))
    assert str(caught.value) == (
        "simulator Icarus Verilog must be installed, not missing: `apt-get install -y --no-install-recommends iverilog`"
    )


@pytest.mark.slow
def test_real_images_through_the_official_network(data_folder: Path, tmp_path: Path) -> None:
    """ResNet-20 at 8 bits on 16 x 16 lanes, two images; takes minutes."""
    from hwadder import quantize, rtl
    from hwadder import simulate as simulate_images

    data = str(data_folder / "cifar10-subset.npz")
    net = tmp_path / "resnet20.hwn"
    quantize(data_folder / "ResNet20-AdderNet.pth", "resnet20", data, net)
    design = rtl(net, tmp_path / "rtl")
    assert (design.parameters["IN_LANES"], design.parameters["OUT_LANES"]) == (16, 16)
    result = simulate_images(tmp_path / "rtl", data, images=2)
    assert (result.mismatch, result.layers) == (None, 23)
    network = load_design(tmp_path / "rtl")[1]
    sizes = (np.prod(network.shapes[node.name]) for node in network.layers)
    assert result.values_compared == 2 * sum(sizes)


@pytest.mark.parametrize("seed", [2, 5, 18, 44, 96])
def test_random_networks_equal_the_golden_model(seed: int, tmp_path: Path) -> None:
    network = random_network(seed)
    form = (MIN, COMPLEMENT)[seed % 2]
    folder = printed(network, tmp_path / "rtl", 1 + seed % 5, 1 + seed % 4, form)
    result = simulate(folder, codes_of(network, 2), gap_percent=30, processes=1)
    assert (result.mismatch, result.images) == (None, 2)


def test_an_output_of_several_groups_is_one_stream(tmp_path: Path) -> None:
    chain = Chain(3, 4, (4, 2, 2))
    chain.conv("groups", Kind.ADDER, 6, (2, 2), groups=2, bits=None)
    chain.append(Flatten("flatten", "groups"))
    chain.append(Argmax("argmax", "flatten"))
    folder = printed(chain.network, tmp_path / "rtl", 3, 2, MIN)
    codes = codes_of(chain.network, 3)
    result = simulate(folder, codes, processes=1)
    assert result.mismatch is None
    assert result.classes == tuple(trace(chain.network, codes)["argmax"].tolist())
