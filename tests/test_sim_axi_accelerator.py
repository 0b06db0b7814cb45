"""The accelerator behind its registers and streams, as a system uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mutation_designs import added_network, clamped_network
from networks import quantized, random_images, small_resnet

from quant import network_file
from quant.float_network import FloatNetwork
from quant.golden import encode
from quant.integer_network import IntegerNetwork
from rtl.architecture import RESERVABLE, Architecture, LaneForm
from rtl.generator import print_design
from rtl.program import compile_network
from sim.job import prepare_folder
from sim.runner import BenchRun, run_bench

BENCH = "sim.benches.bench_axi_accelerator"


def play(
    network: IntegerNetwork, other: IntegerNetwork, architecture: Architecture, folder: Path, tests: str = ""
) -> int:
    """Run the bench's tests on a design that has room for both networks; returns how many passed."""
    needs = [compile_network(each, architecture).parameters for each in (network, other)]
    reserve = {name: most for name in RESERVABLE if (most := max(need[name] for need in needs))}
    design = print_design(network, replace(architecture, reserve=reserve), folder / "rtl")
    build = prepare_folder(design, folder / "build")
    network_file.save(other, folder / "other.hwn")
    np.save(folder / "codes.npy", encode(network, random_images(network.input.shape, 3, seed=9)))
    job = {
        "design": str(design.folder),
        "codes": str(folder / "codes.npy"),
        "other": str(folder / "other.hwn"),
    }
    (folder / "job.json").write_text(json.dumps(job))
    environment = {"HWADDER_JOB": str(folder / "job.json")}
    if tests:
        environment["COCOTB_TEST_FILTER"] = tests
    run = BenchRun(
        top=design.top,
        bench_module=BENCH,
        sources=design.source_files,
        build_folder=build,
        environment=environment,
    )
    return run_bench(run).passed


MIN = Architecture(in_lanes=5, out_lanes=2)
COMPLEMENT = Architecture(in_lanes=3, out_lanes=4, lane_form=LaneForm.COMPLEMENT, tree_stages=2)


@pytest.mark.parametrize(("build", "architecture"), [(clamped_network, MIN), (added_network, COMPLEMENT)])
def test_a_system_can_use_it(build: Callable[..., FloatNetwork], architecture: Architecture, tmp_path: Path) -> None:
    assert play(quantized(build()), quantized(build(seed=1)), architecture, tmp_path) == 9


@pytest.mark.long
def test_a_whole_network_gives_way_to_another_one(tmp_path: Path) -> None:
    networks = quantized(small_resnet()), quantized(small_resnet(1, (3, 5, 4), classes=7, blocks=2), 5)
    assert play(*networks, COMPLEMENT, tmp_path, "networks_change") == 1
