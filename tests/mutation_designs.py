"""The designs that judge the modules without a bench of their own: `python tests/mutation_designs.py DIR` prints them.

Together they use what the hardware can do.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from networks import ADDER, DOT, Builder, every_node_network, quantized, random_images, small_resnet

from quant import network_file
from quant.float_network import Add, FloatNetwork, MaxPool
from quant.quantizer import QuantizerOptions, quantize
from rtl.architecture import RESERVABLE, Architecture, LaneForm, MemoryStyle
from rtl.generator import print_design
from rtl.program import compile_network
from sim.mutation import OTHER_NETWORK


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

    Every node type on one's complement lanes with registers in their trees; shortcuts, multipliers of many digits and
    more outputs in a sweep than the pipeline holds; an image that takes two planes of narrow lanes; results that fill
    their width and windows that the lanes hold twice; a shortcut that waits for the output stream.
    """
    every_node = Architecture(in_lanes=3, out_lanes=2, lane_form=LaneForm.COMPLEMENT, tree_stages=2)
    resnet = small_resnet(blocks=2, classes=8)
    many_digits = QuantizerOptions(candidates=9, digits=6)
    two_blocks = quantize(resnet, random_images(resnet.input.shape, 48, 2), many_digits).network
    designs = {
        "every_node": (quantized(every_node_network()), every_node),
        "two_blocks": (two_blocks, Architecture(in_lanes=2, out_lanes=8)),
        "planes": (quantized(small_resnet(), bits=4), Architecture(in_lanes=4, out_lanes=3)),
        "added": (quantized(added_network()), Architecture(in_lanes=2, out_lanes=5)),
    }
    for name, (network, architecture) in designs.items():
        print_design(network, architecture, folder / name)
    return (*(folder / name for name in designs), print_shared(folder / "clamped"))


def print_shared(folder: Path) -> Path:
    """Print a design that has room for two networks, the second one's file in its folder."""
    first, second = quantized(clamped_network()), quantized(clamped_network(seed=1))
    bare = Architecture(in_lanes=5, out_lanes=2, tree_stages=1, memory_style=MemoryStyle.BLOCK, weight_register=True)
    needs = [compile_network(network, bare).parameters for network in (first, second)]
    reserve = {name: most for name in RESERVABLE if (most := max(need[name] for need in needs))}
    print_design(first, replace(bare, reserve=reserve), folder)
    network_file.save(second, folder / OTHER_NETWORK)
    return folder


if __name__ == "__main__":
    for design in print_designs(Path(sys.argv[1])):
        sys.stdout.write(f"{design}\n")
