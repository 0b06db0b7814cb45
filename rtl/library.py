"""The Verilog library as files: which modules there are, and in which order one needs the other."""

from __future__ import annotations

from pathlib import Path

LIBRARY_FOLDER = Path(__file__).resolve().parent / "library"

# A module stands after every module that it instantiates.
LIBRARY_MODULES = (
    # Data path.
    "minimum_lane",
    "complement_lane",
    "dot_lane",
    "adder_tree",
    "accumulator",
    "processing_element",
    "lane_array",
    "requantizer",
    "pool_unit",
    # Memories.
    "ram",
    "activation_buffer",
    "weight_buffer",
    "channel_cursor",
    "code_writer",
    # Streams.
    "stream_input",
    "stream_output",
    # Control and top.
    "operand_gate",
    "descriptor_reader",
    "tap_sequencer",
    "drain_sequencer",
    "sequencer",
    "accelerator",
)


def library_sources() -> tuple[Path, ...]:
    """Return the library's Verilog files, one module each, in dependency order."""
    return tuple(module_source(module) for module in LIBRARY_MODULES)


def module_source(module: str) -> Path:
    """Return the file of one library module."""
    return LIBRARY_FOLDER / f"{module}.v"
