"""Published operation counts beside the counted ones, each difference with its explanation."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from energy.technology import TABLES, Source


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure as a paper prints it, and the count; `explanation` is empty where the count prints the same."""

    model: str
    network: str
    quantity: str
    published: int
    printed: str
    counted: int
    explanation: str
    source: Source

    @property
    def equal(self) -> bool:
        """Whether the count, rounded as the paper rounds, is what the paper prints."""
        return round_like(self.counted, self.printed) == self.printed

    def to_json(self) -> dict[str, object]:
        """JSON-ready object."""
        return {
            "network": self.network,
            "quantity": self.quantity,
            "published": self.published,
            "printed": self.printed,
            "counted": self.counted,
            "equal": self.equal,
            "explanation": self.explanation,
            "source": self.source.citation,
        }


SUFFIXES = {"K": 1_000, "M": 1_000_000, "G": 1_000_000_000}


def round_like(count: int, printed: str) -> str:
    """`count` in the unit and decimals of `printed`, half up: 69124736 like 69.12M is 69.12M."""
    number, suffix = printed[:-1], printed[-1]
    decimals = len(number.partition(".")[2])
    unit = SUFFIXES[suffix]
    scaled = (2 * count * 10**decimals + unit) // (2 * unit)
    return f"{scaled / 10**decimals:.{decimals}f}{suffix}"


def compare_published(model: str, counted: Mapping[tuple[str, str], int]) -> tuple[Comparison, ...]:
    """The published figures of `model` beside `counted[network, quantity]`; empty for a model no paper counted."""
    with (TABLES / "published.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Comparison(
                model=model,
                network=row["network"],
                quantity=row["quantity"],
                published=int(row["published"]),
                printed=row["printed"],
                counted=counted[row["network"], row["quantity"]],
                explanation=row["explanation"],
                source=Source(row["source"], row["place"], row["date_read"]),
            )
            for row in csv.DictReader(file)
            if row["model"] == model
        )
