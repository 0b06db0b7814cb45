"""Verilog read back as data, by two parsers that share no code: pyverilog and pyslang.

What both must agree on is one dataclass. pyverilog is read through its syntax tree only (its code generator drops and
misprints things), and only text that each port, parameter and net declares on its own is read right.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyslang import Diagnostic, DiagnosticEngine, SourceManager
from pyslang.parsing import Token
from pyslang.syntax import (
    BinaryExpressionSyntax,
    DeclaratorSyntax,
    GenvarDeclarationSyntax,
    HierarchicalInstanceSyntax,
    HierarchyInstantiationSyntax,
    IdentifierNameSyntax,
    IdentifierSelectNameSyntax,
    ImplicitAnsiPortSyntax,
    LoopGenerateSyntax,
    ModuleDeclarationSyntax,
    NetPortHeaderSyntax,
    ParameterDeclarationSyntax,
    SyntaxNode,
    SyntaxTree,
    VariableDimensionSyntax,
    VariablePortHeaderSyntax,
)
from pyverilog.ast_code_generator.codegen import ASTCodeGenerator
from pyverilog.vparser import ast
from pyverilog.vparser.parser import ParseError, VerilogParser

from quant.errors import BadInputError, MissingToolError

PRODUCT_OPERATORS = ("*", "/", "%", "**")
_PYVERILOG_PRODUCTS = {"Times": "*", "Divide": "/", "Mod": "%", "Power": "**"}


@dataclass(frozen=True, slots=True)
class PortText:
    """A port as it is written."""

    name: str
    direction: str
    signed: bool
    range: str
    """`[msb:lsb]` without blanks and parentheses, empty for a single bit."""


@dataclass(frozen=True, slots=True)
class ModuleText:
    """What both parsers must read alike in a module."""

    name: str
    parameters: tuple[str, ...]
    ports: tuple[PortText, ...]
    instances: tuple[tuple[str, str], ...]
    """(module, instance) wherever it stands, in the order of the text."""
    products: tuple[tuple[str, int], ...]
    """How often each of `* / % **` stands in the text, whatever its operands."""


@dataclass(frozen=True, slots=True)
class SignalProduct:
    """A multiplication, division or power that hardware would have to compute."""

    path: Path
    line: int
    expression: str


def nodes(node: SyntaxNode) -> Iterator[SyntaxNode]:
    """Yield `node` and all below it, in the order of the text."""
    yield node
    for child in node:
        if isinstance(child, SyntaxNode):
            yield from nodes(child)


def text_of(node: SyntaxNode | Token) -> str:
    """Return the tokens of `node` with nothing between them: no blanks, no comments."""
    if isinstance(node, Token):
        return node.rawText
    return "".join(text_of(child) for child in node if isinstance(child, SyntaxNode | Token))


def _bare(text: str) -> str:
    return "".join(text.split()).replace("(", "").replace(")", "")


def _counted(operators: Iterator[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(Counter(operators).items()))


def parse_with_pyslang(sources: Sequence[Path]) -> tuple[SyntaxTree, ...]:
    """Return a syntax tree for each file. Raises BadInputError at the first syntax error."""
    trees = tuple(SyntaxTree.fromFile(str(source)) for source in sources)
    for tree in trees:
        error = first_error(tree.sourceManager, tree.diagnostics)
        if error:
            raise BadInputError(f"Verilog must be readable by pyslang, not fail with: {error}")
    return trees


def first_error(manager: SourceManager, diagnostics: Iterable[Diagnostic]) -> str:
    """Return pyslang's first error as `path:line:column: error: text`, empty where there are only warnings."""
    for diagnostic in diagnostics:
        if diagnostic.isError():
            return DiagnosticEngine.reportAll(manager, [diagnostic]).partition("\n")[0]
    return ""


def modules_by_pyslang(trees: Sequence[SyntaxTree]) -> dict[str, ModuleText]:
    """Return every module of the trees."""
    found = (node for tree in trees for node in nodes(tree.root) if isinstance(node, ModuleDeclarationSyntax))
    return {module.header.name.rawText: _pyslang_module(module) for module in found}


def _pyslang_module(module: ModuleDeclarationSyntax) -> ModuleText:
    below = list(nodes(module))
    return ModuleText(
        module.header.name.rawText,
        tuple(
            declarator.name.rawText
            for node in nodes(module.header)
            if isinstance(node, ParameterDeclarationSyntax)
            for declarator in node.declarators
            if isinstance(declarator, DeclaratorSyntax)
        ),
        tuple(_pyslang_port(port) for port in nodes(module.header) if isinstance(port, ImplicitAnsiPortSyntax)),
        tuple(
            (node.type.rawText, instance.decl.name.rawText)
            for node in below
            if isinstance(node, HierarchyInstantiationSyntax)
            for instance in node.instances
            if isinstance(instance, HierarchicalInstanceSyntax)
        ),
        _counted(
            node.operatorToken.rawText
            for node in below
            if isinstance(node, BinaryExpressionSyntax) and node.operatorToken.rawText in PRODUCT_OPERATORS
        ),
    )


def _pyslang_port(port: ImplicitAnsiPortSyntax) -> PortText:
    header = port.header
    name = port.declarator.name.rawText
    if not isinstance(header, NetPortHeaderSyntax | VariablePortHeaderSyntax):
        raise BadInputError(f"port {name} must be a net or a variable, not `{text_of(port)}`")
    shape = header.dataType
    ranges = [node for node in nodes(shape) if isinstance(node, VariableDimensionSyntax)]
    signed = any(isinstance(token, Token) and token.rawText == "signed" for token in shape)
    return PortText(name, header.direction.rawText, signed, _bare("".join(map(text_of, ranges))))


def signal_products(trees: Sequence[SyntaxTree], sources: Sequence[Path]) -> list[SignalProduct]:
    """Return every `* / % **` (and `*=` and its like) that has an operand which is not constant.

    Constant are literals, parameters, localparams and genvars. Any other name makes an operand a signal: nets,
    variables, ports, what stands inside a select or a concatenation, hierarchical names and function calls.
    """
    found = []
    for tree, source in zip(trees, sources, strict=True):
        for scope in [node for node in tree.root if isinstance(node, SyntaxNode)]:
            for part in [scope] if isinstance(scope, ModuleDeclarationSyntax) else _parts(scope):
                constants = constants_of(part)
                for node in nodes(part):
                    if not isinstance(node, BinaryExpressionSyntax):
                        continue
                    if node.operatorToken.rawText.removesuffix("=") in PRODUCT_OPERATORS and names_in(node) - constants:
                        line = tree.sourceManager.getLineNumber(node.operatorToken.location)
                        found.append(SignalProduct(source, line, _spaced(node)))
    return found


def _parts(scope: SyntaxNode) -> list[SyntaxNode]:
    """The modules of a list of them, and whatever else stands there."""
    return [child for child in scope if isinstance(child, SyntaxNode)]


def constants_of(module: SyntaxNode) -> set[str]:
    """Return the names in `module` that only ever name parameters, localparams and genvars."""
    constants: set[str] = set()
    signals: set[str] = set()
    for node in nodes(module):
        if isinstance(node, DeclaratorSyntax):
            (constants if isinstance(node.parent, ParameterDeclarationSyntax) else signals).add(node.name.rawText)
        elif isinstance(node, GenvarDeclarationSyntax):
            constants |= names_in(node)
        elif isinstance(node, LoopGenerateSyntax):
            constants.add(node.identifier.rawText)
    return constants - signals


def names_in(expression: SyntaxNode) -> set[str]:
    """Return every plain name in an expression, those inside selects and hierarchical names included."""
    kinds = (IdentifierNameSyntax, IdentifierSelectNameSyntax)
    return {node.identifier.rawText for node in nodes(expression) if isinstance(node, kinds)}


def _spaced(expression: BinaryExpressionSyntax) -> str:
    return f"{text_of(expression.left)} {expression.operatorToken.rawText} {text_of(expression.right)}"


def modules_by_pyverilog(sources: Sequence[Path]) -> dict[str, ModuleText]:
    """Return every module of the files.

    Raises BadInputError when pyverilog cannot read them; MissingToolError without iverilog, its preprocessor.
    """
    iverilog = shutil.which("iverilog")
    if iverilog is None:
        raise MissingToolError(
            "simulator Icarus Verilog must be installed, not missing: "
            "`apt-get install -y --no-install-recommends iverilog`"
        )
    # The parser writes its tables to disk on every run, by default into the caller's folder.
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "preprocessed.v"
        command = [iverilog, "-g2005", "-E", "-o", str(text), *map(str, sources)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BadInputError(f"Verilog must pass iverilog -E, not fail with: {run.stderr.strip()}")
        try:
            tree = VerilogParser(outputdir=folder, debug=False).parse(text.read_text(encoding="utf-8"), debug=False)
        except ParseError as error:
            raise BadInputError(f"Verilog must be readable by pyverilog, not {error}") from error
    definitions = [node for node in tree.description.definitions if isinstance(node, ast.ModuleDef)]
    return {module.name: _pyverilog_module(module) for module in definitions}


def _pyverilog_nodes(node: ast.Node) -> Iterator[ast.Node]:
    """Yield `node` and all below it, past three faults of the tree's own `children`."""
    yield node
    children: tuple[ast.Node | None, ...] = node.children()
    if isinstance(node, ast.Ioport):
        children = (node.first,)  # it stands there twice, as a port and as a net
    elif isinstance(node, ast.InstanceList):
        children = tuple(node.instances)  # each of which repeats the parameters
    elif isinstance(node, ast.IdentifierScopeLabel):
        children = (node.loop,)  # the index of a generate block, left out
    for child in children:
        if isinstance(child, ast.Node):
            yield from _pyverilog_nodes(child)


def _pyverilog_module(module: ast.ModuleDef) -> ModuleText:
    below = list(_pyverilog_nodes(module))
    printer = ASTCodeGenerator()
    header = module.paramlist.params if module.paramlist else ()
    return ModuleText(
        module.name,
        tuple(parameter.name for declaration in header for parameter in declaration.list),
        tuple(
            PortText(
                port.first.name,
                type(port.first).__name__.lower(),
                bool(port.first.signed),
                _bare(printer.visit(port.first.width)) if port.first.width else "",
            )
            for port in (module.portlist.ports if module.portlist else ())
        ),
        tuple((node.module, node.name) for node in below if isinstance(node, ast.Instance)),
        _counted(
            _PYVERILOG_PRODUCTS[type(node).__name__] for node in below if type(node).__name__ in _PYVERILOG_PRODUCTS
        ),
    )
