"""A network's layers as a workload of ZigZag (https://github.com/KULeuven-MICAS/zigzag), which maps loops to memories.

ZigZag knows a layer by its loops and its accesses, which are those of a convolution whatever a tap computes; what a tap
costs is one number of its accelerator, `operational_array.unit_energy`. So an adder layer is written as the convolution
of its shape, and the energy of its tap stands beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import quant.integer_network as integer
from energy.counts import Version
from energy.precision import FORMATS, Precision
from energy.report import EnergyReport, LayerReport
from energy.yaml_file import origin, write_yaml
from quant.errors import BadInputError
from quant.float_network import Conv2d, FloatNetwork, Linear
from quant.integer_network import IntegerNetwork
from quant.widths import accumulator_bits

WORKLOAD_FILE = "workload.yaml"
UNIT_ENERGY_FILE = "unit_energy.yaml"

TapNode = Conv2d | Linear | integer.Conv2d | integer.Linear


def write_zigzag(network: FloatNetwork | IntegerNetwork, report: EnergyReport, folder: Path) -> None:
    """Write the layers with taps (`workload.yaml`) and what one tap of each costs (`unit_energy.yaml`) to `folder`.

    Args:
        network: the layers; their batch norms, pools and additions are not part of the workload.
        report: of the same network; its precision gives a float network's widths.
        folder: exists already.

    Raises:
        BadInputError: a network without taps.
    """
    nodes = {node.name: node for node in network if isinstance(node, TapNode)}
    if not nodes:
        raise BadInputError(f"network to export must have a layer with taps, not none: {report.workload.model}")
    numbers = {name: number for number, name in enumerate(nodes)}
    layers = [
        {
            "id": numbers[node.name],
            "name": node.name,
            **_loops(network, node),
            "operand_precision": _widths(network, node, report.precision),
            # An operand that has no layer as its source is named by the layer itself: it comes from outside.
            "operand_source": {"W": numbers[node.name], "I": _source(network, node, numbers)},
        }
        for node in nodes.values()
    ]
    comments = (
        f"{report.workload.model}: the layers with taps as a workload of ZigZag; written by hwadder.",
        "Adder layers have the loops and accesses of the convolution of their shape: the sign * stands for |x - w|.",
        f"{UNIT_ENERGY_FILE} says what a tap of each layer costs, for the accelerator's operational_array.unit_energy.",
    )
    write_yaml(folder / WORKLOAD_FILE, comments, layers)
    energies = [
        {
            "id": numbers[row.layer.name],
            "name": row.layer.name,
            "taps_are": str(row.layer.kind),
            "unit_energy": _tap_pj(row, Version.ADDER),
            "unit_energy_as_cnn": _tap_pj(row, Version.CNN),
        }
        for row in report.layers
        if row.layer.name in numbers
    ]
    write_yaml(folder / UNIT_ENERGY_FILE, origin(report), energies)


def _tap_pj(row: LayerReport, version: Version) -> float:
    taps = row.layer.adder_taps + row.layer.dot_taps
    return float(row.bill(version).energy_pj / Fraction(taps))


def _loops(network: FloatNetwork | IntegerNetwork, node: TapNode) -> Mapping[str, object]:
    if isinstance(node, Linear | integer.Linear):
        outputs, inputs = node.weight.shape
        return {
            "operator_type": "Gemm",
            "equation": "O[b][k]+=W[k][c]*I[b][c]",
            "loop_dims": ["B", "K", "C"],
            "loop_sizes": [1, outputs, inputs],
            "dimension_relations": [],
        }
    filters, channels, kernel_rows, kernel_columns = node.weight.shape
    _, rows, columns = network.shapes[node.name]
    _, input_rows, input_columns = network.shapes[node.source]
    return {
        "operator_type": "Conv",
        "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
        "loop_dims": ["B", "G", "K", "C", "OY", "OX", "FY", "FX"],
        "loop_sizes": [
            *(1, node.groups, filters // node.groups, channels),
            *(rows, columns, kernel_rows, kernel_columns),
        ],
        "dimension_relations": [f"iy={node.stride[0]}*oy+1*fy", f"ix={node.stride[1]}*ox+1*fx"],
        "pr_loop_dims": ["IY", "IX"],
        "pr_loop_sizes": [input_rows, input_columns],
        "padding": [[node.padding[0]] * 2, [node.padding[1]] * 2],
    }


def _widths(network: FloatNetwork | IntegerNetwork, node: TapNode, precision: Precision) -> dict[str, int]:
    """Bits of weights, inputs, sums and results: an integer network's own, a float network's by the precision."""
    if isinstance(node, integer.Conv2d | integer.Linear):
        assert isinstance(network, IntegerNetwork)
        inputs, results = network.grids[node.source].bits, network.grids[node.name].bits
        return {"W": node.weight_bits, "I": inputs, "O": accumulator_bits(network, node), "O_final": results}
    formats = FORMATS[precision]
    return {
        "W": formats.operand_bits,
        "I": formats.operand_bits,
        "O": formats.sum_bits,
        "O_final": formats.operand_bits,
    }


def _source(network: FloatNetwork | IntegerNetwork, node: TapNode, numbers: Mapping[str, int]) -> int:
    """The layer with taps whose result this one reads, past pools and the like; itself where that is the image."""
    sources = {each.name: getattr(each, "source", None) for each in network}
    name = sources[node.name]
    while name is not None and name not in numbers:
        name = sources[name]
    return numbers[node.name if name is None else name]
