"""Energies of a technology table at another node and voltage, after Stillmaker and Baas 2017.

Their fit of simulated inverter chains gives each node an energy factor `a V^2 + b V + c`; an energy is scaled by the
target's factor over the source's (Integration 58, pp. 74-81, doi:10.1016/j.vlsi.2017.02.002, with its corrigendum).
"""

from __future__ import annotations

import csv
import dataclasses
import math
from dataclasses import dataclass
from fractions import Fraction

from energy.technology import TABLES, Price, PricedOperation, Source, TechnologyTable
from quant.errors import BadInputError

COEFFICIENTS = TABLES / "stillmaker-baas-2017.csv"
MAX_VOLTAGE_V = Fraction("1.8")
"""The nominal supply at 180 nm, the oldest of the nodes: above it no fit is asked, whatever its node."""


@dataclass(frozen=True, slots=True)
class Node:
    """A fitted node: `name` as `65`, or with its flavour, high performance (`HP7`) or low power (`LP7`)."""

    name: str
    a: Fraction
    b: Fraction
    c: Fraction
    source: Source

    def factor(self, voltage_v: Fraction) -> Fraction:
        """Energy of the fitted inverters at `voltage_v`, in the fit's own unit.

        Raises BadInputError where the parabola falls with the voltage or is not positive, as no circuit's energy does,
        and above `MAX_VOLTAGE_V`.
        """
        if voltage_v > MAX_VOLTAGE_V:
            raise BadInputError(
                f"voltage of node {self.name} must be at most {float(MAX_VOLTAGE_V):g} V, not {float(voltage_v):g} V"
            )
        factor = (self.a * voltage_v + self.b) * voltage_v + self.c
        if factor <= 0 or 2 * self.a * voltage_v + self.b <= 0:
            raise BadInputError(
                f"voltage of node {self.name} must be one at which its fitted energy is positive and rises, "
                f"not {float(voltage_v):g} V"
            )
        return factor


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A node and a supply voltage, for a table to be scaled to."""

    node: Node
    voltage_v: Fraction

    @property
    def label(self) -> str:
        """As `HP7, 0.7 V`."""
        return f"{self.node.name}, {float(self.voltage_v):g} V"


def nodes() -> dict[str, Node]:
    """All fitted nodes by name."""
    with COEFFICIENTS.open(newline="", encoding="utf-8") as file:
        return {
            row["node"]: Node(
                name=row["node"],
                a=Fraction(row["a"]),
                b=Fraction(row["b"]),
                c=Fraction(row["c"]),
                source=Source(row["source"], row["place"], row["date_read"]),
            )
            for row in csv.DictReader(file)
        }


def find_node(name: str, of: str = "node") -> Node:
    """A node by its name; one that has two flavours is the high-performance one where the name does not say."""
    known = nodes()
    node = known.get(name.upper()) or known.get(f"HP{name}")
    if node is None:
        raise BadInputError(f"{of} must be one of {', '.join(known)}, not {name}")
    return node


def parse_operating_point(node: str, voltage: str) -> OperatingPoint:
    """The point that two texts name, as `7` and `0.7`; raises BadInputError for an unknown node or a bad voltage."""
    found = find_node(node)
    try:
        # float() first: it refuses the '1/3' that Fraction would read.
        valid = math.isfinite(float(voltage))
    except ValueError:
        valid = False
    if not valid:
        raise BadInputError(f"voltage must be a number of volts, not {voltage}")
    voltage_v = Fraction(voltage)
    found.factor(voltage_v)
    return OperatingPoint(found, voltage_v)


def scale_table(table: TechnologyTable, target: OperatingPoint) -> TechnologyTable:
    """The table at `target`, each price by its own node and voltage; DRAM stays, being another technology's.

    Raises BadInputError for a price whose node is not fitted or whose voltage its source does not state.
    """
    prices = tuple(_scaled(price, target, table.name) for price in table.prices)
    return TechnologyTable(f"{table.name} at {target.label}", prices)


def _scaled(price: Price, target: OperatingPoint, table: str) -> Price:
    if price.operation is PricedOperation.DRAM_ACCESS:
        return price
    if price.voltage_v is None:
        raise BadInputError(f"voltage of table {table} must be stated for it to be scaled, not left out")
    node = find_node(f"{float(price.node_nm):g}", f"node of table {table}")
    factor = target.node.factor(target.voltage_v) / node.factor(price.voltage_v)
    return dataclasses.replace(
        price,
        energy_pj=price.energy_pj * factor,
        energy_high_pj=None if price.energy_high_pj is None else price.energy_high_pj * factor,
        voltage_v=target.voltage_v,
        node_nm=Fraction(target.node.name.removeprefix("HP").removeprefix("LP")),
        scaling=price.scaling * factor,
    )


def scaling_convention(target: OperatingPoint) -> str:
    """What a scaled figure is, for the report."""
    return (
        f"Scaled to {target.label} by the energy fits of Stillmaker and Baas 2017 (fan-out-of-4 inverters at nominal "
        "temperature; their stated coefficient of determination is above 0.95). A source's node counts as high "
        "performance. The fits are of logic: memories scaled with them are marked, and DRAM is not scaled."
    )
