"""Gate-level energy as JSON and as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from hwadder.gate_energy import BASELINE, GateReport, TapEnergy
from hwadder.results import Record
from rtl.elements import Element
from sim.gate_energy import Delay

GATE_HEADINGS = ("layer", "design", "operands", "delays", "pins", "inside", "clock", "fJ a tap", "Booth / this")
DESIGN_HEADINGS = ("design", "area, um2", "leakage, fJ a tap")
SAMPLE_HEADINGS = ("layer", "words", "x = 0", "w = 0", "neither 0")


def gate_json(report: GateReport) -> Record:
    """Every figure; `total_fj` and `baseline_ratio` are derived of the others."""
    return {
        **asdict(report),
        "taps": [
            {**asdict(row), "total_fj": row.total_fj, "baseline_ratio": baseline_ratio(report, row)}
            for row in report.taps
        ],
        "model": list(modelled(report)),
    }


def baseline_ratio(report: GateReport, row: TapEnergy) -> float | None:
    """Energy of the baseline over that of a row, on the same words with the same delays; None where it is missing."""
    found = [
        other.total_fj
        for other in report.taps
        if (other.layer, other.design, other.operands, other.delay) == (row.layer, BASELINE, row.operands, row.delay)
    ]
    return found[0] / row.total_fj if found and row.total_fj else None


def gate_rows(report: GateReport) -> Iterator[tuple[str, ...]]:
    """A row for each measurement, under `GATE_HEADINGS`."""
    for row in report.taps:
        ratio = baseline_ratio(report, row)
        parts = (row.pins_fj, row.internal_fj, row.clock_fj, row.total_fj)
        yield (
            *(row.layer, row.design, row.operands, row.delay),
            *(f"{part:,.1f}" for part in parts),
            "" if ratio is None else f"{ratio:.2f}",
        )


def design_rows(report: GateReport) -> Iterator[tuple[str, ...]]:
    """A row for each mapped design, under `DESIGN_HEADINGS`."""
    for design in report.designs:
        yield design.design, f"{design.area_um2:,.0f}", f"{design.leakage_fj:.3g}"


def sample_rows(report: GateReport) -> Iterator[tuple[str, ...]]:
    """A row for each layer's words, under `SAMPLE_HEADINGS`."""
    for sample in report.samples:
        shares = (sample.x_zero, sample.w_zero, sample.live)
        yield sample.layer, f"{sample.words:,}", *(f"{share:.1%}" for share in shares)


def modelled(report: GateReport) -> Iterator[str]:
    """What the figures hold and what they leave out, a sentence each."""
    yield (
        f"Elements of {report.in_lanes} lanes, {report.code_bits} bits, mapped with {report.mapper} to "
        f"{report.library} ({report.voltage_v:g} V); words of {report.out_lanes} output lanes in the order of the walk."
    )
    yield "pins: 1/2 C V^2 for each change of a net, C the input pins that it drives; wires have none."
    if report.has_energies:
        yield f"inside: the library's internal_power at a slew of {report.slew_ns:g} ns and the net's load."
    else:
        yield "inside: 0, because the library has no internal_power."
    yield "clock: clock pins of the flip-flops, both edges; no clock tree, no gating."
    glitches = [f"{Delay.UNIT}: one unit of delay a gate"]
    if report.has_delays:
        glitches.insert(0, f"{Delay.LIBRARY}: delays of the library, pulses shorter than a gate's delay left out")
    else:
        glitches.append("the library has no delays")
    yield f"delays {Delay.ZERO}: no glitches; {'; '.join(glitches)}; a glitch counts as a whole swing."
    yield f"Leakage is apart, at {report.clock_mhz:g} MHz. Operand registers and memories are in no figure."
    yield f"{Element.MINIMUM} has a share of the sum of x: one for {report.out_lanes} output lanes."
