"""A design's synthesis, kept beside it for the report page, and known to be of that design and no later one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from hwadder.results import Record, synthesis_json
from quant.errors import BadInputError
from quant.files import replacing_file
from rtl.design import Design, load_design
from rtl.synthesis import Synthesis

SYNTHESIS_FILE = "synthesis.json"


def design_digest(design: Design) -> str:
    """SHA-256 of a design's index and its Verilog."""
    digest = hashlib.sha256(design.index_text().encode())
    for source in design.source_files:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def keep_synthesis(folder: Path, result: Synthesis) -> Path:
    """Write a synthesis into its design's folder, in place of an earlier one; returns the file."""
    design, _ = load_design(folder)
    path = folder / SYNTHESIS_FILE
    with replacing_file(path) as temporary:
        content = {"design_sha256": design_digest(design), **synthesis_json(result)}
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    return path


def kept_synthesis(folder: Path) -> Record | None:
    """The last synthesis of the design in a folder; None without one, or when the design has changed since.

    Raises BadInputError when the file, or the design, is damaged.
    """
    path = folder / SYNTHESIS_FILE
    if not path.is_file():
        return None
    try:
        content: Record = json.loads(path.read_text())
        digest = content["design_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInputError(f"synthesis of a design must be undamaged JSON, not unreadable: {path}") from error
    return content if digest == design_digest(load_design(folder)[0]) else None
