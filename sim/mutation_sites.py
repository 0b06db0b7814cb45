"""Where a Verilog module can be broken by one small change: found in the syntax tree, applied to the text.

Left out, because a bench of the module cannot see them or they break nothing: the module's header (parameters and ports
are the caller's) but for the sign of an input, the checks of bad parameters (held by their own tests), the widths of
localparams, the steps of loops (a loop that runs backwards never ends), and what would only make a part select or a
replication wider, since an assignment cuts it again.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pyslang.parsing import Token
from pyslang.syntax import (
    BinaryExpressionSyntax,
    ConditionalExpressionSyntax,
    ConditionalStatementSyntax,
    DataDeclarationSyntax,
    ForLoopStatementSyntax,
    HierarchicalInstanceSyntax,
    IfGenerateSyntax,
    ImplicitAnsiPortSyntax,
    IntegerVectorExpressionSyntax,
    InvocationExpressionSyntax,
    LiteralExpressionSyntax,
    LoopGenerateSyntax,
    ModuleDeclarationSyntax,
    MultipleConcatenationExpressionSyntax,
    NamedPortConnectionSyntax,
    NetDeclarationSyntax,
    PrefixUnaryExpressionSyntax,
    RangeSelectSyntax,
    SyntaxKind,
    SyntaxNode,
    VariableDimensionSyntax,
)

from quant.errors import BadInputError
from rtl.verilog_text import constants_of, names_in, nodes, parse_with_pyslang, text_of

Change: TypeAlias = "tuple[MutationKind, int, int, str]"
"""Kind, first byte, byte behind the last, new text."""

_BINARY = {
    "+": "-",
    "-": "+",
    "*": "+",  # between constants
    "&": "|",
    "|": "&",
    "^": "~^",
    "~^": "^",
    "<": "<=",
    "<=": "<",
    ">": ">=",
    ">=": ">",
    "==": "!=",
    "!=": "==",
    "&&": "||",
    "||": "&&",
    "<<": ">>",
    ">>": "<<",
    ">>>": ">>",
}
_UNARY = {"!": "", "~": "", "-": "", "|": "&", "&": "|"}
_LIST_OPENING = re.compile(rb"(?:#|\b(u_\w+) )\($", re.MULTILINE)
"""The last thing on the line before a list of parameters or of an instance's ports."""
_ASSIGNMENTS = (SyntaxKind.NonblockingAssignmentExpression, SyntaxKind.AssignmentExpression)
_BASES = {"d": 10, "b": 2, "h": 16, "o": 8}
_FORMATS = {"d": "d", "b": "b", "h": "x", "o": "o"}


class MutationKind(enum.StrEnum):
    """What a mutant changes."""

    OPERATOR = "operator"
    """An operator becomes its neighbour, a negation goes, the arms of ?: change places."""
    CONSTANT = "constant"
    """0 becomes 1, 1 becomes 0, any other n becomes n + 1."""
    WIDTH = "width"
    """A net, a register, a memory, a part select or a replication loses its last bit or word."""
    SIGN = "sign"
    """`signed` or `$signed` goes."""
    ENABLE = "enable"
    """The condition of an if statement becomes 1."""
    CONNECTION = "connection"
    """A port of an instance is tied to 0."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """One change to one module."""

    module: str
    line: int
    column: int
    kind: MutationKind
    before: str
    after: str
    site: str
    """The changed line, the changed text between « and », a port behind its instance: how a person and the table of
    equivalent mutants name it."""
    offset: int
    """First byte of the changed text."""

    def text(self, source: Path) -> str:
        """Return the module's text with the change; raise BadInputError when it was not found in `source`."""
        original = source.read_bytes()
        end = self.offset + len(self.before.encode())
        if original[self.offset : end] != self.before.encode():
            raise BadInputError(f"mutants of {self.module} must be applied to the text they come from, not to {source}")
        return (original[: self.offset] + self.after.encode() + original[end:]).decode()


def mutants(source: Path) -> tuple[Mutant, ...]:
    """Return every mutant of the module in `source`, in the order of the text.

    Raises BadInputError when the file cannot be read.
    """
    (tree,) = parse_with_pyslang([source])
    text = source.read_bytes()
    found = []
    for module in nodes(tree.root):
        if isinstance(module, ModuleDeclarationSyntax):
            name = module.header.name.rawText
            found += [_mutant(name, text, change) for change in (*_port_signs(module), *_body_changes(module))]
    return tuple(sorted(found, key=lambda mutant: (mutant.offset, mutant.kind)))


def _mutant(module: str, text: bytes, change: Change) -> Mutant:
    kind, start, end, after = change
    first = text.rfind(b"\n", 0, start) + 1
    last = text.find(b"\n", end)
    site = f"{text[first:start].decode()}«{text[start:end].decode()}»{text[end:last].decode().partition('//')[0]}"
    return Mutant(
        module,
        text.count(b"\n", 0, start) + 1,
        start - first + 1,
        kind,
        text[start:end].decode(),
        after,
        _instance(text[:first]) * site.lstrip().startswith(".") + " ".join(site.split()),
        start,
    )


def _instance(text: bytes) -> str:
    """Return the instance whose list of ports `text` ends in: ports of several instances read alike."""
    openings = _LIST_OPENING.findall(text)
    return openings[-1].decode() if openings else ""


def _span(node: SyntaxNode | Token) -> tuple[int, int]:
    place = node.range if isinstance(node, Token) else node.sourceRange
    return place.start.offset, place.end.offset


def _source(node: SyntaxNode) -> str:
    """The text of an expression with its blanks, without what stands before it."""
    return " ".join(str(node).split())


def _dropped_signs(node: SyntaxNode) -> Iterator[Change]:
    for child in node:
        if isinstance(child, Token) and child.rawText == "signed":
            yield (MutationKind.SIGN, *_span(child), "")


def _port_signs(module: ModuleDeclarationSyntax) -> Iterator[Change]:
    for port in nodes(module.header):
        if isinstance(port, ImplicitAnsiPortSyntax) and text_of(port).startswith("input"):
            for node in nodes(port.header):
                yield from _dropped_signs(node)


def _body_changes(module: ModuleDeclarationSyntax) -> Iterator[Change]:
    constants = constants_of(module)
    for member in module.members:
        if isinstance(member, SyntaxNode):
            yield from _changes(member, constants)


def _changes(node: SyntaxNode, constants: set[str]) -> Iterator[Change]:
    """Yield the changes in `node` and below it."""
    if isinstance(node, IfGenerateSyntax) and _stops_elaboration(node):
        return
    if isinstance(node, VariableDimensionSyntax | RangeSelectSyntax):
        yield from _narrowed(node)
        return
    if isinstance(node, MultipleConcatenationExpressionSyntax):
        if text_of(node.concatenation) != "{1'b0}":  # zeros are what an assignment adds anyway
            yield _one_less(node.expression)
        yield from _changes(node.concatenation, constants)
        return
    yield from _own_changes(node, constants)
    children: Iterator[object] = iter(node)
    if isinstance(node, LoopGenerateSyntax):
        children = iter((node.initialExpr, node.stopExpr, node.block))
    elif isinstance(node, ForLoopStatementSyntax):
        children = iter((*node.initializers, node.stopExpr, node.statement))
    for child in children:
        if isinstance(child, SyntaxNode):
            yield from _changes(child, constants)


def _stops_elaboration(node: IfGenerateSyntax) -> bool:
    names = (below.decl.name.rawText for below in nodes(node) if isinstance(below, HierarchicalInstanceSyntax))
    return "u_error" in names


def _narrowed(node: VariableDimensionSyntax | RangeSelectSyntax) -> Iterator[Change]:
    """A part select, or the range of a net or a variable, without its highest index; parameters' ranges stay."""
    above: SyntaxNode | None = node
    while isinstance(node, VariableDimensionSyntax) and not isinstance(
        above, DataDeclarationSyntax | NetDeclarationSyntax
    ):
        if above is None:
            return
        above = above.parent
    for select in nodes(node):
        if isinstance(select, RangeSelectSyntax):
            yield _one_less(select.right if text_of(select.left) == "0" else select.left)


def _one_less(size: SyntaxNode) -> Change:
    return (MutationKind.WIDTH, *_span(size), f"{_source(size)}-1")


def _own_changes(node: SyntaxNode, constants: set[str]) -> Iterator[Change]:
    """Yield the changes to `node` itself."""
    if isinstance(node, BinaryExpressionSyntax) and node.kind not in _ASSIGNMENTS:
        after = _BINARY.get(node.operatorToken.rawText)
        if after is not None:
            yield (MutationKind.OPERATOR, *_span(node.operatorToken), after)
    elif isinstance(node, PrefixUnaryExpressionSyntax):
        after = _UNARY.get(node.operatorToken.rawText)
        if after is not None:
            yield (MutationKind.OPERATOR, *_span(node.operatorToken), after)
    elif isinstance(node, ConditionalExpressionSyntax):
        swapped = f"{_source(node.predicate)} ? {_source(node.right)} : {_source(node.left)}"
        yield (MutationKind.OPERATOR, *_span(node), swapped)
    elif isinstance(node, LiteralExpressionSyntax) and node.kind == SyntaxKind.IntegerLiteralExpression:
        value = int(text_of(node))
        yield (MutationKind.CONSTANT, *_span(node), str(1 - value if value < 2 else value + 1))
    elif isinstance(node, IntegerVectorExpressionSyntax):
        yield (MutationKind.CONSTANT, *_span(node), _next_vector(text_of(node)))
    elif isinstance(node, InvocationExpressionSyntax) and text_of(node.left) in ("$signed", "$unsigned"):
        yield (MutationKind.SIGN, *_span(node.left), "")
    elif isinstance(node, NamedPortConnectionSyntax) and node.expr is not None:
        # One that is tied to a constant already is left to the constants.
        if names_in(node.expr) - constants:
            yield (MutationKind.CONNECTION, *_span(node.expr), "1'b0")
    elif isinstance(node, ConditionalStatementSyntax):
        yield (MutationKind.ENABLE, *_span(node.predicate), "1'b1")
    else:
        yield from _dropped_signs(node)


def _next_vector(literal: str) -> str:
    """Return a literal with another value that fits: 1'b0 -> 1'b1, 4'd1 -> 4'd0, 3'd5 -> 3'd6, 2'b11 -> 2'b10.

    One without a size, as 'h0c, has 32 bits.
    """
    size, _, rest = literal.partition("'")
    base, digits = rest[0].lower(), rest[1:].replace("_", "")
    value = int(digits, _BASES[base])
    after = 1 - value if value < 2 else value + 1 if (value + 1) >> int(size or 32) == 0 else value - 1
    return f"{size}'{base}{after:{_FORMATS[base]}}"
