"""Pictures of docs/energy.md: the report page as a desktop and a phone show it, light and dark.

    python docs/draw_page.py

Writes docs/images/energy-<device>-<scheme>.png; needs the extra `test` and the system's Chromium.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests")]

from headless_chromium import chromium

from energy import Precision, energy_document
from hwadder.verbs import energy

SIZES = {"desktop": (1200, 1150), "phone": (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
COLOURS = 48
"""Of the picture's palette: the page has few, and the file is a fifth of what it would be."""


def draw(folder: Path) -> None:
    """Write the four pictures."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        page_file = Path(scratch) / "page.html"
        energy_document(energy("resnet20", Precision.INT8)).write(page_file)
        for device, (width, height) in SIZES.items():
            for scheme in SCHEMES:
                page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                page.goto(page_file.as_uri())
                picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                picture.quantize(COLOURS).save(folder / f"energy-{device}-{scheme}.png", optimize=True)
                page.close()


if __name__ == "__main__":
    draw(DOCS / "images")
