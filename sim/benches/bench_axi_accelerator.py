"""The whole accelerator as a system sees it: registers, streams with pauses, memories loaded at run time, errors.

Driver: cocotbext-axi's AXI4-Lite manager and AXI4-Stream source and sink; the registers are reached through the class
that is printed beside each design (rtl/driver.py). Model: quant's golden model, and the counters that rtl/counters.py
predicts.

The run is described by the JSON file that HWADDER_JOB names: `design` (folder), `codes` (.npy of shape (N, C, H, W), at
least three images), `other` (file of a second network that fits the design and takes the same images).
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, Timer, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from quant import network_file
from quant.golden import trace
from quant.integer_network import IntArray, IntegerNetwork
from rtl import driver
from rtl.counters import predict_counters
from rtl.descriptor import DESCRIPTOR_WORDS
from rtl.design import Design, load_design
from rtl.driver import Accelerator, AcceleratorError, Control, Error, Event, Memory, Register, Status
from rtl.expected import stream_order
from rtl.fitting import program_for
from rtl.packets import packets
from rtl.placement import output_node
from rtl.program import Program

_PERIOD_NS = 10
_LIMIT_NS = 1_000_000
OKAY, SLVERR = 0, 2
Result = TypeVar("Result")


def in_simulation(function: Callable[..., Coroutine[Any, Any, Result]]) -> Callable[..., Result]:
    """A coroutine of the simulation as a function for code that knows no coroutines."""
    resumed: Callable[..., Result] = cocotb.task.resume(function)
    return resumed


@dataclass
class Bench:
    """One design under test, with everything that is connected to it."""

    dut: Any
    design: Design
    network: IntegerNetwork
    other: IntegerNetwork
    codes: IntArray
    bus: Any
    source: Any
    sink: Any

    @classmethod
    async def start(cls, dut: Any) -> Bench:
        """Read the job, connect, reset."""
        job = json.loads(Path(os.environ["HWADDER_JOB"]).read_text())
        design, network = load_design(Path(job["design"]))
        other = network_file.load(Path(job["other"]))
        codes = np.load(job["codes"], allow_pickle=False).astype(np.int64)
        dut.rst.value = 1
        Clock(dut.clk, _PERIOD_NS, unit="ns").start()
        bench = cls(
            dut,
            design,
            network,
            other,
            codes,
            AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk, dut.rst),
            AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.clk, dut.rst),
            # A beat is one value here, not some bytes.
            AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.clk, dut.rst, byte_lanes=1),
        )
        await ClockCycles(dut.clk, 4)
        dut.rst.value = 0
        await ClockCycles(dut.clk, 2)
        return bench

    async def read(self, offset: int) -> int:
        """A register's word, which must exist."""
        answer = await self.bus.read(offset, 4)
        assert int(answer.resp) == OKAY, f"register {offset:#x} must exist"
        return int.from_bytes(answer.data, "little")

    async def write(self, offset: int, value: int) -> None:
        """Write a register, which must exist."""
        answer = await self.bus.write(offset, int(value).to_bytes(4, "little"))
        assert int(answer.resp) == OKAY, f"register {offset:#x} must be writable"

    async def send(self, beats: bytes) -> None:
        """Send a packet and wait until it has been taken."""
        await self.source.send(AxiStreamFrame(list(beats)))
        await with_timeout(self.source.wait(), _LIMIT_NS, "ns")

    async def send_image(self, index: int) -> None:
        """Put an image into the source's queue."""
        await self.source.send(AxiStreamFrame(stream_order(self.codes[index]).tolist()))

    def accelerator(self) -> Accelerator:
        """The driver's class on this simulation."""
        return Accelerator(in_simulation(self.read), in_simulation(self.write), in_simulation(self.send))

    def expected(self, network: IntegerNetwork, index: int) -> tuple[list[int], int]:
        """Values of the output stream for an image, and the index of the largest."""
        values = stream_order(trace(network, self.codes[index : index + 1])[output_node(network)][0])
        return values.tolist(), int(values.argmax())

    async def receive(self, network: IntegerNetwork, index: int) -> None:
        """Take an image's results from the sink and compare them."""
        frame = await with_timeout(self.sink.recv(), _LIMIT_NS, "ns")
        bits = self.design.parameters["OUTPUT_BITS"]
        actual = [value - (value >> bits - 1 << bits) for value in frame.tdata]
        argmax = frame.tuser[-1] if isinstance(frame.tuser, list) else frame.tuser
        assert (actual, argmax) == self.expected(network, index), f"image {index} differs"

    def quiet(self) -> None:
        """Nothing more may have come."""
        assert self.sink.empty(), "no results may come beyond those that were expected"

    def pauses(self, percent: int) -> None:
        """Let both streams pause in that share of the clocks, at random."""
        for seed, stream in enumerate((self.source, self.sink)):
            stream.clear_pause_generator()
            stream.set_pause_generator(self._pauses(seed, percent))

    @staticmethod
    def _pauses(seed: int, percent: int) -> Iterator[bool]:
        rng = random.Random(seed)
        while True:
            yield rng.randrange(100) < percent


@cocotb.test()
async def images_back_to_back_with_pauses(dut: Any) -> None:
    """Images follow each other without a gap of the host's, whatever the streams do."""
    bench = await Bench.start(dut)
    for percent in (0, 30, 80):
        bench.pauses(percent)
        for index in range(len(bench.codes)):
            await bench.send_image(index)
        for index in range(len(bench.codes)):
            await bench.receive(bench.network, index)
    bench.quiet()
    assert await bench.read(Register.IMAGES) == 3 * len(bench.codes)
    assert await bench.read(Register.ERRORS) == 0


@cocotb.test()
async def counters_equal_the_prediction(dut: Any) -> None:
    """Every counter of every layer, of each image, through the registers."""
    bench = await Bench.start(dut)
    program = program_for(bench.network, bench.design.parameters)
    tensors = trace(bench.network, bench.codes)
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    for index in range(len(bench.codes)):
        await bench.send_image(index)
        await bench.receive(bench.network, index)
        await ClockCycles(dut.clk, 4)
        counted = await cocotb.task.bridge(accelerator.counters)(len(program.layers))
        predicted = predict_counters(program, bench.network, tensors, index)
        for layer, actual, expected in zip(program.layers, counted, predicted, strict=True):
            assert actual == expected, f"layer {layer.index} ({layer.node}): counted {actual}, predicted {expected}"


@cocotb.test()
async def registers_read_back(dut: Any) -> None:
    """Parameters, signature, bytes of a write, and addresses that do not exist."""
    bench = await Bench.start(dut)
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    parameters = await cocotb.task.bridge(lambda: accelerator.parameters)()
    assert parameters == bench.design.parameters
    assert await bench.read(Register.PARAMETER_COUNT) == len(driver.PARAMETERS)
    program = program_for(bench.network, bench.design.parameters)
    assert await bench.read(Register.SIGNATURE) == program.signature
    await bench.write(Register.LOAD_ADDRESS, 0x11223344)
    await bench.bus.write(Register.LOAD_ADDRESS + 1, b"\xaa\xbb")
    assert await bench.read(Register.LOAD_ADDRESS) == 0x11BBAA44
    last_row = driver.COUNTER_BASE + (driver.ROW_BYTES << parameters["INDEX_BITS"])
    for nowhere in (0x38, 0xFC, driver.PARAMETER_BASE + 4 * len(driver.PARAMETERS), 0x7FFFC, last_row, 0xFFFFC):
        answer = await bench.bus.read(nowhere, 4)
        assert (int(answer.resp), answer.data) == (SLVERR, bytes(4)), f"address {nowhere:#x} must not exist"
    for register in (*(each for each in Register if each.access == "R"), 0x38, driver.COUNTER_BASE):
        answer = await bench.bus.write(register, bytes(4))
        assert int(answer.resp) == SLVERR, f"register {register:#x} must not be writable"


@cocotb.test()
async def run_stop_and_interrupts(dut: Any) -> None:
    """Stopped, images wait; each enabled event raises the interrupt until it is cleared."""
    bench = await Bench.start(dut)
    await bench.write(Register.CONTROL, 0)
    await bench.write(Register.INTERRUPT_ENABLE, Event.IMAGE_DONE)
    await bench.send_image(0)
    await ClockCycles(dut.clk, 2000)
    assert await bench.read(Register.STATUS) == Status.IMAGE_WAITING
    assert not dut.irq.value
    await bench.write(Register.CONTROL, Control.RUN)
    await bench.receive(bench.network, 0)
    await ClockCycles(dut.clk, 4)
    assert dut.irq.value
    assert await bench.read(Register.EVENTS) == Event.IMAGE_DONE
    await bench.write(Register.EVENTS, Event.PACKET_LOADED | Event.ERROR)
    assert dut.irq.value
    await bench.write(Register.EVENTS, Event.IMAGE_DONE)
    await ClockCycles(dut.clk, 2)
    assert not dut.irq.value
    assert await bench.read(Register.STATUS) == 0
    assert await bench.read(Register.IMAGES) == 1


@cocotb.test()
async def reset_in_the_middle_of_an_image(dut: Any) -> None:
    """At any clock of loading or running, CONTROL.reset drops the images; the next ones are right."""
    bench = await Bench.start(dut)
    rng = random.Random(5)
    whole = bench.design.clocks_per_image
    for _ in range(6):
        await bench.send_image(0)
        await bench.send_image(1)
        await ClockCycles(dut.clk, rng.randrange(1, 2 * whole))
        bench.source.pause = True
        await ClockCycles(dut.clk, 2)
        bench.source.clear()
        # The source keeps the frame that it has begun; a hardware reset lets it forget.
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        bench.source.pause = False
        bench.sink.clear()
        await ClockCycles(dut.clk, 2)
        await bench.send_image(2)
        await bench.receive(bench.network, 2)
    await bench.send_image(0)
    await with_timeout(bench.source.wait(), _LIMIT_NS, "ns")
    while not await bench.read(Register.STATUS) & Status.BUSY:
        pass
    await bench.write(Register.CONTROL, Control.RESET | Control.RUN)
    assert await bench.read(Register.STATUS) == 0
    assert await bench.read(Register.CONTROL) == Control.RUN
    await ClockCycles(dut.clk, 2 * whole)
    bench.quiet()
    await bench.send_image(1)
    await bench.receive(bench.network, 1)


@cocotb.test()
async def reset_while_a_packet_loads(dut: Any) -> None:
    """CONTROL.reset ends the loading, and the events say nothing of a packet that is loaded."""
    bench = await Bench.start(dut)
    packet = packets(program_for(bench.network, bench.design.parameters))[Memory.AFFINE]
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    await bench.write(Register.LOAD, Memory.AFFINE)
    assert await bench.read(Register.STATUS) == Status.LOADING
    await bench.write(Register.CONTROL, Control.RESET | Control.RUN)
    assert await bench.read(Register.STATUS) == 0
    assert await bench.read(Register.EVENTS) == 0
    await cocotb.task.bridge(accelerator.load)(Memory.AFFINE, packet)
    await bench.send_image(0)
    await bench.receive(bench.network, 0)


@cocotb.test()
async def networks_change_between_images(dut: Any) -> None:
    """Images before the packets run on the old program, those after them on the new one."""
    bench = await Bench.start(dut)
    programs = [program_for(network, bench.design.parameters) for network in (bench.network, bench.other)]
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    for percent in (0, 40):
        bench.pauses(percent)
        for network, program in zip((bench.other, bench.network), reversed(programs), strict=True):
            for index in (0, 1):
                await bench.send_image(index)
            await with_timeout(bench.source.wait(), _LIMIT_NS, "ns")
            for memory, packet in packets(program).items():
                filled = await cocotb.task.bridge(accelerator.load)(memory, packet)
                assert (
                    filled
                    == {
                        Memory.DESCRIPTORS: len(program.descriptors) * DESCRIPTOR_WORDS,
                        Memory.WEIGHTS: len(program.weights),
                        Memory.AFFINE: len(program.affine),
                    }[memory]
                )
            await bench.send_image(2)
            before = bench.network if network is bench.other else bench.other
            await bench.receive(before, 0)
            await bench.receive(before, 1)
            await bench.receive(network, 2)
    # A part of a memory alone.
    word = len(programs[0].weights) // 2
    parts = [packets(program)[Memory.WEIGHTS] for program in programs]
    beats = len(parts[0]) // len(programs[0].weights)
    await cocotb.task.bridge(accelerator.load)(Memory.WEIGHTS, parts[1][word * beats : (word + 1) * beats], word)
    await cocotb.task.bridge(accelerator.load)(Memory.WEIGHTS, parts[0][word * beats : (word + 1) * beats], word)
    await bench.send_image(1)
    await bench.receive(bench.network, 1)


def _changed(program: Program, index: int, **values: int) -> bytes:
    """Descriptors of a program with fields of one changed, its sum still right."""
    words = [word for descriptor in program.descriptors for word in descriptor.words(program.signature)]
    names = list(program.descriptors[0].__dataclass_fields__)
    for name, value in values.items():
        position = index * DESCRIPTOR_WORDS + names.index(name)
        words[index * DESCRIPTOR_WORDS + len(names)] += words[position] - value
        words[position] = value
    return b"".join((word & 0xFFFFFFFF).to_bytes(4, "little") for word in words)


@cocotb.test()
async def illegal_descriptors_halt(dut: Any) -> None:
    """Whatever is wrong with a descriptor, the status says so and names the place, and a reset helps."""
    bench = await Bench.start(dut)
    program = program_for(bench.network, bench.design.parameters)
    good = packets(program)[Memory.DESCRIPTORS]
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    damaged = bytearray(good)
    damaged[DESCRIPTOR_WORDS * 4 * 2 + 5] ^= 16
    last = len(program.layers)
    endless = int(program.descriptors[last].flags) & ~64
    cases = [
        (bytes(len(good)), 0),
        (_changed(program, 0, load_length=0), 0),
        (_changed(program, 1, out_height=0), 0),
        (bytes(damaged), 1),
        (_changed(program, last, out_channels=0), last - 1),
        (_changed(program, 2, target_planes=9), 1),
        (_changed(program, 2, buffers=1), 1),
        (_changed(program, last, flags=endless), last),
    ]
    for packet, behind in cases:
        await cocotb.task.bridge(accelerator.load)(Memory.DESCRIPTORS, packet)
        done = await bench.read(Register.IMAGES)
        await bench.send_image(0)
        try:
            await cocotb.task.bridge(accelerator.wait_for_images)(done + 1)
        except AcceleratorError as error:
            assert "DESCRIPTOR" in str(error)  # noqa: PT017 -- the bench's tests are cocotb's
        else:
            raise AssertionError("an illegal descriptor must be reported")
        assert await bench.read(Register.STATUS) & Status.HALTED
        assert await bench.read(Register.LAYER) == behind
        assert await bench.read(Register.EVENTS) & Event.ERROR
        bench.source.pause = True
        bench.source.clear()
        dut.rst.value = 1
        await ClockCycles(dut.clk, 2)
        dut.rst.value = 0
        bench.source.pause = False
        bench.sink.clear()
        await ClockCycles(dut.clk, 2)
        await bench.write(Register.CONTROL, 0)
        await bench.write(Register.CONTROL, Control.RESET)
        await cocotb.task.bridge(accelerator.load)(Memory.DESCRIPTORS, good)
        await bench.write(Register.CONTROL, Control.RUN)
        await bench.send_image(1)
        await bench.receive(bench.network, 1)


@cocotb.test()
async def packets_that_do_not_fit(dut: Any) -> None:
    """A packet that is too long or ends inside a word sets the error; what exists is filled."""
    bench = await Bench.start(dut)
    program = program_for(bench.network, bench.design.parameters)
    good = packets(program)
    accelerator = await cocotb.task.bridge(bench.accelerator)()
    depth = bench.design.parameters["WEIGHT_DEPTH"]
    for memory, packet, address, filled in (
        (Memory.WEIGHTS, good[Memory.WEIGHTS][:-1], 0, len(program.weights) - 1),
        (Memory.WEIGHTS, good[Memory.WEIGHTS], 1, depth - 1),
        (Memory.DESCRIPTORS, good[Memory.DESCRIPTORS] + bytes(4), 0, bench.design.parameters["DESCRIPTOR_DEPTH"]),
    ):
        try:
            await cocotb.task.bridge(accelerator.load)(memory, packet, address)
        except AcceleratorError as error:
            assert "PACKET" in str(error)  # noqa: PT017 -- as above
        else:
            raise AssertionError("a packet that does not fit must be reported")
        assert await bench.read(Register.LOADED_WORDS) == filled
        await bench.write(Register.ERRORS, Error.PACKET)
        assert await bench.read(Register.ERRORS) == 0
    for memory, packet in good.items():
        await cocotb.task.bridge(accelerator.load)(memory, packet)
    await bench.send_image(2)
    await bench.receive(bench.network, 2)
    # An image whose TLAST comes early is counted to its end, and noted.
    frame = stream_order(bench.codes[0]).tolist()
    await bench.source.send(AxiStreamFrame(frame[:5]))
    await bench.source.send(AxiStreamFrame(frame[5:]))
    await bench.receive(bench.network, 0)
    assert await bench.read(Register.ERRORS) == Error.TLAST
    await Timer(1, unit="ns")
