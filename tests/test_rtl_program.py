"""Programs run by a plain-Python executor equal the golden model, value by value; what cannot be lowered is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, small_lenet, small_resnet
from odd_networks import ODD_NETWORKS
from program_executor import multiplier, run_program

from quant.errors import BadInputError
from quant.float_network import FloatNetwork, Kind
from quant.golden import trace
from quant.integer_network import Affine, Conv2d, Flatten, Grid, IntegerNetwork, Linear, SumPool
from rtl.affine_words import encode_digits
from rtl.architecture import Architecture, LaneForm
from rtl.descriptor import Flag
from rtl.program import Program, compile_network

MIN, COMPLEMENT = LaneForm.MIN, LaneForm.COMPLEMENT


def compiled(network: IntegerNetwork, in_lanes: int = 3, out_lanes: int = 2, form: LaneForm = MIN) -> Program:
    return compile_network(network, Architecture(in_lanes=in_lanes, out_lanes=out_lanes, lane_form=form))


def assert_equals_golden_model(network: IntegerNetwork, program: Program) -> None:
    image = np.random.default_rng(5).integers(0, network.input.grid.top + 1, (1, *network.input.shape))
    tensors = trace(network, image)
    results, stream = run_program(program, [int(code) for code in image[0].transpose(1, 2, 0).ravel()])
    output = tensors[network.output][0]
    assert stream == (output if output.ndim == 1 else output.transpose(1, 2, 0).ravel()).tolist()
    assert len(results) == len(program.layers)
    covered = {name: np.zeros(tensors[name].shape[1], int) for name in {layer.node for layer in program.layers}}
    assert covered.keys() == {node.name for node in network.layers}
    for layer, values in zip(program.layers, results, strict=True):
        last = layer.first_channel + layer.channels
        expected = tensors[layer.node][0, layer.first_channel : last].reshape(layer.channels, layer.height, layer.width)
        assert np.array(values).reshape(layer.height, layer.width, layer.channels).transpose(2, 0, 1).tolist() == (
            expected.tolist()
        ), layer
        covered[layer.node][layer.first_channel : last] += 1
    assert all((counts == 1).all() for counts in covered.values())


@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 5), st.sampled_from(LaneForm))
@example(0, 1, 1, MIN)
@example(1, 16, 16, COMPLEMENT)
@settings(max_examples=60)
def test_random_networks_equal_the_golden_model(seed: int, in_lanes: int, out_lanes: int, form: LaneForm) -> None:
    network = random_network(seed)
    assert_equals_golden_model(network, compiled(network, in_lanes, out_lanes, form))


@pytest.mark.parametrize(
    ("build", "bits", "in_lanes", "out_lanes", "form"),
    [
        (small_resnet, 4, 3, 5, MIN),
        (small_lenet, 4, 5, 3, COMPLEMENT),
        (every_node_network, 8, 2, 3, COMPLEMENT),
        (every_node_network, 4, 3, 4, MIN),
    ],
    ids=["resnet-4", "lenet-4", "every-8", "every-4"],
)
def test_quantized_networks_equal_the_golden_model(
    build: Callable[[], FloatNetwork], bits: int, in_lanes: int, out_lanes: int, form: LaneForm
) -> None:
    network = quantized(build(), bits)
    assert_equals_golden_model(network, compiled(network, in_lanes, out_lanes, form))


@pytest.mark.parametrize("name", sorted(ODD_NETWORKS.keys() - {"output is a relu"}))  # a flattened map, see below
def test_odd_graphs_equal_the_golden_model(name: str) -> None:
    network = quantized(ODD_NETWORKS[name](), 5)
    assert_equals_golden_model(network, compiled(network))


def test_a_dot_layer_reads_an_image_wider_than_the_lanes_in_planes() -> None:
    program = compiled(quantized(small_resnet(), 4))
    load, first = program.descriptors[:2]
    assert program.parameters["CODE_BITS"] == 4
    assert load.target_planes == first.source_planes == 2
    # 8 weight bits, and 4 more for the plane that counts sixteenfold.
    assert (first.digit_words, first.top_bit) == (3, 3)


def test_groups_become_descriptors_of_their_own_channel_slice() -> None:
    chain = Chain(1, 4, (6, 3, 3))
    chain.conv("grouped", Kind.ADDER, 9, (2, 2), groups=3)
    chain.conv("end", Kind.DOT, 2, (1, 1), bits=None)
    program = compiled(chain.network, in_lanes=4)
    slices = [(layer.node, layer.first_channel, layer.channels) for layer in program.layers]
    assert slices == [("grouped", 0, 3), ("grouped", 3, 3), ("grouped", 6, 3), ("end", 0, 2)]
    # A window has 2 lines of 2 runs of 2 codes, 6 codes apart, from code 0, 2 or 4 on.
    runs = [(one.segments, one.segment_codes, one.segment_step_codes) for one in program.descriptors[1:4]]
    assert runs == [(2, 2, 6)] * 3
    assert [one.first_code for one in program.descriptors[1:4]] == [0, 2, 4]
    assert_equals_golden_model(chain.network, program)


def test_only_the_last_descriptor_is_the_last_and_only_the_output_is_sent() -> None:
    program = compiled(quantized(every_node_network()))
    assert [Flag.LAST in one.flags for one in program.descriptors] == [False] * len(program.layers) + [True]
    assert [Flag.TO_STREAM in one.flags for one in program.descriptors] == [False] * len(program.layers) + [True]


@given(st.integers(-(2**30), 2**30), st.integers(0, 3))
def test_digits_stand_for_the_multiplier(value: int, spare: int) -> None:
    digits = 17 + spare
    assert multiplier(encode_digits(value, digits, "a test")) == value


def test_too_many_digits_are_refused() -> None:
    with pytest.raises(BadInputError) as error:
        encode_digits(0b10101, 2, "conv1")
    assert str(error.value) == ("multiplier of conv1 must have at most 2 signed digits of at most 2**31, not be 21")
    with pytest.raises(BadInputError) as error:
        encode_digits(1 << 32, 2, "conv1")
    assert str(error.value) == (
        f"multiplier of conv1 must have at most 2 signed digits of at most 2**31, not be {1 << 32}"
    )


@pytest.mark.parametrize(
    ("lanes", "sentence"),
    [
        ((0, 1), "in lanes must be 1 to 64, not 0"),
        ((65, 1), "in lanes must be 1 to 64, not 65"),
        ((1, -1), "out lanes must be 1 to 64, not -1"),
        ((1, 65), "out lanes must be 1 to 64, not 65"),
    ],
)
def test_lanes_out_of_range_are_refused(lanes: tuple[int, int], sentence: str) -> None:
    with pytest.raises(BadInputError) as error:
        Architecture(in_lanes=lanes[0], out_lanes=lanes[1])
    assert str(error.value) == sentence


def refusal(network: IntegerNetwork) -> str:
    with pytest.raises(BadInputError) as error:
        compiled(network)
    return str(error.value)


def test_a_flattened_map_cannot_be_streamed() -> None:
    chain = Chain(1, 4, (2, 3, 3))
    chain.conv("conv", Kind.ADDER, 2, (2, 2))
    chain.append(Flatten("flatten", "conv"))
    assert refusal(chain.network) == (
        "output of network chain must be a map or a vector of one pixel, not a flattened map of shape (2, 2, 2)"
    )


def test_a_grouped_map_cannot_be_streamed() -> None:
    chain = Chain(1, 4, (2, 3, 3))
    chain.conv("conv", Kind.ADDER, 4, (2, 2), groups=2)
    assert refusal(chain.network) == (
        "output conv of network chain must have one group or be a map of one pixel, "
        "not 2 groups on a map of shape (4, 2, 2)"
    )


def test_a_grouped_vector_is_one_stream() -> None:
    chain = Chain(1, 4, (2, 2, 2))
    chain.conv("conv", Kind.ADDER, 4, (2, 2), groups=2)
    program = compiled(chain.network)
    assert [one.length for one in program.descriptors] == [0, 4, 0]
    assert_equals_golden_model(chain.network, program)


def test_an_output_that_a_layer_reads_cannot_be_streamed() -> None:
    chain = Chain(1, 4, (2, 1, 1))
    chain.conv("conv", Kind.ADDER, 2, (1, 1))
    chain.max_pool("pool", (1, 1), (1, 1))
    chain.append(Flatten("flatten", "conv"))
    assert refusal(chain.network) == "output conv of network chain must not be read by other layers, not by pool"


def test_a_network_must_compute_something() -> None:
    chain = Chain(1, 4, (2, 1, 1))
    chain.append(Flatten("flatten", "image"))
    assert refusal(chain.network) == "network chain must compute its output, not pass its input through"


def test_a_vector_step_on_a_flattened_map_is_refused() -> None:
    chain = Chain(1, 4, (2, 2, 2))
    chain.append(Flatten("flatten", "image"))
    chain.sum_pool("step", (1, 1), (1, 1), bits=4)
    assert refusal(chain.network) == (
        "source of step must be a map or a vector of one pixel, not a flattened map of shape (2, 2, 2)"
    )


def test_a_shortcut_from_a_flattened_map_is_refused() -> None:
    chain = Chain(1, 4, (2, 2, 2))
    chain.append(Flatten("flatten", "image"))
    chain.linear("fc", Kind.ADDER, 8, bits=4)
    last = chain.nodes[-1]
    assert isinstance(last, Linear)
    fc = replace(last, shortcut="flatten")
    assert refusal(IntegerNetwork("chain", (*chain.nodes[:-1], fc))) == (
        "shortcut of fc must lie as its output does, not as a flattened map of shape (2, 2, 2)"
    )


def test_counts_beyond_16_bits_are_refused() -> None:
    chain = Chain(1, 2, (1, 1, 1))
    chain.conv("wide", Kind.ADDER, 1 << 16, (1, 1), bits=2)
    assert refusal(chain.network) == "out channels of wide must be below 65536, not 65536"


def test_outputs_beyond_16_bits_are_refused() -> None:
    chain = Chain(1, 2, (1, 256, 256))
    chain.conv("wide", Kind.ADDER, 1, (1, 1), bits=2)
    assert refusal(chain.network) == "output values of wide must be fewer than 65536, not 65536"


def test_tensors_of_more_planes_than_the_writer_knows_are_refused() -> None:
    chain = Chain(1, 2, (1, 2, 2))
    chain.append(SumPool("sums", "image", (2, 2), (1, 1), Grid(17, 1.0)))
    chain.conv("end", Kind.DOT, 1, (1, 1), bits=2)
    assert refusal(chain.network) == "planes of sums must be at most 8, not 9"
    chain = Chain(1, 17, (1, 1, 1))
    chain.conv("end", Kind.DOT, 1, (1, 1), bits=2)
    assert refusal(chain.network) == "planes of image must be at most 8, not 9"


def test_multipliers_of_more_digits_than_the_requantizer_knows_are_refused() -> None:
    chain = Chain(1, 2, (1, 1, 1))
    chain.conv("end", Kind.ADDER, 1, (1, 1), bits=2)
    end = chain.nodes[1]
    assert isinstance(end, Conv2d)
    nine, ten = (sum(1 << 2 * digit for digit in range(count)) for count in (9, 10))

    def with_multiplier(multiplier: int) -> IntegerNetwork:
        affine = Affine(np.array([multiplier]), np.array([0]), 10, 3)
        return IntegerNetwork("chain", (chain.nodes[0], replace(end, affine=affine)))

    assert compiled(with_multiplier(nine)).parameters["DIGITS"] == 9
    assert refusal(with_multiplier(ten)) == (
        f"multiplier of end must have at most 9 signed digits of at most 2**31, not be {ten}"
    )


def test_results_wider_than_the_stream_are_refused() -> None:
    chain = Chain(1, 32, (1, 1, 1))
    chain.conv("end", Kind.DOT, 1, (1, 1), bits=8)
    assert refusal(chain.network) == "results of network chain must fit 32 bits, not need 33"
