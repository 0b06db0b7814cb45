"""The file that a compiled design is played from: its images as codes, and what the golden model makes of each.

Native 32-bit integers. First `Header`; then index and number of values of each traced layer; then for every image its
codes, the traced values of every layer, the values of the output stream and the argmax (0 for a network without).
`main.cpp` reads the same fields in the same order.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from quant.golden import trace
from quant.integer_network import Argmax, IntegerNetwork
from rtl.design import Design
from rtl.driver import COUNTER_BASE, COUNTERS, ROW_BYTES, Register
from rtl.expected import stream_order, traced_values
from rtl.placement import output_node
from sim.job import STALL_CLOCKS, Job

_WORD = np.int32
_BATCH = 8
"""Images whose tensors are in memory at once."""


@dataclass(frozen=True, slots=True)
class Header:
    """What `main.cpp` knows of the design and the job; counts are those of one image."""

    images: int
    first_image: int
    codes: int
    layers: int
    outputs: int
    has_argmax: int
    out_bits: int
    output_bits: int
    gap_percent: int
    stall_clocks: int
    control_offset: int
    counter_base: int
    counters: int


def write_stimulus(
    path: Path, design: Design, network: IntegerNetwork, job: Job, stall_clocks: int = STALL_CLOCKS
) -> None:
    """Write the file for a job on a design and the network it was printed from."""
    codes = job.codes
    has_argmax = isinstance(network.nodes[-1], Argmax)
    output = output_node(network)
    header = Header(
        images=len(codes),
        first_image=job.first_image,
        codes=codes[0].size,
        layers=len(design.layers),
        outputs=int(np.prod(network.shapes[output])),
        has_argmax=int(has_argmax),
        out_bits=design.parameters["OUT_BITS"],
        output_bits=design.parameters["OUTPUT_BITS"],
        gap_percent=job.gap_percent,
        stall_clocks=stall_clocks,
        control_offset=Register.CONTROL,
        counter_base=COUNTER_BASE + ROW_BYTES,
        counters=len(COUNTERS),
    )
    layers = [(layer.index, layer.channels * layer.height * layer.width) for layer in design.layers]
    with path.open("wb") as file:
        file.write(np.array([*astuple(header), *(word for layer in layers for word in layer)], _WORD).tobytes())
        for first in range(0, len(codes), _BATCH):
            batch = codes[first : first + _BATCH]
            tensors = trace(network, batch)
            for image in range(len(batch)):
                chosen = tensors[network.nodes[-1].name][image] if has_argmax else 0
                parts = (
                    stream_order(batch[image]),
                    *traced_values(design.layers, tensors, image),
                    stream_order(tensors[output][image]),
                    np.array([chosen]),
                )
                file.write(np.concatenate(parts).astype(_WORD).tobytes())
