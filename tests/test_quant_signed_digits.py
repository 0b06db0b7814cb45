"""Signed digits against their definition, and the rounding against every number of so many digits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.errors import BadInputError
from quant.signed_digits import keep_digits, round_to_digits, signed_digits


def expressible(digits: int, exponents: int) -> list[int]:
    """All integers that at most `digits` signed powers of two below 2**exponents add up to."""
    powers = [0, *(sign << e for sign in (1, -1) for e in range(exponents))]
    return sorted({sum(chosen) for chosen in itertools.combinations_with_replacement(powers, digits)})


@given(st.integers(-(2**40), 2**40))
def test_digits_add_up_and_never_touch(value: int) -> None:
    digits = signed_digits(value)
    exponents = [exponent for _, exponent in digits]
    assert sum(sign * 2**exponent for sign, exponent in digits) == value
    assert {sign for sign, _ in digits} <= {1, -1}
    assert all(high - low >= 2 for low, high in itertools.pairwise(exponents))


@pytest.mark.parametrize(
    ("value", "digits"),
    [
        (0, ()),
        (1, ((1, 0),)),
        (3, ((-1, 0), (1, 2))),
        (7, ((-1, 0), (1, 3))),
        (-6, ((1, 1), (-1, 3))),
        (45, ((1, 0), (-1, 2), (-1, 4), (1, 6))),
    ],
)
def test_digits_worked_by_hand(value: int, digits: tuple[tuple[int, int], ...]) -> None:
    assert signed_digits(value) == digits


def test_no_form_has_fewer_digits() -> None:
    for digits in (1, 2, 3):
        for value in expressible(digits, 8):
            assert len(signed_digits(value)) <= digits


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_kept_digits_are_a_nearest_number_of_so_many_digits(digits: int) -> None:
    candidates = np.array(expressible(digits, 11))
    for value in range(-600, 601):
        kept = keep_digits(value, digits)
        assert len(signed_digits(kept)) <= digits
        assert abs(kept - value) == np.abs(candidates - value).min()


@given(st.integers(-(2**30), 2**30), st.integers(1, 6))
def test_each_digit_divides_the_error_by_three(value: int, digits: int) -> None:
    assert abs(keep_digits(value, digits) - value) * 3**digits <= abs(value)


@given(st.integers(-(2**30), 2**30), st.integers(0, 4))
def test_what_has_few_digits_is_kept(value: int, spare: int) -> None:
    assert keep_digits(value, max(1, len(signed_digits(value)) + spare)) == value


def test_arrays_are_rounded_element_by_element() -> None:
    values = np.array([[90.7, -90.7], [0.4, 0.5]])
    rounded = round_to_digits(values, 3)
    assert rounded.dtype == np.int64
    assert rounded.tolist() == [[92, -92], [0, 0]]


def test_no_digits_are_refused() -> None:
    with pytest.raises(BadInputError, match=r"^signed digits must be at least 1, not 0$"):
        round_to_digits(np.ones(1), 0)
