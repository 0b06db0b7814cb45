"""The designs that judge the modules without a bench of their own: `python tests/mutation_designs.py DIR` prints them.

Together they use what the hardware can do: every node type on one's complement lanes, and a residual network whose
shortcuts lie in the upper half of the activation buffer on minimum lanes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from networks import every_node_network, quantized, small_resnet

from rtl.architecture import Architecture, LaneForm
from rtl.generator import print_design


def print_designs(folder: Path) -> tuple[Path, ...]:
    """Print the designs below `folder` and return their folders."""
    every, resnet = folder / "every_node", folder / "small_resnet"
    print_design(
        quantized(every_node_network()), Architecture(in_lanes=3, out_lanes=2, lane_form=LaneForm.COMPLEMENT), every
    )
    print_design(quantized(small_resnet(blocks=2)), Architecture(in_lanes=2, out_lanes=5), resnet)
    return every, resnet


if __name__ == "__main__":
    for design in print_designs(Path(sys.argv[1])):
        sys.stdout.write(f"{design}\n")
