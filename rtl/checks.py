"""Static checks of a printed design: what was promised is what stands in the files, and nothing in it multiplies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest
from pathlib import Path

import pyslang
from pyslang.ast import (
    ArgumentDirection,
    Compilation,
    CompilationOptions,
    InstanceSymbol,
    PortSymbol,
)
from pyslang.syntax import SyntaxTree

from quant.errors import BadInputError, MismatchError
from quant.files import require_file
from rtl.verilog_text import (
    ModuleText,
    first_error,
    modules_by_pyslang,
    modules_by_pyverilog,
    parse_with_pyslang,
    signal_products,
)

LANE_MODULES = ("minimum_lane", "complement_lane")
_DIRECTIONS = {ArgumentDirection.In: "input", ArgumentDirection.Out: "output", ArgumentDirection.InOut: "inout"}


@dataclass(frozen=True, slots=True)
class Port:
    """A port with its elaborated width."""

    name: str
    direction: str
    """`input` or `output`."""
    width_bits: int = 1
    signed: bool = False

    def __str__(self) -> str:
        return f"{self.direction} {'signed ' * self.signed}[{self.width_bits - 1}:0] {self.name}"


@dataclass(frozen=True, slots=True)
class Interface:
    """What the generator promises about a design."""

    ports: tuple[Port, ...]
    """Ports of the top module, in order."""
    children: tuple[str, ...]
    """Elaborated instances directly below the top module as `module instance`, in order."""
    lanes: int
    """Adder lanes in the whole design, the number that the energy model charges."""


@dataclass(frozen=True, slots=True)
class DesignCensus:
    """What was found in a design."""

    top: str
    modules: tuple[ModuleText, ...]
    """Modules in the files, as both parsers read them, by name."""
    instances: Mapping[str, int]
    """Elaborated instances by module, the top included."""
    lanes: int
    """Elaborated instances of `minimum_lane` and `complement_lane`."""
    constant_products: int
    """Uses of `* / % **` in the files; all of them between constants."""


def check_design(sources: Sequence[Path], top: str, promised: Interface) -> DesignCensus:
    """Read a design back with pyverilog and with pyslang, and compare it with what was promised.

    Args:
        sources: every Verilog file of the design, and no other.
        top: name of the top module.
        promised: its ports, its children and the design's number of lanes.

    Raises:
        BadInputError: when a file is missing, unreadable or does not elaborate; when a `*`, `/`, `%` or `**` has an
            operand that is not constant, with file, line and expression.
        MismatchError: when the two parsers read a module differently, or the design is not as promised.
        MissingToolError: without iverilog, pyverilog's preprocessor.
    """
    for source in sources:
        require_file(source, f"Verilog source of {top}")
    trees = parse_with_pyslang(sources)
    modules = modules_by_pyslang(trees)
    _require_agreement(modules, modules_by_pyverilog(sources))
    for product in signal_products(trees, sources):
        raise BadInputError(
            f"operands of * / % ** must be constants, not signals: `{product.expression}` "
            f"at {product.path}:{product.line}"
        )
    elaborated = _elaborate(trees, top)
    instances = Counter(module for module, _ in elaborated.instances)
    lanes = sum(instances[name] for name in LANE_MODULES)
    _require_same(f"ports of {top}", promised.ports, elaborated.ports)
    _require_same(f"instances in {top}", promised.children, elaborated.children)
    if lanes != promised.lanes:
        raise MismatchError(f"adder lanes of {top} must be {promised.lanes}, not {lanes}")
    products = sum(count for module in modules.values() for _, count in module.products)
    ordered = tuple(modules[name] for name in sorted(modules))
    return DesignCensus(top, ordered, dict(sorted(instances.items())), lanes, products)


def _require_agreement(by_pyslang: Mapping[str, ModuleText], by_pyverilog: Mapping[str, ModuleText]) -> None:
    if by_pyslang.keys() != by_pyverilog.keys():
        raise MismatchError(f"modules must be read alike, not {sorted(by_pyslang)} and {sorted(by_pyverilog)}")
    for name, module in by_pyslang.items():
        for field in fields(ModuleText):
            mine, other = getattr(module, field.name), getattr(by_pyverilog[name], field.name)
            if mine != other:
                raise MismatchError(
                    f"{field.name} of module {name} must be read alike, "
                    f"not as {mine} by pyslang and {other} by pyverilog"
                )


def _require_same(what: str, promised: Sequence[object], found: Sequence[object]) -> None:
    """Raise MismatchError with the first element that differs."""
    for mine, other in zip_longest(promised, found, fillvalue="nothing"):
        if mine != other:
            raise MismatchError(f"{what} must be as promised, not {other} in place of {mine}")


@dataclass(frozen=True, slots=True)
class _Elaborated:
    """An elaborated design as plain data: pyslang's symbols do not outlive their compilation."""

    ports: tuple[Port, ...]
    instances: tuple[tuple[str, str], ...]
    """(module, path), the top first."""

    @property
    def children(self) -> tuple[str, ...]:
        """`module instance` of those whose path crosses no instance but the top; a generate block stays in the name."""
        top = self.instances[0][1]
        paths = {path for _, path in self.instances}
        below = ((module, path.removeprefix(f"{top}.")) for module, path in self.instances[1:])
        return tuple(
            f"{module} {name}"
            for module, name in below
            if not any(f"{top}.{name[:dot]}" in paths for dot, character in enumerate(name) if character == ".")
        )


def _elaborate(trees: Sequence[SyntaxTree], top: str) -> _Elaborated:
    options = CompilationOptions()
    options.topModules = {top}
    compilation = Compilation(pyslang.Bag([options]))
    for tree in trees:
        compilation.addSyntaxTree(tree)
    root = compilation.getRoot()
    error = first_error(compilation.sourceManager, compilation.getAllDiagnostics())
    if error:
        raise BadInputError(f"design {top} must elaborate, not fail with: {error}")
    instance = root.topInstances[0]
    instances: list[tuple[str, str]] = []

    def collect(symbol: object) -> None:
        if isinstance(symbol, InstanceSymbol):
            instances.append((symbol.definition.name, symbol.hierarchicalPath))

    instance.visit(collect)
    ports = tuple(
        Port(port.name, _DIRECTIONS[port.direction], port.type.bitWidth, port.type.isSigned)
        for port in instance.body.portList
        if isinstance(port, PortSymbol)
    )
    return _Elaborated(ports, tuple(instances))
