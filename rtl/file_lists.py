"""What other tools ask of a design's folder: a file list for compilers, and a core description for FuseSoC."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

FILE_LIST_SUFFIX = ".f"
CORE_SUFFIX = ".core"
_VENDOR, _LIBRARY, _VERSION = "hwadder", "accelerators", 1


def file_list(sources: Iterable[str]) -> str:
    """One Verilog file a line, relative to the design's folder: `iverilog -c` and `verilator -f` read it there."""
    return "".join(f"{source}\n" for source in sources)


def core_description(top: str, description: str, sources: Iterable[str], memories: Mapping[str, str]) -> str:
    """The design as a FuseSoC core (CAPI 2).

    Memory images are copied to where the design reads them, which is relative to the folder the tool runs in.

    Args:
        top: name of the top module, also of the core.
        description: one line.
        sources: Verilog files, relative to the design's folder.
        memories: memory images by parameter, relative to the design's folder.
    """
    files = "".join(f"      - {source}\n" for source in sources)
    images = "".join(f"      - {path}: {{copyto: {path}}}\n" for path in memories.values())
    text = description.replace("\\", "\\\\").replace('"', '\\"')
    return (
        "CAPI=2:\n"
        f"name: {_VENDOR}:{_LIBRARY}:{top}:{_VERSION}\n"
        f'description: "{text}"\n'
        "filesets:\n"
        "  rtl:\n"
        "    files:\n"
        f"{files}"
        "    file_type: verilogSource\n"
        "  memory:\n"
        "    files:\n"
        f"{images}"
        "    file_type: user\n"
        "targets:\n"
        "  default:\n"
        "    filesets: [rtl, memory]\n"
        f"    toplevel: {top}\n"
    )
