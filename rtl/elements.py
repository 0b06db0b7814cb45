"""Elements to compare: what an adder layer alone needs of a processing element, and the same of a dot-product layer."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rtl.gate_netlist import GateNetlist, Mapper, map_design
from rtl.liberty import CellLibrary
from rtl.library import LIBRARY_MODULES, module_source

ELEMENTS_FOLDER = Path(__file__).resolve().parent / "elements"
ACC_BITS = 24
TIME_LIMIT_S = 600.0


class Element(enum.StrEnum):
    """Lanes, tree and accumulator, without modes and without a register between them."""

    MINIMUM = "min"
    SUM_OF_X = "sum of x"
    """What the output lanes of the min form share."""
    COMPLEMENT = "complement"
    BOOTH_ROWS = "Booth rows"
    BOOTH_PASS = "Booth pass"

    @property
    def multiplies(self) -> bool:
        """Whether it computes a dot product."""
        return self in (Element.BOOTH_ROWS, Element.BOOTH_PASS)


@dataclass(frozen=True, slots=True)
class _Design:
    """A top module with its parameters; `booth` as in `map_design`."""

    top: str
    parameters: Mapping[str, int]
    booth: bool = False


_DESIGNS = {
    Element.MINIMUM: _Design("adder_element", {"MIN_FORM": 1}),
    Element.SUM_OF_X: _Design("sum_of_x", {}),
    Element.COMPLEMENT: _Design("adder_element", {"MIN_FORM": 0}),
    Element.BOOTH_ROWS: _Design("multiplier_element", {"FORM": 3}),
    Element.BOOTH_PASS: _Design("multiplier_element", {"FORM": 0}, booth=True),
}


def element_sources() -> tuple[Path, ...]:
    """Verilog of all elements, and of the library's modules in them."""
    library = tuple(map(module_source, ("minimum_lane", "complement_lane", "adder_tree", "accumulator")))
    names = ("adder_element", "sum_of_x", "multiplier_element")
    return (*library, *(ELEMENTS_FOLDER / f"{name}.v" for name in names))


def element_bits(element: Element, code_bits: int) -> int:
    """Width of an element's operands: a multiplier made of Booth rows takes two bits of a weight a row."""
    return code_bits + code_bits % 2 if element is Element.BOOTH_ROWS else code_bits


def map_element(
    element: Element, lanes: int, code_bits: int, library: CellLibrary, mapper: Mapper = Mapper.DEFAULT
) -> GateNetlist:
    """An element on the cells of a library; raises as `map_design`."""
    design = _DESIGNS[element]
    sizes = {"LANES": lanes, "CODE_BITS": element_bits(element, code_bits), "ACC_BITS": ACC_BITS}
    return map_design(
        element_sources(),
        design.top,
        {**design.parameters, **sizes},
        library,
        mapper=mapper,
        booth=design.booth,
        time_limit_s=TIME_LIMIT_S,
    )


def map_lane_array(parameters: Mapping[str, int], library: CellLibrary, mapper: Mapper = Mapper.DEFAULT) -> GateNetlist:
    """The lanes of an accelerator with these parameters on the cells of a library; raises as `map_design`."""
    names = ("IN_LANES", "OUT_LANES", "CODE_BITS", "ACC_BITS", "MIN_FORM", "DOT_SPLIT", "TREE_STAGES")
    modules = LIBRARY_MODULES[: LIBRARY_MODULES.index("lane_array") + 1]
    return map_design(
        tuple(map(module_source, modules)),
        "lane_array",
        {name: parameters[name] for name in names},
        library,
        mapper=mapper,
        time_limit_s=TIME_LIMIT_S,
    )
