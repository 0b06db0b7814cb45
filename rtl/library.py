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
    "split_tree",
    "tree_pipeline",
    "accumulator",
    "processing_element",
    "lane_array",
    "requantizer",
    "pool_unit",
    "drain_register",
    # Memories, and the way of codes to and from their banks.
    "ram",
    "activation_buffer",
    "weight_buffer",
    "code_rotator",
    "bank_rows",
    "bank_scatter",
    "place_adder",
    "place_cursor",
    "code_writer",
    # Streams.
    "stream_input",
    "stream_output",
    "image_loader",
    # Control and top.
    "operand_gate",
    "descriptor_reader",
    "descriptor_check",
    "window_walker",
    "drain_sequencer",
    "sequencer",
    "memory_loader",
    # Counters.
    "lane_counter",
    "layer_counters",
    # Top, and its registers.
    "accelerator",
    "axi_lite_port",
    "register_map",
    "axi_accelerator",
)


def library_sources() -> tuple[Path, ...]:
    """Return the library's Verilog files, one module each, in dependency order."""
    return tuple(module_source(module) for module in LIBRARY_MODULES)


def module_source(module: str) -> Path:
    """Return the file of one library module."""
    return LIBRARY_FOLDER / f"{module}.v"
