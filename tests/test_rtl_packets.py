"""Packets hold what the memory images hold, slice by slice in whole beats; the C header and the driver agree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from networks import quantized, small_lenet

from quant.integer_network import IntegerNetwork
from rtl import driver
from rtl.architecture import Architecture, LaneForm
from rtl.design import Design
from rtl.driver import Accelerator, AcceleratorError, Memory, Register, Status
from rtl.generator import print_design
from rtl.program import compile_network

ARCHITECTURE = Architecture(in_lanes=5, out_lanes=3, drain_lanes=2, lane_form=LaneForm.COMPLEMENT)


@pytest.fixture(scope="module")
def lenet() -> IntegerNetwork:
    return quantized(small_lenet(), 5)


@pytest.fixture(scope="module")
def design(lenet: IntegerNetwork, tmp_path_factory: pytest.TempPathFactory) -> Design:
    return print_design(lenet, ARCHITECTURE, tmp_path_factory.mktemp("packets") / "rtl")


@pytest.mark.parametrize(
    ("memory", "slices"),
    [(Memory.DESCRIPTORS, 1), (Memory.WEIGHTS, 3), (Memory.AFFINE, 2)],
    ids=str,
)
def test_packets_are_the_memory_images(design: Design, memory: Memory, slices: int) -> None:
    size = design.parameters
    width = {
        Memory.DESCRIPTORS: 32,
        Memory.WEIGHTS: size["IN_LANES"] * size["CODE_BITS"],
        Memory.AFFINE: size["CONST_BITS"] + 7 * size["DIGITS"],
    }[memory]
    packet = (design.folder / "packets" / memory.packet_name).read_bytes()
    words = (design.folder / "memory" / f"{memory.name.lower()}.mem").read_text().split()
    beats = -(-width // 8)
    assert len(packet) == len(words) * slices * beats
    found = []
    for word in range(len(words)):
        value = 0
        for part in range(slices):
            first = (word * slices + part) * beats
            value |= int.from_bytes(packet[first : first + beats], "little") << part * width
        found.append(value)
    assert found == [int(word, 16) for word in words]


def test_the_signature_is_that_of_the_design(design: Design, lenet: IntegerNetwork) -> None:
    signature = compile_network(lenet, ARCHITECTURE).signature
    assert int((design.folder / "packets" / "signature.txt").read_text(), 16) == signature
    assert f".SIGNATURE               (32'h{signature:08x})" in design.source_files[0].read_text()


def test_the_header_is_c_and_says_what_the_driver_says(design: Design, tmp_path: Path) -> None:
    header = design.folder / f"{design.top}.h"
    values = dict(re.findall(r"^#define (HWADDER_\w+) (\w+?)u?(?: |$)", header.read_text(), re.MULTILINE))
    for register in Register:
        assert int(values[f"HWADDER_{register.name}"], 16) == register
    for name, value in design.parameters.items():
        assert int(values[f"HWADDER_DESIGN_{name}"]) == value
    assert int(values["HWADDER_DESIGN_LAYERS"]) == len(design.layers)
    assert int(values["HWADDER_STATUS_HALTED"]) == Status.HALTED
    program = tmp_path / "host.c"
    program.write_text(
        f'#include "{header}"\n#include <stdio.h>\n'
        "static uint32_t registers[1 << 18];\n"
        "int main(void) {\n"
        "    hwadder_write(registers, HWADDER_COUNTER_BASE + 2 * 64 + HWADDER_COUNT_BUSY_LANES * 8, 7);\n"
        "    hwadder_write(registers, HWADDER_COUNTER_BASE + 2 * 64 + HWADDER_COUNT_BUSY_LANES * 8 + 4, 3);\n"
        '    printf("%llu", (unsigned long long)hwadder_counter(registers, 2, HWADDER_COUNT_BUSY_LANES));\n'
        "    return 0;\n}\n"
    )
    subprocess.run(["g++", "-Wall", "-Werror", "-x", "c++", program, "-o", tmp_path / "host"], check=True)
    assert int(subprocess.run([tmp_path / "host"], check=True, capture_output=True).stdout) == 3 << 32 | 7


def nowhere(_packet: bytes) -> None:
    """A stream that takes everything."""


class Registers(dict[int, int]):
    """Hardware whose registers never change by themselves."""

    def read(self, offset: int) -> int:
        return self.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self[offset] = value


def test_the_driver_refuses_other_hardware() -> None:
    for version in (0, 0x20000):
        registers = Registers({Register.ID: driver.ID * (version > 0), Register.VERSION: version})
        with pytest.raises(AcceleratorError, match=r"^accelerator must identify as 0x48574144 version 1\.x, not as "):
            Accelerator(registers.read, registers.write)


def test_the_driver_refuses_a_program_for_another_design(design: Design) -> None:
    registers = Registers({Register.ID: driver.ID, Register.VERSION: driver.VERSION, Register.SIGNATURE: 1})
    accelerator = Accelerator(registers.read, registers.write, nowhere)
    with pytest.raises(AcceleratorError, match=r"^program must be made for signature 0x00000001, not 0x"):
        accelerator.load_program(design.folder / "packets")


def test_the_driver_does_not_wait_for_ever() -> None:
    registers = Registers({Register.ID: driver.ID, Register.VERSION: driver.VERSION})
    accelerator = Accelerator(registers.read, registers.write, nowhere, timeout_s=0.01)
    with pytest.raises(AcceleratorError, match=r"^1 images must come within 0\.01 s: <Status: 0>$"):
        accelerator.wait_for_images(1)
    registers[Register.ERRORS] = 2
    registers[Register.LAYER] = 4
    with pytest.raises(AcceleratorError, match=r"^accelerator reports <Error\.DESCRIPTOR: 2> behind layer 4$"):
        accelerator.wait_for_images(1)
    with pytest.raises(AcceleratorError, match=r"^loading needs the function `send`"):
        Accelerator(Registers({0: driver.ID, 4: driver.VERSION}).read, registers.write).load(Memory.AFFINE, b"")
