"""A compiler reads the file list; the core description names every file of the design."""

from __future__ import annotations

import subprocess
from pathlib import Path

from networks import quantized, small_lenet

from rtl.architecture import Architecture
from rtl.design import MEMORY_FILES
from rtl.file_lists import core_description
from rtl.generator import print_design

CORE = """CAPI=2:
name: hwadder:accelerators:hwadder_a:1
description: "of \\"a\\\\b\\""
filesets:
  rtl:
    files:
      - hwadder_a.v
      - library/ram.v
    file_type: verilogSource
  memory:
    files:
      - memory/weights.mem: {copyto: memory/weights.mem}
    file_type: user
targets:
  default:
    filesets: [rtl, memory]
    toplevel: hwadder_a
"""


def test_icarus_reads_the_file_list(tmp_path: Path) -> None:
    design = print_design(quantized(small_lenet()), Architecture(in_lanes=2, out_lanes=2), tmp_path / "rtl")
    command = ["iverilog", "-g2005", "-t", "null", "-s", design.top, "-c", f"{design.top}.f"]
    run = subprocess.run(command, cwd=design.folder, capture_output=True, text=True, check=True)
    assert run.stdout + run.stderr == ""
    assert (design.folder / f"{design.top}.f").read_text().split() == list(design.sources)


def test_the_core_names_every_file(tmp_path: Path) -> None:
    design = print_design(quantized(small_lenet()), Architecture(in_lanes=2, out_lanes=2), tmp_path / "rtl")
    named = [
        line.split("- ")[1].split(":")[0]
        for line in (design.folder / f"{design.top}.core").read_text().splitlines()
        if "- " in line
    ]
    assert named == [*design.sources, *MEMORY_FILES.values()]
    assert all((design.folder / name).is_file() for name in named)


def test_the_core_as_text() -> None:
    files = ["hwadder_a.v", "library/ram.v"]
    assert core_description("hwadder_a", 'of "a\\b"', files, {"WEIGHT_FILE": "memory/weights.mem"}) == CORE
