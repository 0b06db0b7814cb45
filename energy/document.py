"""One self-contained HTML page: no external resource, light and dark, printable, readable on a phone.

Its script only adds to what is there: without one the tables stand as they are.
"""

from __future__ import annotations

import base64
import hashlib
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jinja2
import markupsafe

from energy.section import KeyFigure, Section
from energy.technology import Source
from quant.files import replacing_file

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class _Footnote:
    number: int
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What a page shows, from top to bottom; all text is escaped, only a `Picture`'s SVG is taken as it is."""

    title: str
    introduction: str
    key_figures: tuple[KeyFigure, ...]
    sections: tuple[Section, ...]
    conventions: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def marks(self) -> dict[str, str]:
        """The letter of each note on how a number was reached, in the order in which the page first needs it."""
        notes = dict.fromkeys(note for note in self._notes() if note)
        return dict(zip(notes, _letters(), strict=False))

    def _notes(self) -> Iterator[str]:
        yield from (figure.source for figure in self.key_figures)
        for section in self.sections:
            yield from (figure.source for figure in section.key_figures)
            for table in section.tables:
                yield from (table.sources.get(heading, "") for heading in table.headings)

    def html(self) -> str:
        """The page as HTML text."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_TEMPLATES),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["svg"] = markupsafe.Markup
        script = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
        return environment.get_template("page.html").render(
            document=self,
            marks=self.marks,
            footnotes=tuple(_Footnote(number, source) for number, source in enumerate(self.sources, 1)),
            script=markupsafe.Markup(script),
            # A browser runs the one script of this digest, and none that a name or a path might smuggle in.
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        )

    def write(self, path: Path) -> None:
        """Write the page to `path`, whole or not at all."""
        page = self.html()
        with replacing_file(path) as temporary:
            temporary.write_text(page, encoding="utf-8")


def _letters() -> Iterator[str]:
    """a to z, then aa, ab ..."""
    yield from string.ascii_lowercase
    yield from (first + second for first in string.ascii_lowercase for second in string.ascii_lowercase)
