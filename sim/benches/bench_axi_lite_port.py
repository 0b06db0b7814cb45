"""Bench of axi_lite_port: writes and reads at once, every channel at its own pace, a dictionary behind it."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.axi_lite import QUIET, Manager, PortModel, ResponseRules, paces
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"ADDRESS_BITS": 7, "READ_CLOCKS": 2},
    {"ADDRESS_BITS": 3, "READ_CLOCKS": 1},
    {"ADDRESS_BITS": 4, "READ_CLOCKS": 3},
)
WORD_INPUTS = {"write_known": 0, "read_data": 0, "read_known": 0}


class BusModel:
    """The port, seen from both sides."""

    def __init__(self, dut: Any) -> None:
        self.port = PortModel(parameter(dut, "READ_CLOCKS"))
        self.rules = ResponseRules(dut)

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the channels and the words; check the rules besides."""
        self.rules.check(inputs)
        port = self.port
        outputs = port.bus_outputs() | {"write": int(port.write is not None), "read": int(port.read is not None)}
        if port.write is not None:
            address, word = port.write
            outputs |= {"write_address": address, "write_data": word.data, "write_bytes": word.strobe}
        if port.reads:
            outputs["read_address"] = port.reads[0].address
        return outputs

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Step the port; known and data are looked at in the clocks that the port says, and only there."""
        data = inputs["read_data"] if inputs["read_known"] else None
        self.port.clock(inputs, write_known=bool(inputs["write_known"]), read_data=data)


def word_noise(rng: random.Random) -> dict[str, int]:
    """Return what the words' side shows in a clock: other data each, so that a clock too early or late is seen."""
    return {"write_known": rng.randrange(2), "read_data": rng.getrandbits(32), "read_known": rng.randrange(2)}


def traffic(rng: random.Random, manager: Manager, count: int) -> Iterator[dict[str, int]]:
    """Yield `count` writes and as many reads to random addresses, at one pace of each channel."""
    for _ in range(count):
        manager.send_write(rng.getrandbits(manager.address_bits), rng.getrandbits(32), rng.getrandbits(4))
        manager.send_read(rng.getrandbits(manager.address_bits))
    for inputs in manager.clocks(*paces(rng)):
        yield inputs | word_noise(rng)


@cocotb.test()
async def writes_and_reads_at_once(dut: Any) -> None:
    """Each write is done once with its own data, each read answered with what stood READ_CLOCKS later."""
    rng, model = random.Random(1), BusModel(dut)
    manager = Manager(rng, model.port, parameter(dut, "ADDRESS_BITS"))

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | WORD_INPUTS | {"rst": 1}
        for _ in range(25):
            yield from traffic(rng, manager, 10)
            yield from rng.choice([0, 1, 4]) * [QUIET | WORD_INPUTS | {"rst": 0}]

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def a_memory_behind_the_port(dut: Any) -> None:
    """A dictionary written through the port, strobe by strobe, is what the port reads; half of it does not exist."""
    rng, model = random.Random(2), BusModel(dut)
    bits = parameter(dut, "ADDRESS_BITS")
    manager = Manager(rng, model.port, bits)
    addresses = [rng.getrandbits(bits) for _ in range(12)]
    memory = {address: rng.getrandbits(32) for address in addresses[::2]}

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | WORD_INPUTS | {"rst": 1}
        for _ in range(60):
            manager.send_write(rng.choice(addresses), rng.getrandbits(32), rng.getrandbits(4))
            manager.send_read(rng.choice(addresses))
        for inputs in manager.clocks(*paces(rng)):
            words = word_noise(rng)
            if model.port.write is not None:
                address, word = model.port.write
                words["write_known"] = int(address in memory)
                kept = sum(255 << 8 * index for index in range(4) if not word.strobe >> index & 1)
                if address in memory:
                    memory[address] = memory[address] & kept | word.data & ~kept
            if model.port.asks_for_data:
                address = model.port.reads[0].address
                words |= {"read_known": int(address in memory), "read_data": memory.get(address, rng.getrandbits(32))}
            yield inputs | words

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def reset_within_a_transfer(dut: Any) -> None:
    """rst drops what is under way, whatever it is."""
    rng, model = random.Random(3), BusModel(dut)
    manager = Manager(rng, model.port, parameter(dut, "ADDRESS_BITS"))

    def stimulus() -> Iterator[dict[str, int]]:
        for clocks in (*range(1, 12), *(rng.randint(1, 30) for _ in range(20))):
            valid = {f"s_axil_{channel}valid": rng.randrange(2) for channel in ("aw", "w", "ar")}
            yield QUIET | WORD_INPUTS | valid | {"rst": 1}
            manager.drop()
            yield from rng.randrange(3) * [QUIET | WORD_INPUTS | {"rst": 0}]
            yield from (inputs for inputs, _ in zip(traffic(rng, manager, 8), range(clocks), strict=False))

    await run_lockstep(dut, model, stimulus())
