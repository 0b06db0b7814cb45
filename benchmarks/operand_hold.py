"""What it would save to hold operands that are 0: capacitance that a tap switches, gate by gate, on ResNet-20.

    python benchmarks/operand_hold.py --data FOLDER

A min-form element of 16 lanes at 8 bits, and what 16 of them share (operand register, sum of x), are mapped to the cell
library and driven with the words of three adder layers of the official network on a test image, in the order of the
accelerator's walk: 9,216 words a layer, each with the weights of all 16 output lanes. The elements' sums are compared
with the golden model. Every net's toggles are weighted by the capacitance of the pins that it drives; wires are not in
it. FOLDER holds the published checkpoint, a CIFAR-10 subset and the Liberty file; its default is $HWADDER_DATA. Takes
five minutes.

Writes operand_hold.json and operand_hold.md into the folder of `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwadder.data import load_dataset
from hwadder.verbs import first_test_images, quantize
from quant.errors import MismatchError
from quant.golden import encode, trace
from quant.integer_network import IntegerNetwork
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from rtl.gate_netlist import GateNetlist, Mapper, Net, map_design
from rtl.liberty import read_liberty
from rtl.library import module_source
from rtl.operand_words import adder_layer, sampled_words
from rtl.program import compile_network
from sim.gate_activity import GateActivity, bit_streams

LIBRARY = "sg13g2_stdcell_typ_1p20V_25C.lib"
VERILOG = Path(__file__).resolve().parent / "verilog"
SOURCES = (
    *(module_source(name) for name in ("adder_tree", "split_tree", "tree_pipeline", "accumulator")),
    *(VERILOG / f"{name}.v" for name in ("held_element", "held_operands")),
)
LAYERS = ("layer1.1.conv1", "layer2.1.conv1", "layer3.1.conv1")
LANES = 16
OUT_LANES = 16
CODE_BITS = 8
ACC_BITS = 24
TIME_LIMIT_S = 240.0

BASE = "zeros arrive as 0"

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Toggles:
    """What nets switched over all counted clocks, in femtofarads: at zero delay, and with one unit of delay a cell."""

    zero_delay_ff: float
    unit_delay_ff: float
    count: int

    def __add__(self, other: Toggles) -> Toggles:
        return Toggles(
            self.zero_delay_ff + other.zero_delay_ff, self.unit_delay_ff + other.unit_delay_ff, self.count + other.count
        )


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to treat operands that are 0."""

    name: str
    hold: int
    merged: int
    bit_select: int = 0


VARIANTS = (
    Variant("zeros arrive as 0, dot lanes at work", 0, 0, 1),
    Variant(BASE, 0, 0),
    Variant("x held", 1, 0),
    Variant("x and w held", 2, 0),
    Variant("one choice a lane: zeros arrive as 0", 0, 1),
    Variant("one choice a lane: x held", 1, 1),
    Variant("one choice a lane: x and w held", 2, 1),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """The words of a layer on an image, in the order of the walk.

    Attributes:
        x: (words, lanes) codes.
        w: (output lanes, words, lanes) codes.
        first: (words,) 1 in a sweep's first word.
        sums: (output lanes, sweeps) of min(x, w).
    """

    layer: str
    x: Codes
    w: Codes
    first: Codes
    sums: Codes


@dataclass(frozen=True, slots=True)
class Row:
    """A variant, mapped one way, on one layer; femtofarads a tap, at zero delay and with one unit of delay a cell.

    `x_wires`, `w_wires` and `live_wires` are the element's input pins; `inside` is the rest of the element, `shared` a
    16th of operand register and sum of x. Toggles are of all bits of a lane's operand, and of its live bits.
    """

    variant: str
    mapping: str
    layer: str
    element_um2: float
    shared_um2: float
    x_toggles: float
    w_toggles: float
    live_toggles: float
    x_wires: float
    w_wires: float
    live_wires: float
    inside: float
    shared: float
    total: float
    total_unit_delay: float


def stream(network: IntegerNetwork, name: str, tensors: Mapping[str, Codes]) -> Stream:
    """All words of a 3 x 3 layer whose channels fill the lanes, on the one image of a trace."""
    program = compile_network(network, Architecture(in_lanes=LANES, out_lanes=OUT_LANES))
    source = adder_layer(network, name).source
    words = sampled_words(network, program, name, tensors[source], 1, sys.maxsize)
    count = int(np.flatnonzero(np.append(words.first[1:], True))[0]) + 1
    sums = np.minimum(words.x, words.w).sum(axis=2).reshape(OUT_LANES, -1, count).sum(axis=2)
    return Stream(name, words.x, words.w, words.first.astype(np.int64), sums)


def held(codes: Codes) -> Codes:
    """Codes (..., words, lanes) where a code of 0 repeats the last other one of its lane (0 before the first)."""
    number = np.where(codes != 0, np.arange(codes.shape[-2])[:, None], 0)
    latest = np.maximum.accumulate(number, axis=-2)
    return np.take_along_axis(codes, latest, axis=-2)


def accumulated(words: Codes, first: Codes) -> Codes:
    """The accumulator (..., words) beside each word, two clocks behind its operands; `words` are the sums of words."""
    total = np.cumsum(words, axis=-1)
    start = np.maximum.accumulate(np.where(first == 1, np.arange(len(first)), 0))
    base = np.where(start > 0, np.take(total, np.maximum(start - 1, 0), axis=-1), 0)
    result = np.zeros_like(total)
    result[..., 2:] = (total - base)[..., :-2]
    return result


def counted_clocks(words: int, streams: int) -> int:
    """The clocks that count, as bits: all but the first three of each stream, in which the registers fill."""
    clocks = np.ones((streams, words), np.int64)
    clocks[:, :3] = 0
    return bit_streams(clocks.reshape(-1), 1)[0]


def switched(activity: GateActivity) -> dict[Net, Toggles]:
    """What each net switched."""
    netlist = activity.netlist
    result: dict[Net, Toggles] = dict.fromkeys(activity.values, Toggles(0.0, 0.0, 0))
    for net, change in activity.settled().changes.items():
        count = (change & activity.counted).bit_count()
        result[net] = Toggles(netlist.load_ff.get(net, 0.0) * count, 0.0, count)
    for step in activity.steps({gate.output: 1 for gate in netlist.gates}):
        for net, change in step.changes.items():
            count = (change & activity.counted).bit_count()
            result[net] += Toggles(0.0, netlist.load_ff.get(net, 0.0) * count, 0)
    return result


def constants(bits: int, value: int, clocks: int) -> list[int]:
    """A port that never changes."""
    return [((value >> bit) & 1) * ((1 << clocks) - 1) for bit in range(bits)]


def total(netlist: GateNetlist, toggles: Mapping[Net, Toggles], ports: Sequence[str]) -> Toggles:
    """What the nets of some ports switched."""
    return sum((toggles[net] for port in ports for net in netlist.ports[port]), Toggles(0.0, 0.0, 0))


def clock_pin_ff(netlist: GateNetlist) -> float:
    """The largest clock pin."""
    pins = (
        instance.cell.inputs[instance.cell.flip_flop.clock]
        for instance in netlist.instances
        if instance.cell.flip_flop is not None and instance.cell.flip_flop.clock is not None
    )
    return max(pin.capacitance_ff for pin in pins)


def measure(variant: Variant, mapping: str, element: GateNetlist, operands: GateNetlist, words: Stream) -> Row:
    """Play a layer."""
    count = len(words.x)
    x = held(words.x) if variant.hold else words.x
    w = held(words.w) if variant.hold == 2 else words.w
    acc = accumulated(np.minimum(words.x, words.w).sum(axis=2), words.first)
    # The sums that the design must deliver are in the accumulator two clocks behind a sweep's last word.
    last = np.flatnonzero(np.append(words.first[1:], 1))[:-1]
    if not np.array_equal(acc[:, np.minimum(last + 2, count - 1)][:, :-1], words.sums[:, : len(last) - 1]):
        raise MismatchError(f"accumulators of {words.layer} must hold the sums, not others")

    clocks = count * OUT_LANES
    ones = (1 << clocks) - 1
    tiled = np.tile(x, (OUT_LANES, 1))
    live_x = np.tile((words.x != 0) & (variant.hold > 0), (OUT_LANES, 1)).astype(np.int64)
    live_w = ((words.w != 0) & (variant.hold == 2)).reshape(-1, LANES).astype(np.int64)
    given = {
        "rst": [0],
        "in_valid": [ones],
        "in_dot": [0],
        "in_double": [0],
        "in_subtract": [0],
        "in_bit_select": constants(CODE_BITS, variant.bit_select, clocks),
        "in_first": bit_streams(np.tile(words.first, OUT_LANES), 1),
        "in_x": bit_streams(tiled, CODE_BITS),
        "in_w": bit_streams(w.reshape(-1, LANES), CODE_BITS),
        "in_live_x": bit_streams(live_x, 1),
        "in_live_w": bit_streams(live_w, 1),
        "acc": bit_streams(acc.reshape(-1), ACC_BITS),
    }
    toggles = switched(GateActivity(element, given, counted_clocks(count, OUT_LANES), clocks))
    taps = (count - 3) * OUT_LANES * LANES
    x_wires, w_wires = (total(element, toggles, [port]) for port in ("in_x", "in_w"))
    live_wires = total(element, toggles, ["in_live_x", "in_live_w"])
    whole = sum(toggles.values(), Toggles(0.0, 0.0, 0))

    out_x = np.zeros_like(x)
    out_x[1:] = x[:-1]
    live = np.zeros_like(x)
    live[1:] = words.x[:-1] != 0
    sum_x = np.zeros(count, np.int64)
    sum_x[1:] = accumulated(words.x.sum(axis=1), words.first)[:-1]
    given = {
        "rst": [0],
        "in_valid": [(1 << count) - 1],
        "in_first": bit_streams(words.first, 1),
        "in_x": bit_streams(words.x, CODE_BITS),
        "out_x": bit_streams(out_x, CODE_BITS),
        "out_live": bit_streams(live if variant.hold else np.zeros_like(live), 1),
        "sum_x": bit_streams(sum_x, ACC_BITS),
    }
    common = sum(
        switched(GateActivity(operands, given, counted_clocks(count, 1), count)).values(), Toggles(0.0, 0.0, 0)
    )

    inside = whole.zero_delay_ff - sum(each.zero_delay_ff for each in (x_wires, w_wires, live_wires))
    return Row(
        variant.name,
        mapping,
        words.layer,
        round(element.area_um2, 1),
        round(operands.area_um2, 1),
        x_wires.count / taps,
        w_wires.count / taps,
        live_wires.count / taps,
        x_wires.zero_delay_ff / taps,
        w_wires.zero_delay_ff / taps,
        live_wires.zero_delay_ff / taps,
        inside / taps,
        common.zero_delay_ff / taps,
        (whole.zero_delay_ff + common.zero_delay_ff) / taps,
        (whole.unit_delay_ff + common.unit_delay_ff) / taps,
    )


def mean(rows: Iterable[Row], field: str) -> float:
    """The mean of a field."""
    return statistics.fmean(getattr(row, field) for row in rows)


def change(rows: Sequence[Row], variant: str, field: str, layers: Sequence[str] = LAYERS) -> str:
    """A field beside that of zeros that arrive as 0, in percent: mean over the mappings, and their range."""

    def of(name: str, mapping: str) -> float:
        chosen = [row for row in rows if row.variant == name and row.mapping == mapping and row.layer in layers]
        return mean(chosen, field)

    percent = [100 * (of(variant, name) / of(BASE, name) - 1) for name in Mapper]
    return f"{statistics.fmean(percent):+.1f} ({min(percent):+.1f} to {max(percent):+.1f})"


def table(rows: Sequence[Row], streams: Sequence[Stream], clock_ff: float) -> str:
    """The results as a page."""
    lines = [
        "# Operands that are 0: given as 0, or held",
        "",
        "Automatically generated by `python benchmarks/operand_hold.py`: the min form at 8 bits, 16 lanes, 16 output",
        f"lanes, on {LIBRARY}; words of three layers of the official ResNet-20 on the first",
        "CIFAR-10 test image. Femtofarads that a tap switches in a clock (toggles of each net times the pins that it",
        f"drives, no wires, no clock), mean of the layers and of {len(Mapper)} ways to map; *total* has a",
        f"{OUT_LANES}th of what the output lanes share. *Glitches*: with one unit of delay a cell. Changes are against",
        "zeros that arrive as 0, each mapping beside itself: mean (range).",
        "",
        "| operands | x pins | w pins | live pins | inside | shared | total | change, % | total with glitches "
        "| change, % | element, um2 | change, % |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for variant in VARIANTS:
        own = [row for row in rows if row.variant == variant.name]
        figures = [f"{mean(own, field):.1f}" for field in ("x_wires", "w_wires", "live_wires", "inside", "shared")]
        for field, digits in (("total", 1), ("total_unit_delay", 1), ("element_um2", 0)):
            figures += [f"{mean(own, field):,.{digits}f}", change(rows, variant.name, field)]
        lines.append(f"| {variant.name} | {' | '.join(figures)} |")
    lines += [
        "",
        "*Dot lanes at work*: weight bit 0 selected in adder layers too. *One choice a lane* merges minimum lane, dot",
        "lane and the choice between them. With *x and w held* each weight in memory has a ninth bit and repeats the",
        "lane's last code that is not 0, without a register; registers in the lanes instead would switch",
        f"{clock_ff:.1f} fF a tap at their clock pins alone.",
        "",
        "By layer, change of the total in percent, and of the total with glitches:",
        "",
        "| layer | x 0 | w 0 | both not 0 | x held | with glitches | x and w held | with glitches |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for words in streams:
        x, w = words.x != 0, words.w != 0
        shares = [f"{100 * share:.1f} %" for share in (1 - x.mean(), 1 - w.mean(), (x & w).mean())]
        changes = [
            change(rows, name, field, [words.layer])
            for name in ("x held", "x and w held")
            for field in ("total", "total_unit_delay")
        ]
        lines.append(f"| {words.layer} | {' | '.join([*shares, *changes])} |")
    lines += [
        "",
        "Toggles a tap, which times a wire's capacitance to each element give what the wires add: all bits of an",
        "operand, and the live bits.",
        "",
        "| operands | x | w | live |",
        "|---|---:|---:|---:|",
    ]
    for name in (BASE, "x held", "x and w held"):
        own = [row for row in rows if row.variant == name]
        toggles = (mean(own, f"{operand}_toggles") for operand in ("x", "w", "live"))
        lines.append(f"| {name} | {' | '.join(f'{each:.2f}' for each in toggles)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("HWADDER_DATA", ""), help="folder of the published files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    if not options.data:
        parser.error("folder of the published files must be given by --data or HWADDER_DATA, not left out")
    data = Path(options.data).resolve()
    dataset = load_dataset(str(data / "cifar10-subset.npz"))
    with tempfile.TemporaryDirectory() as folder:
        network = quantize(
            data / "ResNet20-AdderNet.pth",
            "resnet20",
            dataset,
            Path(folder) / "network.hwn",
            QuantizerOptions(bits=CODE_BITS),
        ).network
    tensors = trace(network, encode(network, first_test_images(dataset, 1)))
    streams = [stream(network, name, tensors) for name in LAYERS]
    library = read_liberty(data / LIBRARY)
    rows: list[Row] = []
    clock_ff = 0.0
    for mapper in Mapper:
        operands = [
            map_design(SOURCES, "held_operands", {"HOLD": hold}, library, mapper=mapper, time_limit_s=TIME_LIMIT_S)
            for hold in (0, 1)
        ]
        # An 8-bit register for each tap, whose clock rises and falls.
        clock_ff = 2 * CODE_BITS * clock_pin_ff(operands[0])
        for variant in VARIANTS:
            parameters = {"HOLD": variant.hold, "MERGED": variant.merged}
            element = map_design(SOURCES, "held_element", parameters, library, mapper=mapper, time_limit_s=TIME_LIMIT_S)
            rows += [measure(variant, mapper, element, operands[min(variant.hold, 1)], words) for words in streams]
            print(f"{mapper}: {variant.name}: {mean(rows[-len(streams) :], 'total'):.1f} fF a tap", flush=True)
    page = table(rows, streams, clock_ff)
    print(page)
    options.out.mkdir(parents=True, exist_ok=True)
    content = {"library": LIBRARY, "results": [asdict(row) for row in rows]}
    (options.out / "operand_hold.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "operand_hold.md").write_text(page)


if __name__ == "__main__":
    main()
