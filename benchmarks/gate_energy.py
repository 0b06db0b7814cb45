"""Energy of a tap on gates: adder elements beside Booth multipliers, on the operand words of real layers.

    python benchmarks/gate_energy.py --liberty FILE [--data FOLDER]

What `hwadder energy NET --gates` measures, for two layers of the official ResNet-20 at 8 and at 4 bits on CIFAR-10 test
images, with two mappings to cells and two Booth multipliers. FOLDER holds the published checkpoint and a CIFAR-10
subset; its default is $HWADDER_DATA, and without one the benchmark has the shipped LeNet-5. Takes twenty minutes.

Writes gate_energy.json and gate_energy.md into the folder of `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from simulators import machine

from hwadder.data import load_dataset
from hwadder.gate_energy import LANE_ARRAY, GateOptions, GateReport, Operands, measure_gates
from hwadder.gate_report import gate_json, modelled
from hwadder.models import shipped_weights
from hwadder.verbs import first_test_images, quantize
from quant.integer_network import IntegerNetwork
from quant.quantizer import QuantizerOptions
from rtl.architecture import Architecture
from rtl.elements import Element
from rtl.gate_netlist import Mapper
from sim.gate_energy import Delay

MAPPERS = (Mapper.DEFAULT, Mapper.AREA)
ELEMENTS = (Element.MINIMUM, Element.COMPLEMENT, Element.BOOTH_ROWS, Element.BOOTH_PASS)
IMAGES = 2


@dataclass(frozen=True, slots=True)
class Case:
    """A network, its layers, and its test images."""

    name: str
    network: IntegerNetwork
    images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    layers: tuple[str, ...]


def cases(data: str, folder: Path) -> list[Case]:
    """The official ResNet-20 at two widths where its files are, or else the shipped LeNet-5."""
    layers: tuple[str, ...] = ()
    if data:
        source, model = str(Path(data) / "cifar10-subset.npz"), "resnet20"
        checkpoint, layers = Path(data) / "ResNet20-AdderNet.pth", ("layer1.1.conv1", "layer3.1.conv1")
    else:
        source, model = "mnist", "lenet5"
        checkpoint = shipped_weights(model)
    dataset = load_dataset(source)
    pictures = first_test_images(dataset, IMAGES)
    result = []
    for bits in (8, 4):
        network = quantize(checkpoint, model, dataset, folder / "network.hwn", QuantizerOptions(bits=bits)).network
        result.append(Case(f"{model}, {bits} bits", network, pictures, layers))
    return result


def mean_text(values: Sequence[float], digits: int) -> str:
    """Mean over the mappings, and their range where there are several."""
    low, high = (f"{each:,.{digits}f}" for each in (min(values), max(values)))
    text = f"{statistics.fmean(values):,.{digits}f}"
    return text if low == high else f"{text} ({low} to {high})"


def table(case: Case, reports: Sequence[GateReport]) -> list[str]:
    """A case's rows; the ratio is of the cheaper Booth multiplier over the row, mapping by mapping."""
    first = reports[0]
    lines = [
        f"## {case.name}",
        "",
        "| layer | design | operands | no glitches | glitches, library's delays | glitches, unit delay | Booth / this: "
        "no glitches | library's delays | unit delay |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for layer, design, operands in dict.fromkeys((row.layer, row.design, row.operands) for row in first.taps):
        energies, ratios = [], []
        for delay in Delay:
            held = [r for r in reports if any(row.design == design for row in r.taps)]
            own = [report.tap(layer, design, operands, delay).total_fj for report in held]
            energies.append(mean_text(own, 0))
            booth = [
                min(report.tap(layer, element, operands, delay).total_fj for element in ELEMENTS if element.multiplies)
                for report in held
            ]
            ratios.append(mean_text([other / mine for other, mine in zip(booth, own, strict=True)], 2))
        lines.append(f"| {layer} | {design} | {operands} | {' | '.join([*energies, *ratios])} |")
    lines += [
        "",
        f"| design ({', '.join(MAPPERS)}) | area, um2 | leakage, fJ a tap at {first.clock_mhz:g} MHz | of a tap of "
        f"{first.samples[0].layer}, no glitches: pins | inside | clock |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for design in dict.fromkeys(each.design for each in first.designs):
        facts = [each for report in reports for each in report.designs if each.design == design]
        taps = [
            row
            for report in reports
            for row in report.taps
            if (row.layer, row.design, row.operands, row.delay)
            == (first.samples[0].layer, design, Operands.LAYER, Delay.ZERO)
        ]
        figures = [
            mean_text([each.area_um2 for each in facts], 0),
            mean_text([each.leakage_fj for each in facts], 3),
            *(mean_text([getattr(row, name) for row in taps], 1) for name in ("pins_fj", "internal_fj", "clock_fj")),
        ]
        lines.append(f"| {design} | {' | '.join(figures)} |")
    lines += ["", "| layer | words | x = 0 | w = 0 | neither 0 |", "|---|---:|---:|---:|---:|"]
    for sample in first.samples:
        shares = " | ".join(f"{share:.1%}" for share in (sample.x_zero, sample.w_zero, sample.live))
        lines.append(f"| {sample.layer} | {sample.words:,} | {shares} |")
    return [*lines, ""]


def page(measured: Sequence[tuple[Case, Sequence[GateReport]]]) -> str:
    """The results for people."""
    lines = [
        "# Energy of a tap on gates",
        "",
        "Automatically generated by `python benchmarks/gate_energy.py`. Femtojoules of a tap, leakage apart, mean over",
        f"the mappings {' and '.join(MAPPERS)} with their range; the {LANE_ARRAY} is mapped with {MAPPERS[0]} alone.",
        "*Booth / this*: the cheaper of the two multipliers on the same words, by the same mapping. *Layer*: the",
        "layer's own codes and weights, whose bits a multiplier reads as two's complement; *convolution*: its codes,",
        "and weights drawn from a normal distribution, for multipliers; *uniform*: all drawn uniformly.",
        "",
        *(f"- {sentence}" for sentence in modelled(measured[0][1][0]) if not sentence.startswith("Elements")),
        f"- {measured[0][1][0].in_lanes} lanes, {measured[0][1][0].out_lanes} output lanes, "
        f"{measured[0][1][0].library} at {measured[0][1][0].voltage_v:g} V; {IMAGES} test images.",
        "",
    ]
    for case, reports in measured:
        lines += table(case, reports)
    return "\n".join(lines)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--liberty", type=Path, required=True, help="the cell library")
    parser.add_argument("--data", default=os.environ.get("HWADDER_DATA", ""), help="folder of the published files")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--window-words", type=int, default=256)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args()
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        found = cases(options.data, Path(folder))
    for case in found:
        reports = []
        for mapper in MAPPERS:
            chosen = GateOptions(
                liberty=options.liberty,
                layers=case.layers,
                windows=options.windows,
                window_words=options.window_words,
                elements=ELEMENTS,
                array=mapper is MAPPERS[0],
                mapper=mapper,
            )
            prefix = f"{case.name}, {mapper}"
            reports.append(
                measure_gates(
                    case.network,
                    case.images,
                    Architecture(),
                    chosen,
                    lambda step, prefix=prefix: print(f"{prefix}: {step}", flush=True),  # type: ignore[misc]
                )
            )
        measured.append((case, reports))
    text = page(measured)
    print(text)
    options.out.mkdir(parents=True, exist_ok=True)
    content = {
        "machine": machine(),
        "results": [{"case": case.name, **gate_json(report)} for case, reports in measured for report in reports],
    }
    (options.out / "gate_energy.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "gate_energy.md").write_text(text)


if __name__ == "__main__":
    main()
