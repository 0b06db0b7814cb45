"""The generator's output folder and its index, `design.json`: what others need to know about a printed design."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from quant import network_file
from quant.errors import BadInputError
from quant.files import require_file
from quant.integer_network import IntegerNetwork
from rtl.program import TracedLayer

INDEX_FILE = "design.json"
NETWORK_FILE = "network.hwn"
DRIVER_FILE = "driver.py"
MEMORY_FILES = {
    "DESCRIPTOR_FILE": "memory/descriptors.mem",
    "WEIGHT_FILE": "memory/weights.mem",
    "AFFINE_FILE": "memory/affine.mem",
}
FORMAT = "hwadder design"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Design:
    """A printed accelerator.

    Attributes:
        folder: where it lies; every path below is relative to it.
        top: name of the top module.
        digest: SHA-256 of the network it was printed from.
        sources: Verilog files, the top first.
        parameters: integer parameters of the accelerator.
        layers: what each descriptor's trace shows.
        clocks: predicted for each of them, to the beginning of the next (`rtl.cycles`).
    """

    folder: Path
    top: str
    digest: str
    sources: tuple[str, ...]
    parameters: dict[str, int]
    layers: tuple[TracedLayer, ...]
    clocks: tuple[int, ...]

    @property
    def clocks_per_image(self) -> int:
        """Predicted clocks from image to image while the next one is always there."""
        return sum(self.clocks)

    @property
    def source_files(self) -> tuple[Path, ...]:
        """The Verilog files."""
        return tuple(self.folder / source for source in self.sources)

    def index_text(self) -> str:
        """The text of `design.json`."""
        index = {
            "format": FORMAT,
            "version": VERSION,
            "top": self.top,
            "network": NETWORK_FILE,
            "network_sha256": self.digest,
            "sources": list(self.sources),
            "parameters": self.parameters,
            "layers": [asdict(layer) for layer in self.layers],
            "clocks": list(self.clocks),
        }
        return json.dumps(index, indent=1) + "\n"


def load_design(folder: Path) -> tuple[Design, IntegerNetwork]:
    """Read a printed design and its network back.

    Raises:
        BadInputError: when the folder is no design, or its network file is not the one the design was printed from.
    """
    if not folder.is_dir():
        raise BadInputError(f"design folder must be an existing folder, not missing: {folder}")
    require_file(folder / INDEX_FILE, "design index")
    try:
        text = (folder / INDEX_FILE).read_text()
        index = json.loads(text)
        if index["format"] != FORMAT or index["version"] != VERSION:
            raise BadInputError(
                f"design index must be of format {FORMAT!r} version {VERSION}, "
                f"not {index['format']!r} version {index['version']!r}: {folder / INDEX_FILE}"
            )
        design = Design(
            folder,
            str(index["top"]),
            str(index["network_sha256"]),
            tuple(map(str, index["sources"])),
            {str(name): int(value) for name, value in index["parameters"].items()},
            tuple(TracedLayer(**layer) for layer in index["layers"]),
            tuple(map(int, index["clocks"])),
        )
        if design.index_text() != text:
            raise ValueError("not as it was printed")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInputError):
            raise
        raise BadInputError(
            f"design index must be undamaged, not unreadable ({error!r}): {folder / INDEX_FILE}"
        ) from error
    network = network_file.load(folder / NETWORK_FILE)
    if network_file.digest(network) != design.digest:
        raise BadInputError(f"network of design {folder} must be the one it was printed from, not a changed file")
    for name in (*MEMORY_FILES.values(), *design.sources):
        require_file(folder / name, "design file")
    return design, network
