"""The operand words of adder layers: those that the lanes of a running accelerator see, and samples of them."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import every_node_network, quantized, random_images, small_lenet

from quant.errors import BadInputError, MismatchError
from quant.golden import encode, trace
from quant.integer_network import IntArray, IntegerNetwork
from rtl.architecture import Architecture
from rtl.generator import print_design
from rtl.operand_words import OperandWords, adder_layer, sampled_words
from rtl.program import Program, compile_network

ALL = 1 << 30
MONITOR = """\
`timescale 1ns/1ps
`define L testbench.dut.u_axi_accelerator.u_accelerator.u_lanes
module monitor;
    always @(negedge `L.clk)
        if (`L.in_valid === 1'b1 && !`L.in_dot)
            $display("WORD %b %h %h", `L.in_first, `L.in_x, `L.in_w);
endmodule
"""


def words_of(network: IntegerNetwork, program: Program, name: str, images: IntArray) -> OperandWords:
    """All words of a layer."""
    codes = trace(network, images)[adder_layer(network, name).source]
    return sampled_words(network, program, name, codes, 1, ALL)


def packed(codes: IntArray, bits: int) -> int:
    """Codes as a port has them, the first lowest."""
    return sum(code << bits * index for index, code in enumerate(codes.reshape(-1).tolist()))


def test_words_are_those_of_the_accelerator(tmp_path: Path) -> None:
    """Grouped, strided and padded layers, windows of lines and of one run, idle lanes of both kinds, a flat map."""
    network = quantized(every_node_network())
    architecture = Architecture(in_lanes=3, out_lanes=4)
    design = print_design(network, architecture, tmp_path, vectors=1)
    (tmp_path / "vectors" / "monitor.v").write_text(MONITOR)
    sources = [*(tmp_path / "vectors").glob("*.v"), *design.source_files]
    command = ["iverilog", "-g2005", "-o", "vectors/testbench.vvp", "-s", "testbench", "-s", "monitor"]
    subprocess.run([*command, *map(str, sources)], cwd=tmp_path, check=True)
    run = subprocess.run(
        ["vvp", "-n", "vectors/testbench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    seen = [
        (bool(int(first)), int(x, 16), int(w, 16))
        for _, first, x, w in (line.split() for line in run.stdout.splitlines() if line.startswith("WORD "))
    ]
    program = compile_network(network, architecture)
    bits = program.parameters["CODE_BITS"]
    lines = (tmp_path / "vectors" / "stimulus.mem").read_text().splitlines()
    stream = np.array([int(line, 16) for line in lines if line and not line.startswith("//")])
    channels, height, width = network.input.shape
    images = stream.reshape(1, height, width, channels).transpose(0, 3, 1, 2)
    expected = []
    for name in dict.fromkeys(layer.node for layer in program.layers):
        try:
            adder_layer(network, name)
        except BadInputError:
            continue
        words = words_of(network, program, name, images)
        expected += [
            (bool(words.first[t]), packed(words.x[t], bits), packed(words.w[:, t], bits)) for t in range(len(words.x))
        ]
    assert len(expected) > 300
    assert seen == expected


@pytest.fixture(scope="module")
def lenet() -> tuple[IntegerNetwork, Program, IntArray]:
    network = quantized(small_lenet(), bits=4, edge_bits=4)
    program = compile_network(network, Architecture(in_lanes=4, out_lanes=2))
    return network, program, encode(network, random_images(network.input.shape, 2, 5))


def test_samples_are_whole_sweeps_of_the_layer(lenet: tuple[IntegerNetwork, Program, IntArray]) -> None:
    """conv2: 3 groups of 2 channels at 4 x 4 pixels, 27 codes: 7 words a sweep; 2 images; windows of 2 sweeps."""
    network, program, images = lenet
    everything = words_of(network, program, "conv2", images)
    assert everything.x.shape == (2 * 16 * 3 * 7, 4)
    assert everything.first.sum() == 2 * 16 * 3
    assert np.flatnonzero(everything.begins).tolist() == [0]
    assert everything.taps.sum() == 2 * 16 * 5 * 27
    codes = trace(network, images)[adder_layer(network, "conv2").source]
    sample = sampled_words(network, program, "conv2", codes, 3, 8)
    assert np.flatnonzero(sample.begins).tolist() == [0, 14, 28]
    starts = [0, 47 * 7, 94 * 7]
    chosen = np.concatenate([np.arange(start, start + 14) for start in starts])
    assert np.array_equal(sample.x, everything.x[chosen])
    assert np.array_equal(sample.w, everything.w[:, chosen])
    assert np.array_equal(sample.taps, everything.taps[:, chosen])


def test_words_that_are_not_the_layers(lenet: tuple[IntegerNetwork, Program, IntArray]) -> None:
    network, program, images = lenet
    weights = program.weights.copy()
    weights[program.descriptors[1].weight_base] ^= 1
    other = replace(program, weights=weights)
    with pytest.raises(MismatchError) as caught:
        words_of(network, other, program.layers[0].node, images)
    assert str(caught.value) == "words of conv1 must give the golden model's sums, not others"


def test_refusals(lenet: tuple[IntegerNetwork, Program, IntArray]) -> None:
    network, program, images = lenet
    with pytest.raises(BadInputError) as caught:
        words_of(network, program, "pool1", images)
    assert str(caught.value) == (
        "layer must be an adder layer of small lenet (conv1, conv2, conv3, fc1, fc2), not pool1"
    )
    with pytest.raises(BadInputError) as caught:
        sampled_words(network, program, "conv1", images, 0, 7)
    assert str(caught.value) == "windows must be at least 1 of at least 1 word, not 0 of 7"
