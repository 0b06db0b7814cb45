"""The counters that the model predicts are those that the simulated accelerator shows in its registers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from integer_networks import random_network
from networks import every_node_network, quantized, random_images, small_resnet

import sim.simulate
from quant.errors import MismatchError
from quant.float_network import Kind
from quant.golden import encode, trace
from quant.integer_network import Conv2d, IntegerNetwork, Linear
from rtl.architecture import Architecture, Counters, LaneForm
from rtl.counters import count_active_taps, predict_counters
from rtl.cycles import image_clocks
from rtl.driver import LayerCounts
from rtl.generator import print_design
from rtl.program import compile_network
from sim.simulate import simulate


def counted(network: IntegerNetwork, architecture: Architecture, folder: Path) -> tuple[LayerCounts, ...]:
    """Counters of each layer for the second of two images that follow each other."""
    print_design(network, architecture, folder)
    codes = encode(network, random_images(network.input.shape, 2, seed=5))
    result = simulate(folder, codes, processes=1)
    assert result.mismatch is None
    predicted = predict_counters(compile_network(network, architecture), network, trace(network, codes), image=1)
    assert result.counters == tuple(predicted)
    return result.counters


@pytest.mark.parametrize("seed", range(24))
def test_random_networks_on_random_parameters(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(100 + seed)
    in_lanes, out_lanes = int(rng.integers(1, 12)), int(rng.integers(1, 9))
    architecture = Architecture(
        in_lanes=in_lanes,
        out_lanes=out_lanes,
        drain_lanes=int(rng.integers(1, min(in_lanes, out_lanes) + 1)),
        lane_form=LaneForm.MIN if seed % 2 else LaneForm.COMPLEMENT,
        tree_stages=int(rng.integers(0, 3)),
        weight_register=bool(rng.integers(2)),
    )
    counts = counted(random_network(seed), architecture, tmp_path / "rtl")
    assert sum(layer.busy_lanes for layer in counts) > 0


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("build", [every_node_network, small_resnet])
def test_every_kind_of_layer(build: object, bits: int, tmp_path: Path) -> None:
    assert callable(build)
    network = quantized(build(), bits)
    counts = counted(network, Architecture(in_lanes=9, out_lanes=4), tmp_path / "rtl")
    for name in LayerCounts.__dataclass_fields__:
        assert any(getattr(layer, name) for layer in counts), name
    assert all(layer.effective_taps <= layer.busy_lanes <= layer.activation_reads * 36 for layer in counts)


@pytest.mark.parametrize("bits", [8, 4])
def test_taps_with_an_activation_are_the_effective_ones_of_weights_that_are_never_0(bits: int) -> None:
    network = quantized(every_node_network(), bits)
    program = compile_network(network, Architecture(in_lanes=9, out_lanes=4))
    tensors = trace(network, encode(network, random_images(network.input.shape, 2, seed=5)))

    def is_adder(name: str) -> bool:
        node = network[name]
        return isinstance(node, Conv2d | Linear) and node.kind is Kind.ADDER

    nodes = tuple(
        replace(node, weight=np.maximum(node.weight, 1))
        if isinstance(node, Conv2d | Linear) and is_adder(node.name)
        else node
        for node in network
    )
    counts = predict_counters(program, replace(network, nodes=nodes), tensors, image=1)
    expected = [
        row.effective_taps if is_adder(layer.node) else 0 for layer, row in zip(program.layers, counts, strict=True)
    ]
    assert count_active_taps(program, network, tensors, image=1) == expected
    effective = [row.effective_taps for row in predict_counters(program, network, tensors, image=1)]
    assert any(few < many for few, many in zip(effective, expected, strict=True) if many)


def test_layers_add_up_to_the_image() -> None:
    network = quantized(small_resnet())
    program = compile_network(network, Architecture(in_lanes=8, out_lanes=4))
    tensors = trace(network, encode(network, random_images(network.input.shape, 1)))
    # The clock in which the image is released belongs to no layer.
    assert sum(layer.clocks for layer in predict_counters(program, network, tensors)) == image_clocks(program) - 1


@pytest.mark.parametrize("counters", [Counters.NONE, Counters.TRAFFIC])
def test_counters_may_be_left_out(counters: Counters, tmp_path: Path) -> None:
    network = random_network(3)
    print_design(network, Architecture(in_lanes=4, out_lanes=2, counters=counters), tmp_path)
    result = simulate(tmp_path, encode(network, random_images(network.input.shape, 1)))
    assert all(layer.effective_taps == 0 for layer in result.counters)
    assert any(layer.clocks for layer in result.counters) == (counters is Counters.TRAFFIC)


def test_a_wrong_count_is_a_mismatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = random_network(3)
    print_design(network, Architecture(in_lanes=4, out_lanes=2), tmp_path)

    def one_too_many(*args: object) -> list[LayerCounts]:
        counts = predict_counters(*args)  # type: ignore[arg-type]
        return [*counts[:-1], replace(counts[-1], affine_reads=counts[-1].affine_reads + 1)]

    monkeypatch.setattr(sim.simulate, "predict_counters", one_too_many)
    with pytest.raises(MismatchError, match=r"^counters of layer end must be as predicted, LayerCounts\(clocks="):
        simulate(tmp_path, encode(network, random_images(network.input.shape, 1)))
