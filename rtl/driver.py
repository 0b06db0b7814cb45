"""Driver of a printed accelerator: its register map and a class that uses it. A copy lies beside each design.

Whatever reaches the hardware is given as two or three functions, so the same class works through /dev/mem, a debug
bridge or a simulation:

    accelerator = Accelerator(read=bus.read32, write=bus.write32, send=dma.send)
    accelerator.load_program(Path("packets"))
    accelerator.run()
    dma.send(image_bytes)
    accelerator.wait_for_images(1)
    for layer in accelerator.counters(layers=3): print(layer)
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ID = 0x48574144
"""What register ID reads: "HWAD"."""
VERSION = 0x00010000
"""What register VERSION reads: major and minor number of this map."""
ADDRESS_BITS = 20
"""Bits of a byte address on the AXI4-Lite port."""
PARAMETER_BASE = 0x100
COUNTER_BASE = 1 << (ADDRESS_BITS - 1)
ROW_BYTES = 64
"""Bytes of a layer's counters: eight of 64 bits."""

PARAMETERS = (
    "IN_LANES",
    "OUT_LANES",
    "DRAIN_LANES",
    "CROSSINGS",
    "CODE_BITS",
    "MIN_FORM",
    "DOT_SPLIT",
    "TREE_STAGES",
    "ACC_BITS",
    "DIGITS",
    "CONST_BITS",
    "AFFINE_BITS",
    "OUT_BITS",
    "INPUT_BITS",
    "OUTPUT_BITS",
    "IMAGE_DEPTH",
    "BUFFER_A_DEPTH",
    "BUFFER_B_DEPTH",
    "ACTIVATION_ADDRESS_BITS",
    "WEIGHT_DEPTH",
    "WEIGHT_ADDRESS_BITS",
    "AFFINE_DEPTH",
    "AFFINE_ADDRESS_BITS",
    "DESCRIPTOR_DEPTH",
    "DESCRIPTOR_ADDRESS_BITS",
    "WEIGHT_REGISTER",
    "MEMORY_STYLE",
    "COUNT_BITS",
    "INDEX_BITS",
    "COUNTERS",
    "RUN_AT_RESET",
)
"""Parameters of the design, one word each from PARAMETER_BASE on."""


class Register(enum.IntEnum):
    """Byte offsets of the registers, 32 bits each; (R) read only, (RW) read and write, (RC) write 1 to clear."""

    ID = 0x00, "R", "0x48574144"
    VERSION = 0x04, "R", "major number in the upper, minor in the lower 16 bits"
    SIGNATURE = 0x08, "R", "of the parameters that a program must be made for"
    CONTROL = 0x0C, "RW", "bit 0 run: take images up; bit 1 reset: write 1 to reset all but the registers, reads 0"
    STATUS = (
        0x10,
        "R",
        "bit 0 busy, bit 1 a whole image is in memory, bit 2 a memory packet is due, bit 3 halted",
    )
    ERRORS = (
        0x14,
        "RC",
        "bit 0 TLAST at the wrong beat of an image, bit 1 illegal descriptor, bit 2 packet does not fit",
    )
    EVENTS = 0x18, "RC", "bit 0 an image is done, bit 1 a packet is loaded, bit 2 an error"
    INTERRUPT_ENABLE = 0x1C, "RW", "events that raise irq, a bit each"
    IMAGES = 0x20, "R", "images done since reset"
    LAYER = 0x24, "R", "index of the descriptor that runs; halted, of the one before the illegal one"
    LOAD = 0x28, "RW", "write 1 descriptors, 2 weights, 3 affine: the next packet is for that memory; reads 0"
    LOAD_ADDRESS = 0x2C, "RW", "first word that a packet fills"
    LOADED_WORDS = 0x30, "R", "words that the last packet filled"
    PARAMETER_COUNT = 0x34, "R", "parameters that can be read from 0x100 on"

    access: str
    meaning: str

    def __new__(cls, offset: int, access: str, meaning: str) -> Register:
        """A member is its offset."""
        member = int.__new__(cls, offset)
        member._value_ = offset
        member.access = access
        member.meaning = meaning
        return member


class Control(enum.IntFlag):
    """Bits of CONTROL."""

    RUN = 1
    RESET = 2


class Status(enum.IntFlag):
    """Bits of STATUS."""

    BUSY = 1
    IMAGE_WAITING = 2
    LOADING = 4
    HALTED = 8


class Error(enum.IntFlag):
    """Bits of ERRORS."""

    TLAST = 1
    DESCRIPTOR = 2
    PACKET = 4


class Event(enum.IntFlag):
    """Bits of EVENTS and INTERRUPT_ENABLE."""

    IMAGE_DONE = 1
    PACKET_LOADED = 2
    ERROR = 4


class Memory(enum.IntEnum):
    """Memories that a packet may fill."""

    DESCRIPTORS = 1
    WEIGHTS = 2
    AFFINE = 3

    @property
    def packet_name(self) -> str:
        """File of its packet."""
        return f"{self.name.lower()}.bin"


@dataclass(frozen=True)
class LayerCounts:
    """What one layer of the image before took.

    Attributes:
        clocks: from its beginning to its end.
        activation_reads: words of IN_LANES codes read for windows, one a clock.
        weight_reads: words of OUT_LANES x IN_LANES codes.
        shortcut_reads: words of IN_LANES codes.
        affine_reads: words of DRAIN_LANES records.
        activation_writes: codes.
        busy_lanes: lanes with a tap, summed over the clocks.
        effective_taps: of these, taps with both operands other than 0 (0 where the design does not count them).
    """

    clocks: int
    activation_reads: int
    weight_reads: int
    shortcut_reads: int
    affine_reads: int
    activation_writes: int
    busy_lanes: int
    effective_taps: int

    def __add__(self, other: LayerCounts) -> LayerCounts:
        """The counts of both."""
        return LayerCounts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


COUNTERS = tuple(LayerCounts.__dataclass_fields__)
"""Counters of a row in their order."""


class AcceleratorError(Exception):
    """The hardware is not what was expected, or reports an error."""


class Accelerator:
    """An accelerator behind its registers and its input stream."""

    def __init__(
        self,
        read: Callable[[int], int],
        write: Callable[[int, int], None],
        send: Callable[[bytes], None] | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Check that an accelerator answers.

        Args:
            read: 32 bits from a byte offset.
            write: 32 bits to a byte offset.
            send: bytes as one packet to the input stream; only loading needs it.
            timeout_s: how long anything may be waited for.

        Raises:
            AcceleratorError: when something else answers.
        """
        self._read, self._write, self._send = read, write, send
        self.timeout_s = timeout_s
        found, version = read(Register.ID), read(Register.VERSION)
        if found != ID or version >> 16 != VERSION >> 16:
            raise AcceleratorError(
                f"accelerator must identify as {ID:#010x} version {VERSION >> 16}.x, not as {found:#010x} "
                f"version {version >> 16}.{version & 0xFFFF}"
            )

    @property
    def parameters(self) -> dict[str, int]:
        """The design's parameters."""
        count = self._read(Register.PARAMETER_COUNT)
        return {name: self._read(PARAMETER_BASE + 4 * index) for index, name in enumerate(PARAMETERS[:count])}

    @property
    def signature(self) -> int:
        """What programs for this design must be made for."""
        return self._read(Register.SIGNATURE)

    @property
    def status(self) -> Status:
        """What it does."""
        return Status(self._read(Register.STATUS))

    @property
    def errors(self) -> Error:
        """Errors since they were cleared last."""
        return Error(self._read(Register.ERRORS))

    @property
    def images(self) -> int:
        """Images done since reset."""
        return self._read(Register.IMAGES)

    def run(self) -> None:
        """Take images up as they come."""
        self._write(Register.CONTROL, Control.RUN)

    def stop(self) -> None:
        """Take no further image up; the one that runs goes on to its end."""
        self._write(Register.CONTROL, 0)

    def reset(self) -> None:
        """Drop everything but the memories and the registers, clear the errors, and stop."""
        self._write(Register.CONTROL, Control.RESET)
        self._write(Register.ERRORS, Error.TLAST | Error.DESCRIPTOR | Error.PACKET)
        self._write(Register.EVENTS, Event.IMAGE_DONE | Event.PACKET_LOADED | Event.ERROR)

    def wait_for_images(self, count: int) -> None:
        """Wait until `count` images are done since reset.

        Raises:
            AcceleratorError: when it reports an error, or takes longer than `timeout_s`.
        """
        self._wait(lambda: self.images >= count, f"{count} images")

    def load(self, memory: Memory, packet: bytes, address: int = 0) -> int:
        """Fill a memory from word `address` on, behind the images that were sent before; returns the words filled.

        Raises:
            AcceleratorError: when the packet does not fit, or takes longer than `timeout_s`.
        """
        if self._send is None:
            raise AcceleratorError("loading needs the function `send`, which was not given")
        self._write(Register.LOAD_ADDRESS, address)
        self._write(Register.LOAD, memory)
        self._send(packet)
        self._wait(lambda: not self.status & Status.LOADING, f"packet of the {memory.name.lower()}")
        return self._read(Register.LOADED_WORDS)

    def load_program(self, folder: Path) -> None:
        """Fill all memories from the packets in a folder, behind the images that were sent before.

        Raises:
            AcceleratorError: when the program is made for another design, or a packet does not fit.
        """
        made_for = int((folder / "signature.txt").read_text(), 16)
        if made_for != self.signature:
            raise AcceleratorError(
                f"program must be made for signature {self.signature:#010x}, not {made_for:#010x}: {folder}"
            )
        for memory in Memory:
            self.load(memory, (folder / memory.packet_name).read_bytes())

    def counters(self, layers: int) -> list[LayerCounts]:
        """What the first `layers` layers of the latest image took."""
        return [
            LayerCounts(*(self._counter(layer, index) for index in range(len(COUNTERS))))
            for layer in range(1, layers + 1)
        ]

    def _counter(self, layer: int, index: int) -> int:
        offset = COUNTER_BASE + layer * ROW_BYTES + index * 8
        return self._read(offset) | self._read(offset + 4) << 32

    def _wait(self, done: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + self.timeout_s
        while not done():
            self._raise_errors()
            if time.monotonic() > end:
                raise AcceleratorError(f"{what} must come within {self.timeout_s:g} s: {self.status!r}")
        self._raise_errors()

    def _raise_errors(self) -> None:
        if self.errors:
            raise AcceleratorError(f"accelerator reports {self.errors!r} behind layer {self._read(Register.LAYER)}")
