"""Prints an accelerator: a top module that names its parameters, the memory images, the library, and the network itself.

The generator prints instances, parameters and tables only; everything that computes is hand-written in rtl/library.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from quant import network_file
from quant.files import replacing_folder
from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture
from rtl.checks import Interface, Port, check_design
from rtl.design import INDEX_FILE, MEMORY_FILES, NETWORK_FILE, Design
from rtl.library import library_sources
from rtl.memory_image import code_lines, image, word_lines
from rtl.program import Program, compile_network
from rtl.testbench import write_vectors

_PORTS = (
    ("input", "", "clk", ""),
    ("input", "", "rst", ""),
    ("input", "[{INPUT_BITS}-1:0]", "s_axis_tdata", "AXI4-Stream in: one code a beat; row, column, channel"),
    ("input", "", "s_axis_tvalid", ""),
    ("output", "", "s_axis_tready", ""),
    ("input", "", "s_axis_tlast", ""),
    ("output", "[{OUTPUT_BITS}-1:0]", "m_axis_tdata", "AXI4-Stream out: one signed value a beat, TUSER the argmax so far"),
    ("output", "", "m_axis_tvalid", ""),
    ("input", "", "m_axis_tready", ""),
    ("output", "", "m_axis_tlast", ""),
    ("output", "[{COUNT_BITS}-1:0]", "m_axis_tuser", ""),
    ("output", "", "busy", "status"),
    ("output", "", "image_done", ""),
    ("output", "", "tlast_error", ""),
    ("output", "", "trace_valid", "trace: every value as a layer produces it"),
    ("output", "[{INDEX_BITS}-1:0]", "trace_layer", ""),
    ("output", "signed [{OUT_BITS}-1:0]", "trace_value", ""),
)


def top_name(network: IntegerNetwork) -> str:
    """Verilog name of the top module."""
    safe = re.sub(r"\W", "_", network.name)
    return f"hwadder_{safe}"


def _range(template: str, parameters: dict[str, int]) -> str:
    """A port's type and range as numbers: `signed [{OUT_BITS}-1:0]` becomes `signed [20:0]`."""
    return re.sub(r"\{(\w+)\}-1", lambda match: str(parameters[match[1]] - 1), template)


def print_top(network: IntegerNetwork, program: Program, digest: str) -> str:
    """The top module's text: the same bytes for the same network and architecture."""
    parameters = program.parameters
    name = top_name(network)
    table = [
        f"//   {layer.index:3d}  {layer.node}: {layer.channels} channels from {layer.first_channel}, {layer.height} x {layer.width}"
        for layer in program.layers
    ]
    ports: list[str] = []
    for position, (direction, width, port, comment) in enumerate(_PORTS):
        if comment:
            ports.append(f"    // {comment}")
        shape = _range(width, parameters)
        comma = "," if position < len(_PORTS) - 1 else ""
        ports.append(f"    {direction} wire {shape + ' ' if shape else ''}{port}{comma}")
    settings = [(key, str(value)) for key, value in parameters.items()]
    settings += [(key, f'"{value}"') for key, value in MEMORY_FILES.items()]
    longest = max(len(key) for key, _ in settings)
    port_width = max(len(port) for _, _, port, _ in _PORTS)
    return "\n".join(
        [
            "`default_nettype none",
            f"// {name}: accelerator for the network {network.name}. Printed by hwadder; change the network, not this file.",
            f"// Network SHA-256 {digest}",
            "//",
            "// Memory images are read relative to the simulator's folder. Descriptor 0 loads an image; the others compute:",
            *table,
            f"module {name} (",
            *ports,
            ");",
            "    accelerator #(",
            ",\n".join(f"        .{key:<{longest}} ({value})" for key, value in settings),
            "    ) u_accelerator (",
            ",\n".join(f"        .{port:<{port_width}} ({port})" for _, _, port, _ in _PORTS),
            "    );",
            "endmodule",
            "`default_nettype wire",
            "",
        ]
    )


def promised_interface(parameters: dict[str, int]) -> Interface:
    """What the printed files must show when they are read back."""
    ports = []
    for direction, template, name, _ in _PORTS:
        width = re.search(r"\{(\w+)\}", template)
        ports.append(Port(name, direction, parameters[width[1]] if width else 1, template.startswith("signed")))
    return Interface(
        tuple(ports), ("accelerator u_accelerator",), parameters["IN_LANES"] * parameters["OUT_LANES"]
    )


def _write_memories(folder: Path, program: Program) -> None:
    parameters = program.parameters
    (folder / "memory").mkdir()
    descriptors = (word for descriptor in program.descriptors for word in descriptor.words())
    affine_bits = parameters["CONST_BITS"] + 7 * parameters["DIGITS"]
    for key, lines in (
        ("DESCRIPTOR_FILE", word_lines(descriptors, 32)),
        ("WEIGHT_FILE", code_lines(program.weights, parameters["CODE_BITS"])),
        ("AFFINE_FILE", word_lines(program.affine, affine_bits)),
    ):
        (folder / MEMORY_FILES[key]).write_text(image(lines))


def print_design(network: IntegerNetwork, architecture: Architecture, folder: Path, vectors: int = 0) -> Design:
    """Print the accelerator of a network into a folder, which appears only when it is complete.

    Args:
        network: the integer network.
        architecture: lanes and their form.
        folder: output folder; one that exists is replaced.
        vectors: images of stimulus for the plain Verilog testbench; 0 for none.

    Raises:
        BadInputError: when the network cannot be lowered, or the system refuses to write.
        MismatchError: when what was printed does not read back as promised.
        MissingToolError: without iverilog, pyverilog's preprocessor.
    """
    program = compile_network(network, architecture)
    digest = network_file.digest(network)
    top = top_name(network)
    library = library_sources()
    sources = (f"{top}.v", *(f"library/{source.name}" for source in library))
    design = Design(folder, top, digest, sources, program.parameters, program.layers)
    with replacing_folder(folder) as staged:
        (staged / f"{top}.v").write_text(print_top(network, program, digest))
        (staged / "library").mkdir()
        for source in library:
            shutil.copyfile(source, staged / "library" / source.name)
        _write_memories(staged, program)
        (staged / NETWORK_FILE).write_bytes(network_file.serialise(network))
        (staged / INDEX_FILE).write_text(design.index_text())
        if vectors:
            write_vectors(staged, design, network, vectors)
        # Read back before the folder takes its place: a design that fails the check never appears.
        check_design([staged / source for source in sources], top, promised_interface(program.parameters))
    return design
