"""A program as packets of the input stream, in which a design's memories are loaded at run time (memory_loader.v)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtl.affine_words import DIGIT_BITS
from rtl.driver import Memory
from rtl.program import Program

PACKET_FOLDER = "packets"
SIGNATURE_FILE = "signature.txt"


def _padded(slices: NDArray[np.uint8], beat_bytes: int) -> bytes:
    """Slices as rows of bytes, the lowest first, each filled up to whole beats."""
    missing = -slices.shape[1] % beat_bytes
    return np.pad(slices, ((0, 0), (0, missing))).tobytes()


def packets(program: Program) -> dict[Memory, bytes]:
    """The packet of each memory: words in order, a word's slices in order, each in whole beats, lowest byte first."""
    size = program.parameters
    beat_bytes = size["INPUT_BITS"] // 8
    descriptors = [word for descriptor in program.descriptors for word in descriptor.words(program.signature)]
    codes = program.weights.reshape(-1, size["IN_LANES"], 1)
    weight_bits = np.unpackbits(codes, axis=2, bitorder="little")[:, :, : size["CODE_BITS"]].reshape(len(codes), -1)
    record_bits = size["CONST_BITS"] + DIGIT_BITS * size["DIGITS"]
    record_bytes = -(-record_bits // 8)
    records = b"".join(
        (word >> record * record_bits & 2**record_bits - 1).to_bytes(record_bytes, "little")
        for word in program.affine
        for record in range(size["DRAIN_LANES"])
    )
    return {
        Memory.DESCRIPTORS: _padded(np.array(descriptors, "<u4").view(np.uint8).reshape(-1, 4), beat_bytes),
        Memory.WEIGHTS: _padded(np.packbits(weight_bits, axis=1, bitorder="little"), beat_bytes),
        Memory.AFFINE: _padded(np.frombuffer(records, np.uint8).reshape(-1, record_bytes), beat_bytes),
    }


def write_packets(folder: Path, program: Program) -> None:
    """Write the packets of a program, and the signature of the design that it is made for, into a folder."""
    for memory, packet in packets(program).items():
        (folder / memory.packet_name).write_bytes(packet)
    (folder / SIGNATURE_FILE).write_text(f"{program.signature:08x}\n")
