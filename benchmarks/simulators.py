"""Clocks per second of one printed design on both simulators, neither with Python in the loop.

    python benchmarks/simulators.py --data FOLDER

Icarus Verilog runs the plain testbench that `hwadder rtl --vectors 1` prints, Verilator the program that
`hwadder simulate --simulator verilator` compiles; both compare every value of the same image as it appears. Rounds
alternate, so that a machine that is busy for a while is busy for both. Icarus gets a window of clocks from the image's
beginning (a whole image of ResNet-20 takes it minutes), and its start-up is measured apart and taken off; Verilator
plays the whole image, its start-up included. FOLDER holds the published checkpoint of ResNet-20 and a CIFAR-10 subset;
its default is $HWADDER_DATA, and without one the benchmark has LeNet-5 only.

Writes simulators.json and simulators.md into the folder of `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from hwadder.models import shipped_weights
from hwadder.verbs import quantize
from quant.integer_network import IntArray, IntegerNetwork
from rtl.architecture import Architecture
from rtl.design import Design
from rtl.generator import print_design
from sim.job import Job
from sim.tools import Simulator, require_simulator
from sim.verilator.build import build
from sim.verilator.stimulus import write_stimulus

START_CLOCKS = 10
"""Window in which Icarus does hardly more than start."""

_WINDOW = """\
`timescale 1ns/1ps
module window;
    initial begin
        #({clocks} * 10) $display("WINDOW %0d clocks", testbench.cycles);
        $finish;
    end
endmodule
"""


@dataclass(frozen=True, slots=True)
class Case:
    """A network of the model zoo on so many lanes."""

    model: str
    checkpoint: Path
    data: str
    lanes: int


@dataclass(frozen=True, slots=True)
class Round:
    """What one turn of each simulator gave."""

    icarus_clocks_per_s: float
    verilator_clocks_per_s: float
    verilator_image_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """A design's rounds; the build is Verilator's, Icarus needs a fraction of a second."""

    design: str
    clocks_per_image: int
    icarus_window_clocks: int
    verilator_build_s: float
    rounds: tuple[Round, ...]

    def median(self, field: str) -> float:
        """Median of a field of the rounds."""
        return float(statistics.median(getattr(each, field) for each in self.rounds))

    @property
    def ratio(self) -> float:
        """Clocks per second, Verilator to Icarus."""
        return self.median("verilator_clocks_per_s") / self.median("icarus_clocks_per_s")


def machine() -> str:
    """The processor's name, how many there are, and the system."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.machine()
    return f"{name}, {os.cpu_count()} processors, {platform.system()}"


def seconds(command: list[str | Path], folder: Path) -> tuple[float, str]:
    """Wall-clock time of a command, and what it prints."""
    start = time.perf_counter()
    run = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return time.perf_counter() - start, run.stdout


def compile_window(design: Design, clocks: int) -> Path:
    """The plain testbench with an end after so many clocks, for Icarus Verilog."""
    vectors = design.folder / "vectors"
    window, program = vectors / f"window{clocks}.v", vectors / f"window{clocks}.vvp"
    window.write_text(_WINDOW.format(clocks=clocks))
    sources = [vectors / "testbench.v", window, *design.source_files]
    seconds(["iverilog", "-g2005", "-o", program, "-s", "testbench", "-s", "window", *sources], design.folder)
    return program


def play_window(design: Design, program: Path) -> tuple[float, int]:
    """Wall-clock time and clocks of a window on Icarus Verilog."""
    wall, printed = seconds(["vvp", "-n", program], design.folder)
    clocks = re.search(r"^WINDOW (\d+)|^PASS .* (\d+) cycles", printed, re.MULTILINE)
    if "MISMATCH" in printed or clocks is None:
        raise SystemExit(f"testbench must find every value equal, not print:\n{printed}")
    return wall, int(clocks[clocks.lastindex or 0])


def printed_codes(design: Design, network: IntegerNetwork) -> IntArray:
    """The image that `vectors/stimulus.mem` holds, as codes (1, C, H, W)."""
    words = (design.folder / "vectors" / "stimulus.mem").read_text().split()
    channels, height, width = network.input.shape
    codes = np.array([int(word, 16) for word in words], np.int64)
    return codes.reshape(1, height, width, channels).transpose(0, 3, 1, 2)


def measure(case: Case, rounds: int, window_clocks: int, folder: Path) -> Result:
    """Print the case's design into `folder` and play it on both simulators, turn by turn."""
    network = quantize(case.checkpoint, case.model, case.data, folder / "network.hwn").network
    design = print_design(network, Architecture(in_lanes=case.lanes, out_lanes=case.lanes), folder / "rtl", vectors=1)
    name = f"{case.model}, 8 bits, {case.lanes} x {case.lanes} lanes"
    print(f"{name}: compiling")
    start_program, window_program = (compile_window(design, clocks) for clocks in (START_CLOCKS, window_clocks))
    begin = time.perf_counter()
    program = build(design, folder / "build")
    build_s = time.perf_counter() - begin
    job = Job(folder, printed_codes(design, network), 0, 0, False)
    write_stimulus(folder / "stimulus.bin", design, network, job)
    command: list[str | Path] = [program, folder / "stimulus.bin", folder / "result.json", os.devnull]
    measured: list[Round] = []
    for number in range(rounds):
        start_s, start_clocks = play_window(design, start_program)
        window_s, clocks = play_window(design, window_program)
        image_s, _ = seconds(command, design.folder)
        result = json.loads((folder / "result.json").read_text())
        if result["difference"] is not None or result["problem"]:
            raise SystemExit(f"compiled design must find every value equal, not report {result}")
        measured.append(Round((clocks - start_clocks) / (window_s - start_s), result["clocks"] / image_s, image_s))
        print(f"  round {number + 1}: {asdict(measured[-1])}")
    return Result(name, result["cycles"][0], clocks, build_s, tuple(measured))


def table(results: list[Result], conditions: dict[str, str]) -> str:
    """The results as a page."""
    rows = [
        f"| {each.design} | {each.icarus_window_clocks:,} of {each.clocks_per_image:,} "
        f"| {each.median('icarus_clocks_per_s'):,.0f} | {each.median('verilator_clocks_per_s'):,.0f} "
        f"| **{each.ratio:,.0f}** | {each.median('verilator_image_s'):.2f} s | {each.verilator_build_s:.1f} s |"
        for each in results
    ]
    return "\n".join(
        [
            "# Simulators",
            "",
            "Automatically generated by `python benchmarks/simulators.py`: medians of "
            f"{len(results[0].rounds)} alternating rounds.",
            "",
            "| design | clocks played on Icarus | Icarus, clocks/s | Verilator, clocks/s | ratio "
            "| Verilator, one image | its build |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *rows,
            "",
            "Neither runs Python; both compare every traced value. Icarus' start-up is taken off, Verilator's is "
            "not. Icarus' window is the image's beginning: loading, the first layer (ResNet-20: a dot layer), and the "
            "beginning of the second.",
            "",
            *(f"- {name}: {value}" for name, value in conditions.items()),
            "",
        ]
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("HWADDER_DATA", ""), help="folder of the published files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--icarus-clocks", type=int, default=30_000, help="length of Icarus' window")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    conditions = {
        "machine": machine(),
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "simulators": ", ".join(require_simulator(each) for each in Simulator),
        "compiler": seconds(["g++", "--version"], Path.cwd())[1].splitlines()[0],
    }
    cases = [Case("lenet5", shipped_weights("lenet5"), "mnist", 8)]
    if options.data:
        data = Path(options.data).resolve()
        cases.append(Case("resnet20", data / "ResNet20-AdderNet.pth", str(data / "cifar10-subset.npz"), 16))
    results = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            results.append(measure(case, options.rounds, options.icarus_clocks, Path(folder)))
    page = table(results, conditions)
    print(page)
    content = {**conditions, "results": [{**asdict(each), "ratio": each.ratio} for each in results]}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "simulators.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "simulators.md").write_text(page)


if __name__ == "__main__":
    main()
