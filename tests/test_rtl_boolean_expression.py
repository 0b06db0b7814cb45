"""Boolean expressions of Liberty files against Python's own logic."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from quant.errors import BadInputError
from rtl.boolean_expression import parse_expression

CASES: list[tuple[str, Callable[..., bool]]] = [
    ("A", lambda a: a),
    ("A'", lambda a: not a),
    ("!A''", lambda a: not a),
    ("(A B)'", lambda a, b: not (a and b)),
    ("!(A*B)", lambda a, b: not (a and b)),
    ("!A*B", lambda a, b: not a and b),
    ("A+B*C", lambda a, b, c: a or (b and c)),
    ("A|B&C", lambda a, b, c: a or (b and c)),
    ("A B+C", lambda a, b, c: (a and b) or c),
    ("A^B C", lambda a, b, c: (a != b) and c),
    ("A ^ B'", lambda a, b: a != (not b)),
    ("(A1*!S)+(A2*S)", lambda a, s, b: b if s else a),
    ("A*1+0", lambda a: a),
    ("( ( A ) ( B ) ) ( C + D[0] )", lambda a, b, c, d: a and b and (c or d)),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_every_row_of_the_truth_table(text: str, expected: Callable[..., bool]) -> None:
    expression = parse_expression(text)
    rows = list(itertools.product((False, True), repeat=len(expression.pins)))
    # All rows at once, row t at bit t.
    values = [sum(row[pin] << t for t, row in enumerate(rows)) for pin in range(len(expression.pins))]
    ones = (1 << len(rows)) - 1
    assert expression.evaluate(values, ones) == sum(bool(expected(*row)) << t for t, row in enumerate(rows))


def test_pins_in_the_order_of_their_arguments() -> None:
    assert parse_expression("B*(A+B)").pins == ("B", "A")


@pytest.mark.parametrize("text", ["", "A+", "*A", "(A", "A)", "A ? B", "!", "'A"])
def test_what_is_no_expression(text: str) -> None:
    with pytest.raises(BadInputError) as caught:
        parse_expression(text)
    assert str(caught.value) == f"function of a cell must be a Boolean expression, not {text!r}"
