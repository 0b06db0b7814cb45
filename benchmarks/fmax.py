"""Clock rates by nextpnr: a processing element of 16 lanes at 8 bits in both lane forms, and printed designs.

    pip install 'hwadder[fmax]'
    python benchmarks/fmax.py [DIR ...] [--time-limit SECONDS]

Prints the table of docs/hardware.md. Each DIR is a folder that `hwadder rtl` has printed; elements take a minute, a
design of LeNet-5 on 4 x 4 lanes some four. One seed each: another seed moves a figure by some percent.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from hwadder import verbs
from hwadder.results import clock_text
from rtl.architecture import LaneForm
from rtl.library import library_sources
from rtl.synthesis import TIME_LIMIT_S, Synthesis, Target, synthesise

TARGETS = (Target.ECP5, Target.ICE40)
ELEMENT = {"IN_LANES": 16, "CODE_BITS": 8, "ACC_BITS": 24}


def print_rows(what: str, result: Synthesis) -> None:
    """Print a row for each device."""
    for filled in result.fpga:
        assert filled.clock is not None
        path = filled.clock.path
        print(
            f"| {what} | {filled.clock.device} | {filled.luts:,} | {filled.flip_flops:,} | {filled.block_rams:g} "
            f"| {clock_text(filled.clock)} | "
            + (f"{path.delay_ns:.1f} | {path.routing_ns:.1f} |" if path is not None else "| |"),
            flush=True,
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("designs", metavar="DIR", nargs="*", type=Path)
    parser.add_argument("--time-limit", type=float, default=TIME_LIMIT_S)
    arguments = parser.parse_args()
    print("| what | device | LUTs | flip-flops | block RAMs | Fmax | critical path, ns | of it wires, ns |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for form in LaneForm:
        parameters = {**ELEMENT, "MIN_FORM": int(form is LaneForm.MIN)}
        result = synthesise(
            library_sources(),
            "processing_element",
            TARGETS,
            parameters=parameters,
            fmax=True,
            time_limit_s=arguments.time_limit,
        )
        print_rows(f"element, 16 lanes, 8 bits, {form}", result)
    for folder in arguments.designs:
        result = verbs.synth(folder, TARGETS, fmax=True, time_limit_s=arguments.time_limit)
        print_rows(folder.name, result)


if __name__ == "__main__":
    main()
