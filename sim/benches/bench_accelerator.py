"""A whole printed accelerator against the golden model: every value of every layer, and the output stream.

Driver: images as codes on the input stream. Monitors: the trace port and the output stream. Model: quant's golden model
on the network file of the design. Checker: each value as it appears; the first difference ends the simulation.

The run is described by the JSON file that HWADDER_JOB names: `design` (folder), `codes` (.npy of shape (N, C, H, W)),
`gap_percent` (share of clocks in which a stream's side pauses), `reset_after` (clocks after which a reset breaks the
first image off, to begin again; 0 for none), `first_image` (its number for messages), `result` and `progress`
(files to write; the second grows by one byte a layer, so that a reader never meets half of it).
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotb.utils import get_sim_time

from quant.golden import trace
from quant.integer_network import Argmax, IntArray, IntegerNetwork
from rtl.design import Design, load_design
from rtl.driver import COUNTER_BASE, ROW_BYTES, Control, Register
from rtl.expected import element, stream_order, traced_values
from rtl.placement import output_node
from rtl.program import TracedLayer
from sim.job import STALL_CLOCKS

_PERIOD_NS = 10
_STALL_NS = STALL_CLOCKS * _PERIOD_NS
_QUIET_CLOCKS = 16


class _Checker:
    """Compares what appears with what must appear, in order."""

    def __init__(self, design: Design, network: IntegerNetwork, codes: IntArray, job: dict[str, Any]) -> None:
        self.layers = design.layers
        self.job = job
        tensors = trace(network, codes)
        self.expected = [traced_values(design.layers, tensors, image) for image in range(len(codes))]
        output = tensors[output_node(network)]
        self.outputs = [stream_order(output[image]) for image in range(len(codes))]
        last = network.nodes[-1]
        self.classes: list[int] | None = tensors[last.name].tolist() if isinstance(last, Argmax) else None
        self.values_compared = 0
        self.mismatch: dict[str, Any] | None = None

    def differ(self, layer: TracedLayer, image: int, position: int, expected: int, actual: int | str) -> None:
        """Record the first difference and stop."""
        channel, row, column = element(layer, position)
        self.mismatch = {
            "image": image + self.job["first_image"],
            "layer": layer.node,
            "channel": channel,
            "row": row,
            "column": column,
            "expected": expected,
            "actual": actual,
        }
        raise AssertionError(f"layer {layer.node} differs: {self.mismatch}")


def _number(signal: Any) -> int | str:
    value = signal.value
    return value.to_signed() if value.is_resolvable else str(value)


async def _reset(dut: Any) -> None:
    dut.rst.value = 1
    await ClockCycles(dut.clk, 4)
    dut.rst.value = 0


def _hold_run(dut: Any) -> None:
    """All through a run CONTROL.run is written, so that a design that waits for its host after reset begins."""
    for name, value in (("awaddr", Register.CONTROL), ("wdata", Control.RUN), ("wstrb", 15), ("araddr", 0)):
        dut[f"s_axil_{name}"].value = value
    for name, value in (("awvalid", 1), ("wvalid", 1), ("bready", 1), ("arvalid", 0), ("rready", 1)):
        dut[f"s_axil_{name}"].value = value


async def _read_register(dut: Any, offset: int) -> int:
    dut.s_axil_araddr.value = offset
    dut.s_axil_arvalid.value = 1
    await RisingEdge(dut.clk)
    dut.s_axil_arvalid.value = 0
    while True:
        await RisingEdge(dut.clk)
        if dut.s_axil_rvalid.value:
            return int(dut.s_axil_rdata.value)


async def _drive(dut: Any, images: list[IntArray], gaps: random.Random, gap_percent: int) -> None:
    for codes in images:
        for position, code in enumerate(codes.tolist()):
            while gap_percent and gaps.randrange(100) < gap_percent:
                dut.s_axis_tvalid.value = 0
                await RisingEdge(dut.clk)
            dut.s_axis_tvalid.value = 1
            dut.s_axis_tdata.value = code
            dut.s_axis_tlast.value = int(position == len(codes) - 1)
            await RisingEdge(dut.clk)
            while not dut.s_axis_tready.value:
                await RisingEdge(dut.clk)
    dut.s_axis_tvalid.value = 0


async def _watch_trace(dut: Any, checker: _Checker, out_bits: int) -> None:
    waiting: list[tuple[int | str, int]] = []  # values that came together with those before them, and their layer
    for image, layers in enumerate(checker.expected):
        for layer, values in zip(checker.layers, layers, strict=True):
            for position, expected in enumerate(values.tolist()):
                while not waiting:
                    if not dut.trace_valid.value:
                        await with_timeout(RisingEdge(dut.trace_valid), _STALL_NS, "ns")
                    await RisingEdge(dut.clk)
                    if dut.trace_valid.value:
                        waiting = _traced(dut, out_bits)
                actual, index = waiting.pop(0)
                if actual != expected or index != layer.index:
                    checker.differ(layer, image, position, expected, actual)
                checker.values_compared += 1
            with Path(checker.job["progress"]).open("ab") as progress:
                progress.write(b".")


def _traced(dut: Any, out_bits: int) -> list[tuple[int | str, int]]:
    """The values of one clock on the trace port, each with its layer; a value that is not resolved as text."""
    bits = str(dut.trace_values.value)
    values = [
        bits[len(bits) - (lane + 1) * out_bits : len(bits) - lane * out_bits] for lane in range(len(bits) // out_bits)
    ]
    layer = int(dut.trace_layer.value)
    return [(_signed(value), layer) for value in values[: int(dut.trace_count.value)]]


def _signed(bits: str) -> int | str:
    return int(bits, 2) - (int(bits[0]) << len(bits)) if set(bits) <= {"0", "1"} else bits


async def _watch_starts(dut: Any, starts_ns: list[float]) -> None:
    while True:
        await RisingEdge(dut.busy)
        starts_ns.append(get_sim_time("ns"))


async def _watch_output(
    dut: Any, checker: _Checker, ends_ns: list[float], gaps: random.Random, gap_percent: int
) -> None:
    layer = checker.layers[-1]
    dut.m_axis_tready.value = 1
    for image, values in enumerate(checker.outputs):
        for position, expected in enumerate(values.tolist()):
            while True:
                ready = not gap_percent or gaps.randrange(100) >= gap_percent
                dut.m_axis_tready.value = int(ready)
                await RisingEdge(dut.clk)
                if ready and dut.m_axis_tvalid.value:
                    break
                if not gap_percent and not dut.m_axis_tvalid.value:
                    # Sleeping through the layers costs nothing; polling every clock would double the simulation's time.
                    await RisingEdge(dut.m_axis_tvalid)
            actual = _number(dut.m_axis_tdata)
            last = position == len(values) - 1
            if actual != expected or bool(dut.m_axis_tlast.value) != last:
                checker.differ(layer, image, position, expected, actual)
            if last and checker.classes is not None:
                chosen = int(dut.m_axis_tuser.value)
                assert chosen == checker.classes[image], f"argmax must be {checker.classes[image]}, not {chosen}"
        ends_ns.append(get_sim_time("ns"))


@cocotb.test()
async def equals_golden_model(dut: Any) -> None:
    """Every value of every layer, and of the output stream, equals the golden model's."""
    job = json.loads(Path(os.environ["HWADDER_JOB"]).read_text())
    design, network = load_design(Path(job["design"]))
    codes = np.load(job["codes"], allow_pickle=False).astype(np.int64)
    checker = _Checker(design, network, codes, job)
    starts_ns: list[float] = []
    ends_ns: list[float] = []
    dut.rst.value = 1
    _hold_run(dut)
    dut.s_axis_tvalid.value = 0
    dut.s_axis_tlast.value = 0
    dut.s_axis_tdata.value = 0
    dut.m_axis_tready.value = 0
    Clock(dut.clk, _PERIOD_NS, unit="ns").start()
    await _reset(dut)
    gap_percent = job["gap_percent"]
    images = [stream_order(image) for image in codes]
    if job["reset_after"]:
        broken_off = cocotb.start_soon(_drive(dut, images, random.Random(1), gap_percent))
        await ClockCycles(dut.clk, job["reset_after"])
        broken_off.cancel()
        dut.s_axis_tvalid.value = 0
        await _reset(dut)
    counters: list[int] = []
    try:
        starts = cocotb.start_soon(_watch_starts(dut, starts_ns))
        driver = cocotb.start_soon(_drive(dut, images, random.Random(1), gap_percent))
        output = cocotb.start_soon(_watch_output(dut, checker, ends_ns, random.Random(2), gap_percent))
        await _watch_trace(dut, checker, design.parameters["OUT_BITS"])
        await output
        await driver
        starts.cancel()
        for _ in range(_QUIET_CLOCKS):
            await RisingEdge(dut.clk)
            assert not dut.trace_valid.value, "trace must end with the last layer"
            assert not dut.m_axis_tvalid.value, "output must end with the last image"
        assert not dut.tlast_error.value, "tlast error must stay low for well-formed images"
        words = range(0, len(design.layers) * ROW_BYTES, 4)
        halves = [await _read_register(dut, COUNTER_BASE + ROW_BYTES + word) for word in words]
        counters = [low | high << 32 for low, high in zip(halves[::2], halves[1::2], strict=True)]
    finally:
        result = {
            "values_compared": checker.values_compared,
            "mismatch": checker.mismatch,
            "cycles": [round((end - start) / _PERIOD_NS) for start, end in zip(starts_ns, ends_ns, strict=False)],
            "classes": checker.classes,
            "counters": counters,
        }
        Path(job["result"]).write_text(json.dumps(result))
