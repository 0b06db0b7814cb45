"""Prints an accelerator: a top module that names its parameters, memory images, the library, and the network.

The generator prints instances, parameters and tables only; everything that computes is hand-written in rtl/library.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from quant import network_file
from quant.files import replacing_folder
from quant.integer_network import IntegerNetwork
from rtl import driver
from rtl.affine_words import DIGIT_BITS
from rtl.architecture import Architecture
from rtl.c_header import c_header
from rtl.checks import Interface, Port, check_design
from rtl.cycles import layer_clocks
from rtl.design import DRIVER_FILE, INDEX_FILE, MEMORY_FILES, NETWORK_FILE, Design
from rtl.file_lists import CORE_SUFFIX, FILE_LIST_SUFFIX, core_description, file_list
from rtl.library import library_sources
from rtl.memory_image import code_lines, image, word_lines
from rtl.packets import PACKET_FOLDER, write_packets
from rtl.program import Program, compile_network
from rtl.testbench import write_vectors

_PORTS = (
    ("input", "", "clk", ""),
    ("input", "", "rst", ""),
    ("input", "[{REGISTER_ADDRESS_BITS}-1:0]", "s_axil_awaddr", "AXI4-Lite: registers"),
    ("input", "", "s_axil_awvalid", ""),
    ("output", "", "s_axil_awready", ""),
    ("input", "[{WORD_BITS}-1:0]", "s_axil_wdata", ""),
    ("input", "[{STROBE_BITS}-1:0]", "s_axil_wstrb", ""),
    ("input", "", "s_axil_wvalid", ""),
    ("output", "", "s_axil_wready", ""),
    ("output", "[{RESPONSE_BITS}-1:0]", "s_axil_bresp", ""),
    ("output", "", "s_axil_bvalid", ""),
    ("input", "", "s_axil_bready", ""),
    ("input", "[{REGISTER_ADDRESS_BITS}-1:0]", "s_axil_araddr", ""),
    ("input", "", "s_axil_arvalid", ""),
    ("output", "", "s_axil_arready", ""),
    ("output", "[{WORD_BITS}-1:0]", "s_axil_rdata", ""),
    ("output", "[{RESPONSE_BITS}-1:0]", "s_axil_rresp", ""),
    ("output", "", "s_axil_rvalid", ""),
    ("input", "", "s_axil_rready", ""),
    ("output", "", "irq", ""),
    (
        "input",
        "[{INPUT_BITS}-1:0]",
        "s_axis_tdata",
        "AXI4-Stream in: one code a beat; row, column, channel; or memory contents",
    ),
    ("input", "", "s_axis_tvalid", ""),
    ("output", "", "s_axis_tready", ""),
    ("input", "", "s_axis_tlast", ""),
    (
        "output",
        "[{OUTPUT_BITS}-1:0]",
        "m_axis_tdata",
        "AXI4-Stream out: a signed value a beat, TUSER the argmax so far",
    ),
    ("output", "", "m_axis_tvalid", ""),
    ("input", "", "m_axis_tready", ""),
    ("output", "", "m_axis_tlast", ""),
    ("output", "[{COUNT_BITS}-1:0]", "m_axis_tuser", ""),
    ("output", "", "busy", "status"),
    ("output", "", "image_done", ""),
    ("output", "", "tlast_error", ""),
    ("output", "", "trace_valid", "trace: every value as a layer produces it, some at once, the first lowest"),
    ("output", "[{INDEX_BITS}-1:0]", "trace_layer", ""),
    ("output", "[{TRACE_COUNT_BITS}-1:0]", "trace_count", ""),
    ("output", "[{TRACE_BITS}-1:0]", "trace_values", ""),
)


def top_name(network: IntegerNetwork) -> str:
    """Verilog name of the top module."""
    safe = re.sub(r"\W", "_", network.name, flags=re.ASCII)
    return f"hwadder_{safe}"


def _comment(text: str) -> str:
    """A name as it may stand in a comment of one line, whatever it is made of."""
    return text.encode("unicode_escape").decode("ascii")


def _widths(parameters: dict[str, int]) -> dict[str, int]:
    """Widths that a port may have: parameters, those of the trace, which follow from them, and AXI4-Lite's."""
    drain_lanes = parameters["DRAIN_LANES"]
    return {
        **parameters,
        "REGISTER_ADDRESS_BITS": driver.ADDRESS_BITS,
        "WORD_BITS": 32,
        "STROBE_BITS": 4,
        "RESPONSE_BITS": 2,
        "TRACE_COUNT_BITS": drain_lanes.bit_length(),
        "TRACE_BITS": drain_lanes * parameters["OUT_BITS"],
    }


def _range(template: str, parameters: dict[str, int]) -> str:
    """A port's type and range as numbers: `[{INDEX_BITS}-1:0]` becomes `[4:0]`."""
    return re.sub(r"\{(\w+)\}-1", lambda match: str(_widths(parameters)[match[1]] - 1), template)


def print_top(network: IntegerNetwork, program: Program, digest: str) -> str:
    """The top module's text: the same bytes for the same network and architecture."""
    parameters = program.parameters
    name = top_name(network)
    table = [
        f"//   {layer.index:3d}  {_comment(layer.node)}: channels {layer.first_channel} to "
        f"{layer.first_channel + layer.channels - 1}, {layer.height} x {layer.width}"
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
    settings.append(("SIGNATURE", f"32'h{program.signature:08x}"))
    settings += [(key, f'"{value}"') for key, value in MEMORY_FILES.items()]
    longest = max(len(key) for key, _ in settings)
    port_width = max(len(port) for _, _, port, _ in _PORTS)
    return "\n".join(
        [
            "`default_nettype none",
            f"// {name}: accelerator for the network {_comment(network.name)}.",
            "// Automatically generated by hwadder, do not edit.",
            f"// Network SHA-256 {digest}",
            "//",
            "// Memory images are read relative to the simulator's folder. Descriptor 0 loads images; then:",
            *table,
            f"module {name} (",
            *ports,
            ");",
            "    axi_accelerator #(",
            ",\n".join(f"        .{key:<{longest}} ({value})" for key, value in settings),
            "    ) u_axi_accelerator (",
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
        ports.append(Port(name, direction, _widths(parameters)[width[1]] if width else 1))
    return Interface(
        tuple(ports), ("axi_accelerator u_axi_accelerator",), parameters["IN_LANES"] * parameters["OUT_LANES"]
    )


def _write_memories(folder: Path, program: Program) -> None:
    parameters = program.parameters
    (folder / "memory").mkdir()
    descriptors = (word for descriptor in program.descriptors for word in descriptor.words(program.signature))
    affine_bits = parameters["DRAIN_LANES"] * (parameters["CONST_BITS"] + DIGIT_BITS * parameters["DIGITS"])
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
    clocks = tuple(layer_clocks(descriptor, program.parameters).clocks for descriptor in program.descriptors[1:])
    design = Design(folder, top, digest, sources, program.parameters, program.layers, clocks)
    with replacing_folder(folder) as staged:
        (staged / f"{top}.v").write_text(print_top(network, program, digest))
        (staged / "library").mkdir()
        for source in library:
            shutil.copyfile(source, staged / "library" / source.name)
        _write_memories(staged, program)
        (staged / f"{top}{FILE_LIST_SUFFIX}").write_text(file_list(sources))
        description = f"hwadder accelerator for the network {_comment(network.name)}"
        core = core_description(top, description, sources, MEMORY_FILES)
        (staged / f"{top}{CORE_SUFFIX}").write_text(core)
        (staged / PACKET_FOLDER).mkdir()
        write_packets(staged / PACKET_FOLDER, program)
        shutil.copyfile(Path(driver.__file__), staged / DRIVER_FILE)
        header = c_header(top, program.parameters, program.signature, len(program.layers))
        (staged / f"{top}.h").write_text(header)
        (staged / NETWORK_FILE).write_bytes(network_file.serialise(network))
        (staged / INDEX_FILE).write_text(design.index_text())
        if vectors:
            write_vectors(staged, design, network, vectors)
        # Read back before the folder takes its place: a design that fails the check never appears.
        check_design([staged / source for source in sources], top, promised_interface(program.parameters))
    return design
