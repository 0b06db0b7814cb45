"""What memory takes, as sections that the page and the terminal both show."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from energy.accelerator import AcceleratorLayer, AcceleratorReport, Lanes, LevelEnergy, Memory
from energy.memory import NOTHING, SOURCE_BITS, EnergyRange, Level, sram_is_scaled, total
from energy.precision import meaning
from energy.quantity import capacity_text, energy_text, own_unit, range_text, ratio_text
from energy.report import COUNTED, NAMES, RATIO, EnergyReport
from energy.section import Section, Table
from quant.float_network import Kind

ACCELERATOR_TITLE = "On the accelerator"
LAYERS_TITLE = "Layers on the accelerator"

_COUNTERS = "As the accelerator's counters show it for one image."
_SCALED = ", scaled as logic"
"""Of an SRAM whose price stands for another node."""
_LEVEL = "Operations and accesses of one image times their prices, listed below with their sources."


def memory_sections(report: EnergyReport) -> tuple[Section, ...]:
    """Tables side by side, bounds of the traffic, and the accelerator, as far as the report has them."""
    sections = []
    if report.side_by_side:
        sections.append(_tables(report))
    if report.bounds and report.bounds[0].energies(report.technology):
        sections.append(_bounds(report))
    if report.accelerator is not None:
        sections += _accelerator(report.accelerator)
    return tuple(sections)


def _tables(report: EnergyReport) -> Section:
    rows = tuple(
        (each.table, energy_text(each.adder.energy_pj), energy_text(each.cnn.energy_pj), ratio_text(each.ratio, 3))
        for each in report.side_by_side
    )
    headings = ("table", *NAMES.values(), "ratio")
    paragraph = (
        f"The same operations at {meaning(report.precision)}. Tables disagree by more than adders and multipliers do, "
        "so a figure means nothing without the name of its table. All other parts of this report are priced by the "
        "first."
    )
    priced = "Counts of the charged operations times the prices of the row's table."
    sources = {**dict.fromkeys(NAMES.values(), priced), "ratio": RATIO}
    table = Table(headings, rows, numeric=headings[1:], sources=sources)
    return Section("The same counts by several tables", (paragraph,), tables=(table,))


def _energy_text(energy: EnergyRange) -> str:
    """In the unit of the high end."""
    scale, unit = own_unit(energy.high_pj)
    return f"{range_text(energy.low_pj, energy.high_pj, scale)} {unit}"


def _ratios_text(ratios: tuple[Fraction, Fraction]) -> str:
    low, high = (ratio_text(ratio) for ratio in sorted(ratios))
    return low if low == high else f"{low} to {high}"


def _bounds(report: EnergyReport) -> Section:
    is_scaled = sram_is_scaled(report.technology)
    rows = [
        (
            str(bound.reuse),
            f"{bound.reads + bound.writes:,}",
            memory + (_SCALED if memory != Level.DRAM and is_scaled else ""),
            _energy_text(energy),
            _ratios_text(report.with_memory_ratio(energy)),
        )
        for bound in report.bounds
        for memory, energy in bound.energies(report.technology).items()
    ]
    paragraphs = (
        "Where layers run one after the other, sums stay beside the taps and results are of the operands' width, the "
        "traffic of the layers with taps lies between two bounds: each tensor once (activations, weights and results "
        "of each layer are moved once) and no reuse (each tap fetches its activation and its weight). Layers that are "
        "fused move less, sums that leave the array move more. Both networks make the same accesses. Each row prices "
        f"all of a bound's bits from one memory, in proportion to the source's {SOURCE_BITS} bits.",
        f"Without memory the ratio is {ratio_text(report.ratio)}.",
    )
    headings = ("traffic", "elements", "all from", "energy", "ratio with it")
    sources = {
        "elements": COUNTED,
        "energy": "Bits of the traffic times the memory's price, listed below with its source.",
        "ratio with it": "Charged operations and this memory's energy together, as a CNN over the network as it is.",
    }
    table = Table(headings, tuple(rows), numeric=("elements", "energy"), sources=sources)
    return Section("With memory", paragraphs, tables=(table,))


def _accelerator(report: AcceleratorReport) -> Iterator[Section]:
    yield Section(
        ACCELERATOR_TITLE,
        (f"An array of {report.counts.design}. {_dominance(report)}", _method(report)),
        tables=(_levels(report),),
    )
    yield Section("Memories of the accelerator", tables=(_memories(report),))
    yield Section(LAYERS_TITLE, tables=(_layers(report),))


def _percents(part: EnergyRange, whole: EnergyRange) -> str:
    low, high = sorted((part.low_pj / whole.low_pj, part.high_pj / whole.high_pj))
    texts = dict.fromkeys(f"{float(100 * share):.0f}" for share in (low, high))
    return f"{' to '.join(texts)} %"


def _dominance(report: AcceleratorReport) -> str:
    """The honest sentence: what is left of the saving where memory dominates."""
    adder, multiplier = report.energy(Lanes.ADDER), report.energy(Lanes.MULTIPLIER)
    operations = multiplier.operations.low_pj / adder.operations.low_pj
    text = f"Multipliers in the lanes take {ratio_text(operations)} the energy of the adders in operations"
    if Level.SRAM in report.unpriced:
        text += ". This table has no price for SRAM, so what follows leaves out what may well be the larger part."
    else:
        text += (
            f", and with all levels {_ratios_text(report.ratio(Lanes.MULTIPLIER))} where every access stays, "
            f"{_ratios_text(report.ratio(Lanes.ONE_PASS))} where they also compute the dot-product layers in one pass. "
            f"Memory takes {_percents(adder.memory, adder.total)} of the adder array's energy."
        )
    if adder.memory.low_pj > adder.operations.high_pj:
        text += " Memory dominates: what is saved there counts for more than which lanes compute."
    if not report.counts.images:
        return text
    layers = [layer for layer in report.counts.layers if layer.kind is Kind.ADDER]
    busy = max(sum(layer.busy_taps for layer in layers), 1)
    effective = sum((layer.effective_taps or Fraction(0) for layer in layers), Fraction(0)) / busy
    active = sum((layer.active_taps or Fraction(0) for layer in layers), Fraction(0)) / busy
    text += (
        f" On {report.counts.images} images {float(100 * active):.1f} % of the adder layers' taps have an activation "
        f"other than 0, {float(100 * effective):.1f} % a weight other than 0 as well."
    )
    if not report.has_gates:
        return text + " No zero is gated: these lanes take differences, and a difference with 0 is the other operand."
    gated = report.energy(Lanes.ADDER, gated=True)
    return text + (
        f" Ideal gates for the other taps bring the adders' operations from "
        f"{energy_text(adder.operations.low_pj)} to {energy_text(gated.operations.low_pj)}, all "
        f"levels together to {_percents(gated.total, adder.total)} of what they were. A multiplier is gated where the "
        "activation is 0: the zeros among the weights are the adder network's, not those of a CNN."
    )


def _method(report: AcceleratorReport) -> str:
    levels = ", ".join(report.unpriced)
    unpriced = f" Counted, but without a price in this table: {levels}." if levels else ""
    loading = total(report.traffic_energy(each) or NOTHING for each in report.counts.loading)
    once = "" if Level.DRAM in report.unpriced else f", which takes {_energy_text(loading)}"
    return (
        "Accesses are those that the accelerator's counters show, for one image. Where a memory is wider than 64 bits "
        "the low end takes it as arrays of 64 bits side by side, the high end as one array as the design has it; for "
        "DRAM they are the source's range. DRAM holds the image and the results; no figure contains the one loading of "
        f"the program from it{once}.{unpriced}"
    )


def _levels(report: AcceleratorReport) -> Table:
    energies = [
        (str(lanes) + (", zeros gated" if gated else ""), report.energy(lanes, gated=gated))
        for _, gated in report.states
        for lanes in Lanes
    ]
    scale, unit = own_unit(max(energy.total.high_pj for _, energy in energies))
    has_memory = Level.SRAM not in report.unpriced
    rows = tuple(
        (name, *_level_cells(report, energy, scale), *((_percents(energy.memory, energy.total),) if has_memory else ()))
        for name, energy in energies
    )
    numeric = (*_level_headings(report, unit), *(("memory",) if has_memory else ()))
    sources = dict.fromkeys(numeric, _LEVEL)
    if has_memory:
        sources["memory"] = "What is neither operations nor registers, of all levels."
    return Table(("lanes", *numeric), rows, numeric=numeric, caption="Energy of one image by level", sources=sources)


def _level_headings(report: AcceleratorReport, unit: str) -> tuple[str, ...]:
    return (*(f"{level}, {unit}" for level in Level if level not in report.unpriced), f"all, {unit}")


def _level_cells(report: AcceleratorReport, energy: LevelEnergy, scale: Fraction) -> tuple[str, ...]:
    priced = [each for level, each in energy.by_level.items() if level not in report.unpriced]
    return tuple(range_text(each.low_pj, each.high_pj, scale) for each in (*priced, energy.total))


def _memories(report: AcceleratorReport) -> Table:
    rows = []
    for memory in report.counts.memories:
        traffic = [
            each for layer in report.counts.layers for each in layer.work[Lanes.ADDER].traffic if each.memory == memory
        ]
        energy = total(report.traffic_energy(each) or NOTHING for each in traffic)
        purposes = dict.fromkeys(each.purpose for each in traffic)
        accesses = (f"{sum(e.count for e in traffic if e.purpose == p):,} {p}" for p in purposes)
        rows.append(
            (
                memory.name,
                _arrays_text(memory),
                _basis_text(report, memory),
                ", ".join(accesses),
                _energy_text(energy),
            )
        )
    headings = ("memory", "arrays", "price of an array", "accesses, adder array", "energy")
    return Table(headings, tuple(rows), sources={"accesses, adder array": _COUNTERS, "energy": _LEVEL})


def _arrays_text(memory: Memory) -> str:
    if memory.level is not Level.SRAM:
        return ""
    size = f"{memory.depth} words of {memory.width_bits} bits, {capacity_text(memory.capacity_bytes)}"
    return size if memory.arrays == 1 else f"{memory.arrays} of {size}"


def _basis_text(report: AcceleratorReport, memory: Memory) -> str:
    if memory.level is not Level.SRAM:
        return "range of the source"
    basis = report.basis(memory)
    if basis is None:
        return "no price"
    width = "" if memory.width_bits == SOURCE_BITS else ", width in proportion"
    scaled = _SCALED if sram_is_scaled(report.table) else ""
    return f"{basis}{width}{scaled}"


def _layers(report: AcceleratorReport) -> Table:
    totals = [report.layer_energy(layer, Lanes.ADDER) for layer in report.counts.layers]
    scale, unit = own_unit(max((energy.total.high_pj for energy in totals), default=Fraction(0)))
    rows = [
        (
            layer.name,
            "" if layer.kind is None else str(layer.kind),
            f"{layer.busy_taps:,}" if layer.busy_taps else "",
            _effective_text(layer),
            *_level_cells(report, energy, scale),
        )
        for layer, energy in zip(report.counts.layers, totals, strict=True)
    ]
    whole = report.energy(Lanes.ADDER)
    busy = sum(layer.busy_taps for layer in report.counts.layers)
    rows.append(("total", "", f"{busy:,}", "", *_level_cells(report, whole, scale)))
    numeric = ("busy taps", "effective", *_level_headings(report, unit))
    return Table(
        ("layer", "taps are", *numeric),
        tuple(rows),
        numeric=numeric,
        has_total=True,
        caption="Adder array, without gates",
        sources={
            "busy taps": _COUNTERS,
            "effective": "Taps with both operands other than 0, counted on the images, of the busy ones.",
            **dict.fromkeys(_level_headings(report, unit), _LEVEL),
        },
        explorable=True,
    )


def _effective_text(layer: AcceleratorLayer) -> str:
    if layer.effective_taps is None or not layer.busy_taps:
        return ""
    return f"{float(100 * layer.effective_taps / layer.busy_taps):.1f} %"
