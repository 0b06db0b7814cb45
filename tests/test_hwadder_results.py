"""Results as JSON: strict JSON, and what they say is what the verbs returned."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from networks import quantized, small_lenet

from hwadder.results import (
    QUANTIZATION_HEADINGS,
    accuracy_text,
    evaluation_json,
    quantization_json,
    quantization_rows,
    simulation_json,
    synthesis_json,
    synthesis_rows,
)
from hwadder.verbs import Evaluation, Quantization
from quant.quantization_report import LayerReport
from rtl.driver import LayerCounts
from rtl.nextpnr import ClockRate, CriticalPath, Outcome
from rtl.synthesis import Resources, Synthesis, Target
from sim.simulate import Mismatch, Simulation


def layer(sqnr_db: float, width: int | None) -> LayerReport:
    return LayerReport(
        layer="conv1",
        type="adder Conv2d",
        bits=8,
        clip=3.65318,
        weight_bits=None if width is None else 8,
        weights_clipped=None if width is None else 0.7733,
        sqnr_db=sqnr_db,
        accumulator_bits=width,
        affine_bits=width,
        shift=width,
    )


def test_accuracy() -> None:
    record = evaluation_json(Evaluation("float", 986, 1000))
    assert record == {
        "kind": "float",
        "accuracy": 0.986,
        "correct": 986,
        "images": 1000,
        "top5_accuracy": None,
        "top5_correct": None,
    }
    assert accuracy_text(record) == "98.60% (986 of 1000)"
    record = evaluation_json(Evaluation("integer", 600, 1000, top5_correct=875))
    assert (record["top5_accuracy"], record["top5_correct"]) == (0.875, 875)
    assert accuracy_text(record) == "60.00% (600 of 1000), top-5 87.50%"


@pytest.mark.parametrize("sqnr_db", [float("inf"), float("-inf")])
def test_a_quantization_without_noise_is_strict_json(sqnr_db: float) -> None:
    result = Quantization(
        quantized(small_lenet()), Path("net.hwn"), "ab" * 32, (layer(46.71, 14), layer(sqnr_db, None))
    )
    record = quantization_json(result)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [row["sqnr_db"] for row in record["layers"]] == [46.71, None]
    rows = list(quantization_rows(record))
    assert rows == [
        ("conv1", "adder Conv2d", "8", "3.653", "77.3%", "46.7", "14", "14", "14"),
        ("conv1", "adder Conv2d", "8", "3.653", "", "exact", "", "", ""),
    ]
    assert {len(row) for row in rows} == {len(QUANTIZATION_HEADINGS)}


COUNTS = LayerCounts(*range(1, 9))


def test_a_simulation_carries_its_first_difference() -> None:
    mismatch = Mismatch(3, "conv2", 1, 2, 4, 17, "xxxx", "waves.fst")
    result = Simulation("Icarus Verilog 11.0", 5, 7, 1234, 99.5, None, mismatch, (COUNTS,), Path("first.fst"))
    record = simulation_json(result)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["mismatches"] == 1
    assert record["waveform"] == "first.fst"
    assert record["counters"] == [asdict(COUNTS)]
    assert (record["counters"][0]["clocks"], record["counters"][0]["effective_taps"]) == (1, 8)
    assert Mismatch(**record["mismatch"]) == mismatch
    assert mismatch.sentence() == (
        "layer conv2 must equal the golden model, not differ in image 3 at channel 1, row 2, column 4: "
        "expected 17, actual xxxx; waveform: waves.fst"
    )


@pytest.mark.parametrize(
    ("clock", "rows"),
    [
        (
            ClockRate("A", Outcome.ROUTED, 43.214, CriticalPath("a.Q", "b.D", 23.141, 12.5)),
            [("Fmax, A", "43.2 MHz"), ("critical path from", "a.Q"), ("critical path to", "b.D")],
        ),
        (ClockRate("A", Outcome.DOES_NOT_FIT, reason="9 RAM of 8"), [("Fmax, A", "does not fit: 9 RAM of 8")]),
        (ClockRate("A", Outcome.NOT_FINISHED), [("Fmax, A", "not finished within the time limit")]),
        (None, []),
    ],
    ids=["routed", "too large", "too long", "not asked for"],
)
def test_clock_rates(clock: ClockRate | None, rows: list[tuple[str, str]]) -> None:
    filled = Resources(Target.ECP5, 1, 2, 3.0, 4, 5, 0, {"LUT4": 1}, clock)
    result = Synthesis("m", 0, (), None, None, (filled,))
    assert [row[1:] for row in synthesis_rows(result)][6:-1] == rows
    (record,) = json.loads(json.dumps(synthesis_json(result), allow_nan=False))["fpga"]
    assert record["fmax_mhz"] == (None if clock is None else clock.fmax_mhz)
    assert (record["clock"] is None) == (clock is None)
    if clock is not None:
        assert record["clock"]["outcome"] == str(clock.outcome)
    if rows[1:]:
        assert record["clock"]["path"] == {"start": "a.Q", "end": "b.D", "delay_ns": 23.141, "routing_ns": 12.5}
