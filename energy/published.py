"""Published operation counts and energies beside the counted ones, each difference with its explanation."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from energy.counts import Operation, Version, Workload
from energy.precision import Precision, price_of
from energy.technology import TABLES, Source, horowitz_2014


@dataclass(frozen=True, slots=True)
class Comparison:
    """A figure as a paper prints it, and the count.

    Attributes:
        network: `adder`, or `cnn` for the same network with products.
        quantity: `multiplications`, `additions`, or an energy in pJ: `energy_pj` of fp32 operations, `energy_int8_pj`
            of int8 operands and int32 sums.
        printed: the paper's text, or empty for a figure that is derived here and in no paper.
        explanation: why the two differ; empty where the count prints the same.
        source: None for a derived figure.
    """

    model: str
    network: str
    quantity: str
    published: int | None
    printed: str
    counted: Fraction
    explanation: str
    source: Source | None

    @property
    def is_derived(self) -> bool:
        """Whether no paper prints the figure."""
        return self.published is None

    @property
    def equal(self) -> bool:
        """Whether the count, rounded as the paper rounds, is what the paper prints."""
        return not self.is_derived and round_like(self.counted, self.printed) == self.printed

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Network, quantity, published, counted and why they differ, as a table shows them."""
        is_energy = self.quantity.endswith("_pj")
        return (
            self.network,
            self.quantity.removesuffix("_pj").replace("_", ", ") + (", pJ" if is_energy else ""),
            self.printed or "–",
            f"{float(self.counted):,.0f}",
            "equal" if self.equal else self.explanation,
        )

    def to_json(self) -> dict[str, object]:
        """JSON-ready object."""
        return {
            "model": self.model,
            "network": self.network,
            "quantity": self.quantity,
            "published": self.published,
            "printed": self.printed,
            "counted": int(self.counted) if self.counted.denominator == 1 else float(self.counted),
            "equal": self.equal,
            "explanation": self.explanation,
            "source": None if self.source is None else self.source.citation,
            "place": None if self.source is None else self.source.place,
        }


SUFFIXES = {"K": 1_000, "M": 1_000_000, "B": 1_000_000_000}


def round_like(count: Fraction | int, printed: str) -> str:
    """`count` in the unit and decimals of `printed`, half up: 69124736 like 69.12M is 69.12M."""
    number, suffix = printed[:-1], printed[-1]
    decimals = len(number.partition(".")[2])
    scaled = (2 * count * 10**decimals + SUFFIXES[suffix]) // (2 * SUFFIXES[suffix])
    return f"{scaled / 10**decimals:.{decimals}f}{suffix}"


def _counted(workload: Workload, version: Version, quantity: str) -> Fraction:
    charged = [count for layer in workload.layers for count in layer.charged(version)]
    if quantity.endswith("_pj"):
        # The papers' own prices, whatever table the report around it uses.
        precision = Precision.INT8 if "int8" in quantity else Precision.FP32
        prices = (price_of(count, precision, horowitz_2014()) for count in charged)
        return sum(
            (price.energy_pj * count.count for count, price in zip(charged, prices, strict=True) if price), Fraction(0)
        )
    multiplies = quantity == "multiplications"
    return Fraction(sum(each.count for each in charged if (each.operation is Operation.MULTIPLY) == multiplies))


def compare_published(workload: Workload) -> tuple[Comparison, ...]:
    """The published figures of a model, by name, beside those of its workload; empty for one that no paper counted."""
    return tuple(
        Comparison(
            model=row["model"],
            network=row["network"],
            quantity=row["quantity"],
            published=int(row["published"]) if row["published"] else None,
            printed=row["printed"],
            counted=_counted(workload, Version(row["network"]), row["quantity"]),
            explanation=row["explanation"],
            source=Source(row["source"], row["place"], row["date_read"]) if row["source"] else None,
        )
        for row in _rows()
        if row["model"] == workload.model
    )


def published_models() -> tuple[str, ...]:
    """Names of the models that papers count, in the table's order."""
    return tuple(dict.fromkeys(row["model"] for row in _rows()))


def _rows() -> Iterable[dict[str, str]]:
    with (TABLES / "published.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
