"""The quantizer end to end: exact promises of the contract, and the signal that is left as a bound on the rest."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from networks import every_node_network, quantized, random_images, small_lenet, small_resnet
from numpy.typing import NDArray
from odd_networks import ODD_NETWORKS

from quant import float_network as fn
from quant import integer_network as qn
from quant.errors import BadInputError
from quant.float_model import evaluate
from quant.float_network import FloatNetwork, Kind
from quant.golden import encode, layer_sums, trace
from quant.network_file import digest
from quant.quantization_report import report
from quant.quantizer import Quantized, QuantizerOptions, quantize
from quant.signed_digits import signed_digits


def run(network: FloatNetwork, **options: int) -> Quantized:
    choice = QuantizerOptions(**{"candidates": 9, **options})  # type: ignore[arg-type]
    return quantize(network, random_images(network.input.shape, 48, 2), choice)


def worst_sqnr_db_on(network: FloatNetwork, result: Quantized, images: NDArray[np.uint8]) -> float:
    return min(row.sqnr_db for row in report(network, result, images))


def worst_sqnr_db(network: FloatNetwork, result: Quantized) -> float:
    return worst_sqnr_db_on(network, result, random_images(network.input.shape, 48, 2))


@pytest.mark.parametrize("name", ODD_NETWORKS)
def test_every_odd_graph_keeps_its_signal_at_8_bits(name: str) -> None:
    network = ODD_NETWORKS[name]()
    result = run(network)
    assert worst_sqnr_db(network, result) > 15
    last = network.nodes[-1].name
    assert result.network.shapes[result.network.output] == (
        network.shapes[last] if not isinstance(network.nodes[-1], fn.Argmax) else (4,)
    )


@pytest.mark.parametrize("bits", range(2, 8))
@pytest.mark.parametrize("build", [small_resnet, small_lenet, every_node_network, *ODD_NETWORKS.values()])
def test_every_graph_quantises_at_every_width(build: object, bits: int) -> None:
    assert callable(build)
    network = run(build(), bits=bits, candidates=2).network
    widths = {network.grids[node.name].bits for node in network.layers if not network.grids[node.name].signed}
    assert bits in widths or widths <= {8, 9, 10, 11, 12, 13, 14}


def test_more_bits_leave_more_signal() -> None:
    network = small_lenet()
    images = random_images(network.input.shape, 48, 2)
    signal = [report(network, run(network, bits=bits, edge_bits=2), images)[0].sqnr_db for bits in (2, 4, 6, 8)]
    assert all(wider > narrower + 5 for narrower, wider in itertools.pairwise(signal))


def test_the_same_input_gives_the_same_bytes() -> None:
    assert digest(quantized(every_node_network())) == digest(quantized(every_node_network()))


def test_multipliers_have_few_digits_and_shifts_enough_bits() -> None:
    for digits in (1, 2, 3):
        for node in run(every_node_network(), digits=digits).network.layers:
            affine = None if isinstance(node, qn.MaxPool | qn.Input | qn.Flatten | qn.Argmax) else node.affine
            if affine is not None:
                multipliers = [*affine.multiplier.tolist(), affine.shortcut_multiplier]
                assert max(len(signed_digits(multiplier)) for multiplier in multipliers) <= digits
                assert affine.shift >= 14


def test_edge_layers_and_what_they_read_stay_wide() -> None:
    network = run(small_resnet(), bits=3).network
    widths = {node.name: node.weight_bits for node in network.layers if isinstance(node, qn.Conv2d)}
    assert (widths.pop("conv1"), widths.pop("fc")) == (8, 8)
    assert set(widths.values()) == {3}
    assert network.input.grid.bits == 8
    # The last layer reads the pool's exact sum of four 3-bit codes.
    assert network.grids["avgpool"].bits == 5


def test_adder_layers_read_one_grid() -> None:
    for node in quantized(every_node_network(), 5).nodes:
        if isinstance(node, qn.Conv2d | qn.Linear) and node.kind is Kind.ADDER:
            assert node.weight.min() >= 0
            assert node.weight.max() < 2**node.weight_bits


def grid_network(weight: float, gamma: float, variance: float) -> FloatNetwork:
    """One adder tap between two exact grids, with a batch norm and a dot layer that reads it."""
    one = np.ones(1)
    return FloatNetwork(
        "one tap",
        (
            fn.Input("image", (1, 1, 1), np.zeros(1), one),
            fn.Conv2d("tap", "image", Kind.ADDER, np.full((1, 1, 1, 1), weight)),
            fn.BatchNorm("bn", "tap", one * gamma, one * 0.25, one * -abs(weight), one * variance, 0.0),
            fn.Flatten("flatten", "bn"),
        ),
    )


@pytest.mark.parametrize("gamma", [1.0, -1.0])
@pytest.mark.parametrize("weight", [0.5, 7.0, 3000.0, -3000.0])
def test_far_weights_and_negative_gamma_fold_exactly(weight: float, gamma: float) -> None:
    # Pixels are p/255 on a grid that holds each of them: the layer is gamma * (|w| - |x - w|) + 0.25 without error
    # but for the output's own rounding and that of the weight to the grid.
    network = grid_network(weight, gamma, 1.0)
    images = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    result = quantize(network, images, QuantizerOptions(candidates=2, correct_bias=False, digits=8)).network
    node = result["tap"]
    assert isinstance(node, qn.Conv2d)
    outputs = trace(result, encode(result, images))["tap"][:, 0, 0, 0]
    w = Fraction(min(max(round(weight * 255), 0), 255), 255)
    # The weight on the grid and the constant outside it, both exact: |x - w| = |x - clip(w)| + |w - clip(w)|.
    outside = abs(Fraction(weight) - min(max(Fraction(weight), Fraction(0)), Fraction(1)))
    for pixel, output in enumerate(outputs.tolist()):
        exact = Fraction(gamma) * (abs(Fraction(weight)) - abs(Fraction(pixel, 255) - w) - outside) + Fraction(1, 4)
        assert abs(float(exact) - output * node.grid.scale) < 0.002


def test_the_constant_follows_the_rounded_multiplier() -> None:
    # With one digit the multiplier is off by up to a third, but around the sums' mean the layer still hits its mean.
    network = small_lenet()
    images = random_images(network.input.shape, 48, 2)
    result = run(network, digits=1).network
    tensors = trace(result, encode(result, images))
    reals = {node.name: value for node, value in evaluate(network, images)}
    logits = (tensors["fc2"] * result.grids["fc2"].scale).mean(axis=0)
    spread = reals["bn5"].std()
    assert np.abs(logits - reals["bn5"].mean(axis=0)).max() < 0.25 * spread


@pytest.mark.parametrize("variance", [0.0, 1e-30, 1e-8])
def test_a_channel_that_never_changes_folds_to_its_beta(variance: float) -> None:
    # Channel 0 is constant, so its running variance is next to nothing and its multiplier hundreds of times larger.
    weight = np.random.default_rng(1).normal(0, 0.3, (2, 1, 3, 3))
    weight[0] = 0
    image = fn.Input("image", (1, 8, 8), np.full(1, 0.5), np.full(1, 0.25))
    conv = fn.Conv2d("conv", "image", Kind.DOT, weight, np.array([0.7, 0.0]))
    images = random_images((1, 8, 8), 32, 4)
    channel = next(value[:, 1] for node, value in evaluate(FloatNetwork("conv", (image, conv)), images) if node is conv)
    mean, variances = np.array([0.7, channel.mean()]), np.array([variance, channel.var()])
    norm = fn.BatchNorm("bn", "conv", np.ones(2), np.array([0.6, 0.3]), mean, variances, 1e-5)
    network = FloatNetwork("constant", (image, conv, norm, fn.Relu("relu", "bn")))
    result = quantize(network, images, QuantizerOptions(candidates=9))
    codes = trace(result.network, encode(result.network, images))["conv"]
    assert np.unique(codes[:, 0]).tolist() == [round(0.6 / result.network.grids["conv"].scale)]
    assert worst_sqnr_db_on(network, result, images) > 30


@pytest.mark.parametrize("variance", [1e-6, 1e-30])
@pytest.mark.parametrize("name", ["bn1", "bn5"])
def test_statistics_that_are_far_off_do_not_overflow(name: str, variance: float) -> None:
    network = small_lenet()
    nodes = tuple(
        replace(node, variance=np.append(variance, node.variance[1:]), epsilon=0.0)
        if isinstance(node, fn.BatchNorm) and node.name == name
        else node
        for node in network
    )
    result = run(FloatNetwork("off", nodes)).network
    assert all(result.grids[node.name].bits <= 32 for node in result.layers)


def test_bias_correction_moves_the_mean_onto_the_float_networks() -> None:
    network = small_lenet()
    images = random_images(network.input.shape, 48, 2)
    errors = []
    for correct in (False, True):
        result = quantize(network, images, QuantizerOptions(bits=3, candidates=9, correct_bias=correct)).network
        logits = trace(result, encode(result, images))["fc2"] * result.grids["fc2"].scale
        (*_, (_, real)) = evaluate(network, images)
        errors.append(np.abs(logits.mean(axis=0) - real.mean(axis=0)).max())
    assert errors[1] < errors[0] / 2


def test_an_exact_pool_sums_codes_and_moves_its_divisor_into_the_grid() -> None:
    network = quantized(small_resnet())
    pool = network["avgpool"]
    assert isinstance(pool, qn.SumPool)
    assert pool.affine is None
    source = network.grids[pool.source]
    assert (pool.grid.scale, pool.grid.bits) == (source.scale / 4, 10)
    tensors = trace(network, encode(network, random_images(network.input.shape, 4, 3)))
    assert (tensors["avgpool"][:, :, 0, 0] == tensors[pool.source].sum(axis=(2, 3))).all()


@pytest.mark.parametrize(
    ("name", "exact"),
    [
        ("average pool into dot linear", True),
        ("output is an average pool", True),
        ("average pool into adder linear", False),
        ("average pool into dot and shortcut", False),
        ("average pool into max pool into dot", False),
        ("average pool of an average pool", False),
        ("relu on an average pool", False),
    ],
)
def test_who_may_read_an_exact_sum(name: str, exact: bool) -> None:
    node = run(ODD_NETWORKS[name]()).network["pool"]
    assert isinstance(node, qn.SumPool)
    assert (node.affine is None) is exact


def test_a_shortcut_has_the_width_of_codes_and_is_offset_behind_a_downsample() -> None:
    network = quantized(small_resnet(), 4)
    shortcuts = {
        node.name: network.grids[node.shortcut]
        for node in network.layers
        if isinstance(node, qn.Conv2d) and node.shortcut is not None
    }
    assert {name: (grid.bits, grid.zero) for name, grid in shortcuts.items()} == {
        "layer1.0.conv2": (4, 0),
        "layer2.0.conv2": (4, 8),
        "layer3.0.conv2": (4, 8),
    }


def test_weights_of_the_layer_that_takes_a_shortcut_do_not_move_the_shortcuts_grid() -> None:
    def grid(scale: float) -> qn.Grid:
        network = ODD_NETWORKS["norm behind an add"]()
        nodes = tuple(
            replace(node, weight=node.weight * scale) if isinstance(node, fn.Conv2d) and node.name == "main" else node
            for node in network
        )
        # `main` reads a copy of the tensor, so that only the shortcut is left.
        copied = tuple(
            replace(node, source="copy") if isinstance(node, fn.Conv2d) and node.name == "main" else node
            for node in nodes
        )
        position = next(index for index, node in enumerate(copied) if node.name == "main")
        copy = fn.AveragePool("copy", "first.relu", (1, 1), (1, 1))
        return run(FloatNetwork("copied", (*copied[:position], copy, *copied[position:]))).network.grids["first"]

    assert grid(1.0) == grid(0.3)


def test_the_table_holds_the_normalised_pixels() -> None:
    network = every_node_network()
    node = quantized(network).input
    assert node.grid.zero == 128
    for channel, pixel in np.ndindex(2, 256):
        real = (pixel / 255 - network.input.mean[channel]) / network.input.std[channel]
        code = min(max(round(real / node.grid.scale) + 128, 0), 255)
        assert node.table[channel, pixel] == code


def test_constants_are_corrected_on_the_codes_the_layer_reads() -> None:
    network = small_lenet()
    images = random_images(network.input.shape, 48, 2)
    result = run(network).network
    node = result["conv1"]
    assert isinstance(node, qn.Conv2d)
    acc = layer_sums(result, node, encode(result, images))
    real = next(value for float_node, value in evaluate(network, images) if float_node.name == "bn1")
    total = (acc * node.affine.multiplier[:, None, None] + node.affine.constant[:, None, None]) / 2**node.affine.shift
    # Before rounding and clamp the mean of every channel is the float network's, whatever the codes' rounding did.
    np.testing.assert_allclose(total.mean(axis=(0, 2, 3)) * node.grid.scale, real.mean(axis=(0, 2, 3)), atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 1}, "bits must be 2 to 8, not 1"),
        ({"bits": 9}, "bits must be 2 to 8, not 9"),
        ({"edge_bits": 16}, "edge bits must be 2 to 8, not 16"),
        ({"digits": 0}, "signed digits must be 1 to 8, not 0"),
        ({"minimum_shift": 13}, "minimum shift must be 14 to 24, not 13"),
        ({"candidates": 1}, "clip candidates must be 2 to 1000, not 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(BadInputError, match=f"^{message}$"):
        QuantizerOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((0, 1, 12, 12), np.uint8), r"uint8 of shape \(0, 1, 12, 12\)"),
        (np.zeros((2, 1, 12, 11), np.uint8), r"uint8 of shape \(2, 1, 12, 11\)"),
        (np.zeros((2, 1, 12, 12), np.float64), r"float64 of shape \(2, 1, 12, 12\)"),
    ],
)
def test_wrong_calibration_images_are_refused(images: NDArray[np.uint8], found: str) -> None:
    message = rf"^calibration images must be uint8 of shape \(N, 1, 12, 12\) with N at least 1, not {found}$"
    with pytest.raises(BadInputError, match=message):
        quantize(small_lenet(), images)


def test_a_network_without_layers_is_refused() -> None:
    image = fn.Input("image", (1, 2, 2), np.zeros(1), np.ones(1))
    network = FloatNetwork("empty", (image, fn.Relu("relu", "image")))
    message = r"^network empty must have at least one adder, convolution or linear layer, not none$"
    with pytest.raises(BadInputError, match=message):
        quantize(network, np.zeros((1, 1, 2, 2), np.uint8))


def test_a_dead_tensor_is_named() -> None:
    network = small_lenet()
    nodes = tuple(
        replace(node, beta=node.beta - 1e6) if isinstance(node, fn.BatchNorm) and node.name == "bn2" else node
        for node in network
    )
    message = r"^values of relu2 must not all be zero nor overflow on the calibration images, not 0.0$"
    with pytest.raises(BadInputError, match=message):
        run(FloatNetwork("dead", nodes))


def test_progress_names_every_stage() -> None:
    steps: list[str] = []
    network = small_lenet()
    quantize(network, random_images(network.input.shape, 4), QuantizerOptions(candidates=2), steps.append)
    expected = ["calibrating", "conv1", "pool1", "conv2", "pool2", "conv3", "flatten", "fc1", "fc2"]
    assert steps == expected
