"""The designs that judge the modules without a bench of their own: `python tests/mutation_designs.py DIR` prints them.

Together they use what the hardware can do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from networks import ADDER, DOT, Builder, every_node_network, quantized, random_images, small_resnet

from quant.float_network import Add, FloatNetwork, MaxPool
from quant.quantizer import QuantizerOptions, quantize
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


def added_network(seed: int = 0) -> FloatNetwork:
    """Its output adds the tensor that its last layer reads, so one buffer gives windows and shortcuts to the stream."""
    net = Builder("added", (1, 4, 4), seed)
    tensor = net.relu("relu", net.norm("bn", net.conv("conv", "image", ADDER, 5, (3, 3), padding=(1, 1))))
    end = net.norm("end.bn", net.conv("end", tensor, ADDER, 5, (3, 3), padding=(1, 1)))
    net.append(Add("add", end, tensor))
    return net.network()


def print_designs(folder: Path) -> tuple[Path, ...]:
    """Print the designs below `folder` and return their folders.

    Every node type on one's complement lanes; shortcuts, multipliers of many digits and more outputs in a
    sweep than the pipeline holds; an image that takes two planes of narrow lanes; results that fill their width and
    windows that the lanes hold twice; a shortcut that waits for the output stream.
    """
    complement = LaneForm.COMPLEMENT
    resnet = small_resnet(blocks=2, classes=8)
    many_digits = QuantizerOptions(candidates=9, digits=6)
    two_blocks = quantize(resnet, random_images(resnet.input.shape, 48, 2), many_digits).network
    designs = {
        "every_node": (quantized(every_node_network()), Architecture(in_lanes=3, out_lanes=2, lane_form=complement)),
        "two_blocks": (two_blocks, Architecture(in_lanes=2, out_lanes=8)),
        "planes": (quantized(small_resnet(), bits=4), Architecture(in_lanes=4, out_lanes=3)),
        "added": (quantized(added_network()), Architecture(in_lanes=2, out_lanes=5)),
        "clamped": (quantized(clamped_network()), Architecture(in_lanes=5, out_lanes=2)),
    }
    for name, (network, architecture) in designs.items():
        print_design(network, architecture, folder / name)
    return tuple(folder / name for name in designs)


if __name__ == "__main__":
    for design in print_designs(Path(sys.argv[1])):
        sys.stdout.write(f"{design}\n")
