"""What docs/draw_timing.py simulates: a host that uses a printed design, while every clock is recorded.

Not a test: a scenario is played and its signals are written down. The JSON file that HWADDER_JOB names holds `image`
(codes in the order of the stream), `weight_packet` and `descriptor_packet` (beats), their first words `weight_address`
and `descriptor_address`, `signals` (scenario -> paths below the top) and `folder`, which gets a file of samples for
each scenario: path -> the signal's bits in each clock.

Inputs change behind a rising edge and signals are read at the falling one, so a sample is what the next rising edge
takes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge

from rtl.driver import Control, Error, Event, Memory, Register

_PERIOD_NS = 10
_LIMIT_CLOCKS = 1000
_INPUTS = ("s_axil_awvalid", "s_axil_wvalid", "s_axil_bready", "s_axil_arvalid", "s_axil_rready", "s_axis_tvalid")


def _handle(dut: Any, path: str) -> Any:
    """A signal by its path, `gen_x[1].u_y.z`."""
    for name in path.replace("[", ".[").split("."):
        dut = dut[int(name[1:-1])] if name.startswith("[") else getattr(dut, name)
    return dut


@dataclass
class Host:
    """A host with its recorder."""

    dut: Any
    job: dict[str, Any]
    samples: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    async def start(cls, dut: Any, scenario: str) -> Host:
        """Record from reset on."""
        host = cls(dut, json.loads(Path(os.environ["HWADDER_JOB"]).read_text()))
        for name in _INPUTS:
            getattr(dut, name).value = 0
        dut.s_axis_tlast.value = 0
        dut.s_axis_tdata.value = 0
        dut.m_axis_tready.value = 1
        dut.rst.value = 1
        Clock(dut.clk, _PERIOD_NS, unit="ns").start()
        await ClockCycles(dut.clk, 4)
        cocotb.start_soon(host._record(host.job["signals"][scenario]))
        await RisingEdge(dut.clk)
        dut.rst.value = 0
        return host

    async def _record(self, paths: Sequence[str]) -> None:
        handles = {path: _handle(self.dut, path) for path in paths}
        self.samples = {path: [] for path in paths}
        while True:
            await FallingEdge(self.dut.clk)
            for path, handle in handles.items():
                self.samples[path].append(str(handle.value))

    def save(self, scenario: str) -> None:
        """Write the samples down."""
        (Path(self.job["folder"]) / f"{scenario}.json").write_text(json.dumps(self.samples))

    async def clocks(self, count: int) -> None:
        """Do nothing."""
        for _ in range(count):
            await RisingEdge(self.dut.clk)

    async def until(self, signal: Any) -> None:
        """Return behind the first rising edge that sees the signal at 1."""
        for _ in range(_LIMIT_CLOCKS):
            await FallingEdge(self.dut.clk)
            seen = bool(signal.value)
            await RisingEdge(self.dut.clk)
            if seen:
                return
        raise AssertionError(f"{signal._name} must be 1 within {_LIMIT_CLOCKS} clocks")

    async def write(self, offset: int, value: int) -> None:
        """Write a register, address and data at once."""
        dut = self.dut
        dut.s_axil_awaddr.value, dut.s_axil_wdata.value, dut.s_axil_wstrb.value = int(offset), int(value), 15
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = dut.s_axil_bready.value = 1
        await self.until(dut.s_axil_awready)
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
        await self.until(dut.s_axil_bvalid)
        dut.s_axil_bready.value = 0

    async def read(self, offset: int) -> int:
        """Read a register."""
        dut = self.dut
        dut.s_axil_araddr.value = int(offset)
        dut.s_axil_arvalid.value = dut.s_axil_rready.value = 1
        await self.until(dut.s_axil_arready)
        dut.s_axil_arvalid.value = 0
        await self.until(dut.s_axil_rvalid)
        word = int(dut.s_axil_rdata.value)
        dut.s_axil_rready.value = 0
        return word

    async def send(self, beats: Sequence[int], pauses: Mapping[int, int] | None = None) -> None:
        """Send a packet; `pauses` are clocks without a beat, by the index of the beat behind them."""
        dut = self.dut
        for index, beat in enumerate(beats):
            dut.s_axis_tvalid.value = 0
            await self.clocks((pauses or {}).get(index, 0))
            dut.s_axis_tdata.value, dut.s_axis_tvalid.value = beat, 1
            dut.s_axis_tlast.value = index == len(beats) - 1
            await self.until(dut.s_axis_tready)
        dut.s_axis_tvalid.value = dut.s_axis_tlast.value = 0


@cocotb.test()
async def images(dut: Any) -> None:
    """Three images, as fast as they are taken, the first with a pause."""
    host = await Host.start(dut, "images")
    await host.send(host.job["image"], pauses={3: 3})
    await host.send(host.job["image"])
    await host.send(host.job["image"])
    await host.clocks(4)
    host.save("images")


@cocotb.test()
async def results(dut: Any) -> None:
    """The results of an image, which the host takes when it likes."""
    host = await Host.start(dut, "results")
    dut.m_axis_tready.value = 0
    await host.send(host.job["image"])
    await host.until(dut.m_axis_tvalid)
    for ready in (0, 0, 1, 0, 0, 1, 1, 0, 0, 1):
        dut.m_axis_tready.value = ready
        await host.clocks(1)
    await host.clocks(60)
    host.save("results")


@cocotb.test()
async def registers(dut: Any) -> None:
    """A read of STATUS and a write of CONTROL while an image runs."""
    host = await Host.start(dut, "registers")
    await host.send(host.job["image"])
    await host.until(dut.busy)
    await host.read(Register.STATUS)
    await host.clocks(2)
    await host.write(Register.CONTROL, 0)
    await host.clocks(4)
    host.save("registers")


@cocotb.test()
async def loading(dut: Any) -> None:
    """One word of weights, sent while an image runs."""
    host = await Host.start(dut, "loading")
    await host.write(Register.INTERRUPT_ENABLE, Event.PACKET_LOADED)
    await host.send(host.job["image"])
    await host.write(Register.LOAD_ADDRESS, host.job["weight_address"])
    await host.until(dut.busy)
    await host.write(Register.LOAD, Memory.WEIGHTS)
    await host.send(host.job["weight_packet"])
    await host.until(dut.irq)
    await host.write(Register.EVENTS, Event.PACKET_LOADED)
    await host.clocks(60)
    host.save("loading")


@cocotb.test()
async def layers(dut: Any) -> None:
    """Two images, one behind the other."""
    host = await Host.start(dut, "layers")
    await host.send(host.job["image"])
    await host.send(host.job["image"])
    await host.until(dut.image_done)
    await host.clocks(60)
    host.save("layers")


@cocotb.test()
async def halt(dut: Any) -> None:
    """A word of the second layer's descriptor is damaged; the next image halts behind the first layer.

    The last scenario: no reset mends a memory.
    """
    host = await Host.start(dut, "halt")
    await host.write(Register.LOAD_ADDRESS, host.job["descriptor_address"])
    await host.write(Register.LOAD, Memory.DESCRIPTORS)
    await host.send(host.job["descriptor_packet"])
    await host.write(Register.EVENTS, Event.PACKET_LOADED)
    await host.write(Register.INTERRUPT_ENABLE, Event.ERROR)
    await host.send(host.job["image"])
    await host.until(dut.irq)
    for register in (Register.STATUS, Register.ERRORS, Register.LAYER):
        await host.read(register)
    await host.write(Register.CONTROL, Control.RESET)
    await host.write(Register.ERRORS, Error.DESCRIPTOR)
    await host.write(Register.EVENTS, Event.ERROR)
    await host.clocks(4)
    host.save("halt")
