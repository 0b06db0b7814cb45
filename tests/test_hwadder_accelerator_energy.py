"""What the energy report counts on the accelerator is what the simulated accelerator's counters show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from networks import every_node_network, quantized, random_images, small_resnet

from energy.accelerator import AcceleratorCounts, Lanes
from energy.counts import Operation, OperationCount, Role, count_integer
from energy.memory import Level
from hwadder import verbs
from hwadder.accelerator_energy import accelerator_counts, count_accelerator
from hwadder.data import load_dataset
from quant.float_network import Kind
from quant.golden import encode, trace
from quant.integer_network import Conv2d, Linear
from quant.quantizer import QuantizerOptions, quantize
from rtl.architecture import Architecture, LaneForm
from rtl.counters import count_active_taps, predict_counters
from rtl.descriptor import Flag
from rtl.driver import LayerCounts
from rtl.generator import print_design
from rtl.program import Program, compile_network
from sim.simulate import simulate

COUNTED = {
    "activation reads": "activation_reads",
    "weight reads": "weight_reads",
    "shortcut reads": "shortcut_reads",
    "affine reads": "affine_reads",
    "activation writes": "activation_writes",
}


def by_node(program: Program, counters: Sequence[LayerCounts]) -> dict[str, LayerCounts]:
    """The hardware's counters, summed over the groups of a layer."""
    nodes: dict[str, LayerCounts] = {}
    for traced, row in zip(program.layers, counters, strict=True):
        nodes[traced.node] = nodes[traced.node] + row if traced.node in nodes else row
    return nodes


def assert_counts_are(counts: AcceleratorCounts, nodes: dict[str, LayerCounts], images: int) -> None:
    layers = {layer.name: layer for layer in counts.layers}
    assert nodes.keys() <= layers.keys()
    for name, row in nodes.items():
        layer = layers[name]
        found: Counter[str] = Counter()
        for traffic in layer.work[Lanes.ADDER].traffic:
            found[traffic.purpose] += traffic.count
        expected = {purpose: getattr(row, counter) for purpose, counter in COUNTED.items()}
        assert {purpose: found[purpose] * images for purpose in COUNTED} == expected
        if layer.kind is not None:
            assert layer.busy_taps * images == row.busy_lanes
            assert layer.effective_taps is not None
            assert layer.effective_taps * images == row.effective_taps


def test_a_simulated_network(tmp_path: Path) -> None:
    network = quantized(small_resnet(), 4)
    architecture = Architecture(in_lanes=8, out_lanes=4)
    program = compile_network(network, architecture)
    print_design(network, architecture, tmp_path / "rtl")
    images = encode(network, random_images(network.input.shape, 1))
    result = simulate(tmp_path / "rtl", images, processes=1)
    assert_counts_are(
        accelerator_counts(network, program, result.counters, [0] * len(program.layers), 1),
        by_node(program, result.counters),
        images=1,
    )


@pytest.mark.parametrize("bits", [8, 4])
def test_taps_and_operations_are_the_networks(bits: int) -> None:
    for build in (small_resnet, every_node_network):
        network = quantized(build(), bits)
        workload = {layer.name: layer for layer in count_integer(network).layers}
        counts = count_accelerator(network, Architecture(in_lanes=9, out_lanes=4))
        assert {layer.name for layer in counts.layers} == {network.input.name, *workload}
        for layer in counts.layers[1:]:
            counted = workload[layer.name]
            assert layer.effective_taps is None
            for work in layer.work.values():
                assert tuple(each for each in work.others if each.purpose != "sum of x") == counted.others
            if layer.kind is Kind.ADDER:
                assert layer.busy_taps == counted.adder_taps


@pytest.mark.parametrize("form", LaneForm)
def test_the_sum_of_x_is_an_addition_a_code_of_each_word_of_an_adder_layer(form: LaneForm) -> None:
    network = quantized(small_resnet(), 8)
    architecture = Architecture(in_lanes=8, out_lanes=4, lane_form=form)
    sum_bits = compile_network(network, architecture).parameters["ACC_BITS"]
    counts = count_accelerator(network, architecture)
    assert counts.takes_minima is (form is LaneForm.MIN)
    for layer in counts.layers:
        words = sum(each.count for each in layer.work[Lanes.ADDER].traffic if each.purpose == "operands")
        for lanes in Lanes:
            found = [each for each in layer.work[lanes].others if each.purpose == "sum of x"]
            expected = layer.kind is Kind.ADDER and lanes is Lanes.ADDER and form is LaneForm.MIN
            assert found == [OperationCount(Operation.ADD, Role.SUM, 8 * words, "sum of x", sum_bits)] * expected
            assert words > 0 or not expected


@pytest.mark.parametrize(("bits", "in_lanes", "split"), [(8, 8, False), (4, 8, False), (8, 64, True)])
def test_a_dot_product_in_one_pass(bits: int, in_lanes: int, split: bool) -> None:
    network = quantized(small_resnet(), bits)
    architecture = Architecture(in_lanes=in_lanes, out_lanes=4)
    program = compile_network(network, architecture)
    flags = {
        traced.node: descriptor.flags
        for descriptor, traced in zip(program.descriptors[1:], program.layers, strict=True)
    }
    workload = {layer.name: layer for layer in count_integer(network).layers}
    layers = [layer for layer in count_accelerator(network, architecture).layers if layer.kind is Kind.DOT]
    assert any(Flag.SPLIT in flags[layer.name] for layer in layers) is split
    code_bits = program.parameters["CODE_BITS"]
    for layer in layers:
        adders, same, once = (layer.work[lanes] for lanes in (Lanes.ADDER, Lanes.MULTIPLIER, Lanes.ONE_PASS))
        node = network[layer.name]
        assert isinstance(node, Conv2d | Linear)
        # A product of two codes of the lanes for each pair of planes of a source and a weight that are wider.
        planes = -(-network.grids[node.source].bits // code_bits)
        width = node.weight_bits + code_bits * (planes - 1)
        products = planes * -(-width // code_bits) * workload[layer.name].dot_taps
        assert [each.count for each in once.taps] == [products, products]
        assert same.taps == once.taps
        reads = [
            next(traffic.count for traffic in work.traffic if traffic.purpose == "weight reads")
            for work in (adders, same, once)
        ]
        # A pass for each bit of a weight; split, two bits share a pass.
        passes = code_bits // 2 if Flag.SPLIT in flags[layer.name] else width
        assert reads[0] == reads[1]
        assert reads[0] * -(-width // code_bits) == reads[2] * passes


def test_memories_are_the_designs() -> None:
    network = quantized(small_resnet(), 8)
    parameters = compile_network(network, Architecture(in_lanes=8, out_lanes=4)).parameters
    memories = {
        memory.name: memory for memory in count_accelerator(network, Architecture(in_lanes=8, out_lanes=4)).memories
    }
    weights, buffer = memories["weights"], memories["tensor buffer A"]
    assert (weights.depth, weights.width_bits, weights.arrays) == (parameters["WEIGHT_DEPTH"], 8 * 4 * 8, 1)
    assert weights.capacity_bytes == parameters["WEIGHT_DEPTH"] * 32
    assert (buffer.depth, buffer.width_bits, buffer.arrays) == (parameters["BUFFER_A_DEPTH"], 8, 8)
    assert (memories["image memory"].arrays, memories["DRAM"].level) == (16, Level.DRAM)


def test_image_and_results() -> None:
    network = quantized(small_resnet(), 4)
    counts = count_accelerator(network, Architecture(in_lanes=8, out_lanes=4))
    size = network.input.shape[0] * network.input.shape[1] * network.input.shape[2]
    dram, writes = counts.layers[0].work[Lanes.ADDER].traffic
    assert (dram.purpose, dram.count, dram.bits) == ("image", size, 8)
    assert (writes.count, writes.bits) == (2 * size, 4)  # codes of 8 bits in two planes of 4
    results = [t for layer in counts.layers for t in layer.work[Lanes.ADDER].traffic if t.purpose == "results"]
    assert [(each.memory.level, each.bits) for each in results] == [(Level.DRAM, 32)]


@pytest.mark.parametrize("bits", [8, 4])
def test_the_published_resnet20(bits: int, data_folder: Path) -> None:
    dataset = load_dataset(str(data_folder / "cifar10-subset.npz"))
    model = verbs.float_network("resnet20", dataset, data_folder / "ResNet20-AdderNet.pth")
    # A rough calibration is enough to count by, and takes a twentieth of the time.
    network = quantize(model, dataset.x_train[:4], QuantizerOptions(bits=bits)).network
    program = compile_network(network, Architecture())
    tensors = trace(network, encode(network, dataset.x_test[:1]))
    counters = predict_counters(program, network, tensors)
    counts = accelerator_counts(network, program, counters, count_active_taps(program, network, tensors), 1)
    assert_counts_are(counts, by_node(program, counters), images=1)
    for lanes in Lanes:
        taps = sum(layer.work[lanes].taps[0].count for layer in counts.layers if layer.kind is Kind.ADDER)
        assert taps == 40_370_176
    for layer in counts.layers:
        if layer.kind is Kind.ADDER:
            assert layer.effective_taps is not None
            assert layer.active_taps is not None
            assert layer.effective_taps < layer.active_taps < layer.busy_taps
            assert layer.open_share(Lanes.ADDER) == layer.effective_taps / layer.busy_taps
            assert layer.open_share(Lanes.MULTIPLIER) == layer.active_taps / layer.busy_taps
        else:
            assert {layer.open_share(lanes) for lanes in Lanes} == {1}
