"""Bench of register_map: the registers of rtl/driver.py used at random while the accelerator does anything."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import cocotb

from rtl.driver import ID, PARAMETER_BASE, ROW_BYTES, VERSION, Control, Error, Event, Memory, Register, Status
from sim.benches.axi_lite import QUIET, Manager, PortModel, ResponseRules, paces
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {
        "ADDRESS_BITS": 12,
        "INDEX_BITS": 3,
        "COUNTER_BITS": 48,
        "RUN_AT_RESET": 1,
        "SIGNATURE": 0xDEADBEEF,
        "PARAMETERS": 3,
        "PARAMETER_VALUES": 0x89ABCDEF_01234567_F0E1D2C3,
    },
    {
        "ADDRESS_BITS": 10,
        "INDEX_BITS": 3,
        "COUNTER_BITS": 33,
        "RUN_AT_RESET": 0,
        "SIGNATURE": 0x12345678,
        "PARAMETERS": 64,
        "PARAMETER_VALUES": random.Random(1).getrandbits(64 * 32),
    },
    {
        "ADDRESS_BITS": 11,
        "INDEX_BITS": 3,
        "COUNTER_BITS": 64,
        "RUN_AT_RESET": 1,
        "SIGNATURE": 1,
        "PARAMETERS": 1,
        "PARAMETER_VALUES": 0xFEDCBA98,
    },
)
REGISTERS = 0x100
"""Bytes below the parameters."""
LEVELS = ("busy", "image_waiting", "loading", "load_error", "tlast_error", "halted")
COUNTS = ("loaded_words", "layer")
STILL = dict.fromkeys((*LEVELS, *COUNTS, "image_done", "counter_data"), 0)
LOW_WORD = (1 << 32) - 1


class RegisterModel:
    """What each register of the driver holds, by its name, behind the model of the port."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        names = ("ADDRESS_BITS", "INDEX_BITS", "COUNTER_BITS", "RUN_AT_RESET", "PARAMETERS", "SIGNATURE")
        self.address_bits, self.index_bits, self.counter_bits, self.run_at_reset, count, self.signature = (
            parameter(dut, name) for name in names
        )
        values = parameter(dut, "PARAMETER_VALUES")
        self.parameters = [values >> 32 * index & LOW_WORD for index in range(count)]
        self.port = PortModel(read_clocks=2)
        self.rules = ResponseRules(dut)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.port.reset()
        self.run = self.run_at_reset
        self.load_address = 0
        self.errors = Error(0)
        self.events = Event(0)
        self.enable = Event(0)
        self.images = 0
        self.before = dict.fromkeys(LEVELS, 0)  # of the clock before
        self.seen: int | None = None  # what the read under way found, None where nothing is

    @property
    def counter_base(self) -> int:
        """Where the counters begin."""
        return 1 << self.address_bits - 1

    def commanded(self) -> tuple[Register | None, int, int]:
        """Return the register that is written in this clock, the bits that are, and their mask; None for none."""
        if self.port.write is None:
            return None, 0, 0
        address, word = self.port.write
        mask = sum(0xFF << 8 * byte for byte in range(4) if word.strobe >> byte & 1)
        register = next((register for register in Register if register == address // 4 * 4), None)
        return (None, 0, 0) if register is None or register.access == "R" else (register, word.data & mask, mask)

    def load(self, inputs: Mapping[str, int]) -> Memory | None:
        """Return the memory whose loading starts in this clock."""
        register, bits, _ = self.commanded()
        starts = register is Register.LOAD and bits & 3 and not inputs["loading"]
        return Memory(bits & 3) if starts else None

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the bus, the commands and the interrupt; check the rules of the bus besides."""
        self.rules.check(inputs)
        register, bits, _ = self.commanded()
        memory = self.load(inputs)
        row = self.row_read()
        outputs = self.port.bus_outputs() | {
            "irq": int(bool(self.events & self.enable)),
            "run": self.run,
            "reset": int(register is Register.CONTROL and bool(bits & Control.RESET)),
            "load_start": int(memory is not None),
            "load_address": self.load_address,
            "counter_read": int(row is not None),
        }
        if memory is not None:
            outputs["load_memory"] = memory
        if row is not None:
            outputs["counter_row"] = row % (1 << self.index_bits)
        return outputs

    def row_read(self) -> int | None:
        """Return the row of counters that begins to be read in this clock."""
        address = self.port.read
        if address is None or address < self.counter_base:
            return None
        return (address - self.counter_base) // ROW_BYTES

    def value(self, address: int, inputs: Mapping[str, int]) -> int | None:
        """Return what stands at an address in this clock; None where nothing does."""
        if address >= self.counter_base:
            row, byte = divmod(address - self.counter_base, ROW_BYTES)
            counter = inputs["counter_data"] >> byte // 8 * self.counter_bits & ((1 << self.counter_bits) - 1)
            return counter >> byte % 8 // 4 * 32 & LOW_WORD if row < 1 << self.index_bits else None
        if address >= PARAMETER_BASE:
            index = (address - PARAMETER_BASE) // 4
            return self.parameters[index] if index < len(self.parameters) else None
        readers: Mapping[int, Callable[[], int]] = {
            Register.ID: lambda: ID,
            Register.VERSION: lambda: VERSION,
            Register.SIGNATURE: lambda: self.signature,
            Register.CONTROL: lambda: Control.RUN * self.run,
            Register.STATUS: lambda: (
                Status.BUSY * inputs["busy"]
                | Status.IMAGE_WAITING * inputs["image_waiting"]
                | Status.LOADING * inputs["loading"]
                | Status.HALTED * inputs["halted"]
            ),
            Register.ERRORS: lambda: self.errors,
            Register.EVENTS: lambda: self.events,
            Register.INTERRUPT_ENABLE: lambda: self.enable,
            Register.IMAGES: lambda: self.images,
            Register.LAYER: lambda: inputs["layer"],
            Register.LOAD: lambda: 0,
            Register.LOAD_ADDRESS: lambda: self.load_address,
            Register.LOADED_WORDS: lambda: inputs["loaded_words"],
            Register.PARAMETER_COUNT: lambda: len(self.parameters),
        }
        assert set(readers) == set(Register)
        reader = readers.get(address // 4 * 4)
        return None if reader is None else int(reader())

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Look at what is read, then write, then note what happened."""
        if inputs["rst"]:
            self.reset()
            return
        register, bits, mask = self.commanded()
        answer = self.seen
        # The read under way looks in the clock after `read` and answers in the next one.
        if self.port.reads and self.port.reads[0].age == 2:
            self.seen = self.value(self.port.reads[0].address, inputs)
        self.port.clock(inputs, write_known=register is not None, read_data=answer)

        if register is Register.ERRORS:
            self.errors &= ~Error(bits & 7)
        if register is Register.EVENTS:
            self.events &= ~Event(bits & 7)
        if register is Register.INTERRUPT_ENABLE and mask & 1:
            self.enable = Event(bits & 7)
        if register is Register.LOAD_ADDRESS:
            self.load_address = self.load_address & ~mask | bits
        if register is Register.CONTROL and mask & 1:
            self.run = bits & 1
        self.images = (self.images + inputs["image_done"]) % (1 << 32)
        resets = register is Register.CONTROL and bool(bits & Control.RESET)
        if resets:
            self.images = 0

        causes = {Error.TLAST: "tlast_error", Error.DESCRIPTOR: "halted", Error.PACKET: "load_error"}
        for error, level in causes.items():
            if inputs[level] and not self.before[level]:
                self.errors |= error
                self.events |= Event.ERROR
        if inputs["image_done"]:
            self.events |= Event.IMAGE_DONE
        if self.before["loading"] and not inputs["loading"]:
            self.events |= Event.PACKET_LOADED
        self.before = {level: inputs[level] for level in LEVELS}
        if resets:
            self.before["loading"] = 0  # a packet that a reset ends is not loaded


class Surroundings:
    """The rest of the accelerator as noise: levels that last, pulses, numbers that are others in each clock."""

    def __init__(self, rng: random.Random, model: RegisterModel) -> None:
        self.rng = rng
        self.model = model
        self.levels = dict.fromkeys(LEVELS, 0)
        self.change = 0.2

    def inputs(self) -> dict[str, int]:
        """Return what the accelerator shows in this clock."""
        rng, model = self.rng, self.model
        for level in LEVELS:
            self.levels[level] ^= rng.random() < self.change
        return {
            **self.levels,
            "image_done": int(rng.random() < self.change),
            "loaded_words": rng.getrandbits(32),
            "layer": rng.getrandbits(model.index_bits),
            "counter_data": rng.getrandbits(8 * model.counter_bits),
        }


def any_address(rng: random.Random, model: RegisterModel) -> int:
    """Return an address: of a register, of a parameter or just behind the last, of a counter, or any; of any byte."""
    count = len(model.parameters)
    word = rng.choice(
        [
            *3 * [rng.choice(list(Register))],
            max(Register) + rng.choice([4, 8]),
            rng.randrange(0, REGISTERS, 4),
            PARAMETER_BASE + 4 * rng.choice([0, count - 1, rng.randrange(count)]),
            min(PARAMETER_BASE + 4 * rng.choice([count, 63, 64]), model.counter_base - 4),
            model.counter_base + rng.randrange(0, ROW_BYTES << model.index_bits, 4),
            rng.randrange(0, 1 << model.address_bits, 4),
        ]
    )
    # A register's number with one higher bit is no register.
    flipped = rng.randrange(6, model.address_bits)
    return (word ^ (1 << flipped) * (rng.random() < 0.15)) | rng.choice([0, 0, 0, rng.randrange(4)])


def any_word(rng: random.Random) -> tuple[int, int]:
    """Return data and strobe of a write: few bits, all, or noise; whole words, single bytes, or any."""
    data = rng.choice([rng.getrandbits(3), rng.getrandbits(3), 0, LOW_WORD, rng.getrandbits(32)])
    return data, rng.choice([15, 15, 1, 1 << rng.randrange(4), rng.getrandbits(4)])


def traffic(rng: random.Random, manager: Manager, around: Surroundings, count: int) -> Iterator[dict[str, int]]:
    """Yield `count` writes, most of them to registers that can be written, and as many reads of anything."""
    writable = [register for register in Register if register.access != "R"]
    for _ in range(count):
        address = rng.choice([*4 * [rng.choice(writable)], any_address(rng, around.model)])
        manager.send_write(address, *any_word(rng))
        manager.send_read(any_address(rng, around.model))
    around.change = rng.choice([0.5, 0.2, 0.02])
    for inputs in manager.clocks(*paces(rng)):
        yield inputs | around.inputs()


@cocotb.test()
async def anything_at_any_time(dut: Any) -> None:
    """Every register, parameter and counter reads what it must, every write does what it must and nothing else."""
    rng, model = random.Random(1), RegisterModel(dut)
    manager, around = Manager(rng, model.port, model.address_bits), Surroundings(rng, model)

    def stimulus() -> Iterator[dict[str, int]]:
        for _ in range(10):
            # What stands when rst goes is noted as new.
            yield QUIET | STILL | around.inputs() | {"rst": 1}
            yield from rng.randrange(3) * [QUIET | STILL | {"rst": 0}]
            for _ in range(4):
                yield from traffic(rng, manager, around, 15)

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def every_register_in_turn(dut: Any) -> None:
    """Every address of registers and parameters is read behind a write to it, and words of every row of counters."""
    rng, model = random.Random(2), RegisterModel(dut)
    manager, around = Manager(rng, model.port, model.address_bits), Surroundings(rng, model)
    around.change = 0.05

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | STILL | {"rst": 1}
        always = dict.fromkeys(("aw", "w", "ar"), 1.0), dict.fromkeys(("b", "r"), 1.0)
        rows_end = min(model.counter_base + (ROW_BYTES << model.index_bits + 1), 1 << model.address_bits)
        for address in (*range(0, 2 * REGISTERS, 4), *range(model.counter_base, rows_end, 36)):
            manager.send_write(address, rng.getrandbits(32))
            manager.send_read(address)
            for inputs in manager.clocks(*always):
                yield inputs | around.inputs()

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def levels_that_stand_when_rst_goes(dut: Any) -> None:
    """An error that stands behind rst is new, a load that does not is none that ended."""
    rng, model = random.Random(5), RegisterModel(dut)
    manager = Manager(rng, model.port, model.address_bits)

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | STILL | {"rst": 1}
        for high in ((), *((level,) for level in LEVELS), LEVELS):
            levels = STILL | dict.fromkeys(high, 1)
            for at_reset in (STILL, levels):
                yield QUIET | at_reset | {"rst": 1}
                for register in (Register.ERRORS, Register.EVENTS, Register.STATUS):
                    manager.send_read(register)
                for inputs in manager.clocks(*paces(rng)):
                    yield inputs | levels

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def loads_that_end_behind_a_command(dut: Any) -> None:
    """A load that CONTROL.reset ends is no event; one that ends behind another command is."""
    rng, model = random.Random(6), RegisterModel(dut)
    manager = Manager(rng, model.port, model.address_bits)

    def stimulus() -> Iterator[dict[str, int]]:
        for command in (Control.RESET, Control.RUN):
            yield QUIET | STILL | {"rst": 1}
            loading = 1
            manager.send_write(Register.CONTROL, command)
            for _ in range(2):
                for inputs in manager.clocks(*paces(rng)):
                    commanded = model.commanded()[0] is Register.CONTROL
                    yield inputs | STILL | {"loading": loading}
                    loading &= not commanded
                manager.send_read(Register.EVENTS)

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def reset_within_a_transfer(dut: Any) -> None:
    """rst drops what is under way and brings every register back."""
    rng, model = random.Random(3), RegisterModel(dut)
    manager, around = Manager(rng, model.port, model.address_bits), Surroundings(rng, model)

    def stimulus() -> Iterator[dict[str, int]]:
        for clocks in (*range(1, 10), *(rng.randint(1, 40) for _ in range(10))):
            yield QUIET | around.inputs() | {"rst": 1}
            manager.drop()
            yield from (inputs for inputs, _ in zip(traffic(rng, manager, around, 6), range(clocks), strict=False))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def images_count_up_to_32_bits(dut: Any) -> None:
    """The number of images goes on to 2^32 - 1 and from there to 0."""
    rng, model = random.Random(4), RegisterModel(dut)
    manager = Manager(rng, model.port, model.address_bits)

    def stimulus() -> Iterator[dict[str, int]]:
        yield QUIET | STILL | {"rst": 1}
        yield QUIET | STILL | {"rst": 0}
        for count in (LOW_WORD - 2, (1 << 31) - 2):
            dut.images_q.value = model.images = count
            for _ in range(5):
                manager.send_read(Register.IMAGES)
            for inputs in manager.clocks(*paces(rng)):
                yield inputs | STILL | {"image_done": rng.randrange(2)}

    await run_lockstep(dut, model, stimulus())
