"""The clocks that the model predicts are those that the simulated accelerator takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from integer_networks import Chain, random_network
from networks import every_node_network, quantized, small_lenet, small_resnet
from test_rtl_testbench import play

from quant.float_network import Kind
from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture, LaneForm
from rtl.cycles import image_clocks
from rtl.generator import print_design
from rtl.program import compile_network


def assert_clocks(network: IntegerNetwork, architecture: Architecture, folder: Path) -> None:
    """Compare the last image of three: it was loaded while the one before it was computed."""
    print_design(network, architecture, folder, vectors=3)
    assert int(play(folder).split()[-1]) == image_clocks(compile_network(network, architecture))


@pytest.mark.parametrize(
    ("in_lanes", "out_lanes", "drain_lanes"), [(2, 3, 1), (5, 4, None), (8, 8, 3), (1, 1, 1), (16, 2, 2)]
)
def test_an_image_takes_the_predicted_clocks(
    in_lanes: int, out_lanes: int, drain_lanes: int | None, tmp_path: Path
) -> None:
    architecture = Architecture(in_lanes=in_lanes, out_lanes=out_lanes, drain_lanes=drain_lanes)
    assert_clocks(quantized(small_lenet()), architecture, tmp_path)


@pytest.mark.parametrize(("bits", "tree_stages"), [(8, 0), (4, 0), (8, 2), (4, 1)])
def test_planes_pools_groups_and_serial_layers_take_the_predicted_clocks(
    bits: int, tree_stages: int, tmp_path: Path
) -> None:
    architecture = Architecture(in_lanes=3, out_lanes=4, lane_form=LaneForm.COMPLEMENT, tree_stages=tree_stages)
    assert_clocks(quantized(every_node_network(), bits), architecture, tmp_path / "every")
    assert_clocks(quantized(small_resnet(), bits), architecture, tmp_path / "resnet")


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_take_the_predicted_clocks(seed: int, tmp_path: Path) -> None:
    architecture = Architecture(in_lanes=1 + 3 * seed % 7, out_lanes=1 + seed % 5, tree_stages=seed % 3)
    assert_clocks(random_network(seed), architecture, tmp_path)


@pytest.mark.parametrize("tree_stages", range(3))
def test_sweeps_of_one_clock_take_the_predicted_clocks(tree_stages: int, tmp_path: Path) -> None:
    """Each word is a sweep whose sums leave at once, so that as many sweeps are on their way as there can be."""
    chain = Chain(1, 4, (2, 7, 6))
    chain.conv("adder", Kind.ADDER, 3, (1, 1))
    chain.max_pool("pool", (1, 1), (1, 1))
    chain.conv("last", Kind.ADDER, 2, (1, 1))
    architecture = Architecture(in_lanes=4, out_lanes=3, drain_lanes=3, tree_stages=tree_stages)
    assert_clocks(chain.network, architecture, tmp_path)
