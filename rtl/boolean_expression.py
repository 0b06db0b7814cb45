"""Boolean expressions of a Liberty file: `(A1*A2)+!B`, `(A B)'`, evaluated for many clocks at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from quant.errors import BadInputError

_TOKEN = re.compile(r"\s*([A-Za-z_][\w\[\]]*|[01!'^*&+|()])")
_ATOM = re.compile(r"[A-Za-z_01!(]")

Evaluate = Callable[[Sequence[int], int], int]
"""Value of pins' values, each an integer of one bit a clock, and of the integer that is 1 in every clock."""


@dataclass(frozen=True, slots=True)
class BooleanExpression:
    """An expression and the pins that it reads, in the order of its arguments."""

    pins: tuple[str, ...]
    evaluate: Evaluate


def parse_expression(text: str) -> BooleanExpression:
    """Read an expression of Liberty's grammar.

    `'` and `!` bind before `^`, that before `*`, `&` and a space, those before `+` and `|`. Raises BadInputError when
    it is none.
    """
    tokens: list[str] = []
    position = 0
    while text[position:].strip():
        found = _TOKEN.match(text, position)
        if found is None:
            raise BadInputError(f"function of a cell must be a Boolean expression, not {text!r}")
        tokens.append(found[1])
        position = found.end()
    parser = _Parser(text, tokens)
    evaluate = parser.sum()
    if parser.tokens:
        raise parser.refused()
    return BooleanExpression(tuple(parser.pins), evaluate)


class _Parser:
    """Recursive descent over the tokens; `pins` are those met so far."""

    def __init__(self, text: str, tokens: list[str]) -> None:
        self.text = text
        self.tokens = tokens
        self.pins: list[str] = []

    def refused(self) -> BadInputError:
        return BadInputError(f"function of a cell must be a Boolean expression, not {self.text!r}")

    def sum(self) -> Evaluate:
        result = self.product()
        while self.tokens and self.tokens[0] in "+|":
            del self.tokens[0]
            result = _or(result, self.product())
        return result

    def product(self) -> Evaluate:
        result = self.difference()
        # Two factors may stand side by side.
        while self.tokens and (self.tokens[0] in "*&" or _ATOM.match(self.tokens[0])):
            if self.tokens[0] in "*&":
                del self.tokens[0]
            result = _and(result, self.difference())
        return result

    def difference(self) -> Evaluate:
        result = self.factor()
        while self.tokens and self.tokens[0] == "^":
            del self.tokens[0]
            result = _xor(result, self.factor())
        return result

    def factor(self) -> Evaluate:
        if not self.tokens:
            raise self.refused()
        token = self.tokens.pop(0)
        if token == "!":
            return _not(self.factor())
        if token == "(":
            result = self.sum()
            if not self.tokens or self.tokens.pop(0) != ")":
                raise self.refused()
        elif token in "01":
            result = _constant(token == "1")
        elif token in ")'^*&+|":
            raise self.refused()
        else:
            if token not in self.pins:
                self.pins.append(token)
            result = _pin(self.pins.index(token))
        while self.tokens and self.tokens[0] == "'":
            del self.tokens[0]
            result = _not(result)
        return result


def _pin(index: int) -> Evaluate:
    return lambda values, _ones: values[index]


def _constant(one: bool) -> Evaluate:
    return lambda _values, ones: ones if one else 0


def _not(inner: Evaluate) -> Evaluate:
    return lambda values, ones: ones ^ inner(values, ones)


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values, ones: left(values, ones) & right(values, ones)


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values, ones: left(values, ones) | right(values, ones)


def _xor(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda values, ones: left(values, ones) ^ right(values, ones)
