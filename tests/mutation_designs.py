"""The designs that judge the modules without a bench of their own: `python tests/mutation_designs.py DIR` prints them.

Together they use what the hardware can do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from networks import ADDER, DOT, Builder, every_node_network, quantized, small_resnet

from quant.float_network import FloatNetwork, MaxPool
from rtl.architecture import Architecture, LaneForm
from rtl.generator import print_design


def clamped_network(seed: int = 0) -> FloatNetwork:
    """Its results are 8-bit codes, so that they fill the sign bit and all others of the results' width.

    Its first layer reads so few codes that the lanes hold them twice.
    """
    net = Builder("clamped", (1, 6, 6), seed)
    tensor = net.relu("dot.relu", net.norm("dot.bn", net.conv("dot", "image", DOT, 2, (1, 2), padding=(0, 1))))
    tensor = net.relu("relu", net.norm("bn", net.conv("conv", tensor, ADDER, 3, (3, 3), padding=(1, 1))))
    net.append(MaxPool("pool", tensor, (2, 2), (2, 2)))
    return net.network()


def print_designs(folder: Path) -> tuple[Path, ...]:
    """Print the designs below `folder` and return their folders.

    Every node type on one's complement lanes; shortcuts in the upper half of the activation buffer; an image that takes
    two planes of narrow lanes; results that fill their width.
    """
    complement = LaneForm.COMPLEMENT
    designs = {
        "every_node": (quantized(every_node_network()), Architecture(in_lanes=3, out_lanes=2, lane_form=complement)),
        "two_blocks": (quantized(small_resnet(blocks=2)), Architecture(in_lanes=2, out_lanes=5)),
        "planes": (quantized(small_resnet(), bits=4), Architecture(in_lanes=4, out_lanes=3)),
        "clamped": (quantized(clamped_network()), Architecture(in_lanes=5, out_lanes=2)),
    }
    for name, (network, architecture) in designs.items():
        print_design(network, architecture, folder / name)
    return tuple(folder / name for name in designs)


if __name__ == "__main__":
    for design in print_designs(Path(sys.argv[1])):
        sys.stdout.write(f"{design}\n")
