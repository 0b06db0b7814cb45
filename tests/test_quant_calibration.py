"""Grids and clip points: fxpmath's rounding, the clipping identity in fractions, brute force over candidates."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from fixed_point import raw_values
from hypothesis import given
from hypothesis import strategies as st

from quant.calibration import offset_grid, quantise, search_grid, unsigned_grid
from quant.errors import BadInputError
from quant.integer_network import Grid


@pytest.mark.parametrize(("bits", "fraction"), [(8, 5), (4, 1), (2, 0), (6, 8)])
def test_an_unsigned_grid_is_an_unsigned_q_format(bits: int, fraction: int) -> None:
    values = np.concatenate([np.arange(-20, 300) / 2 ** (fraction + 1), [1e6, -1e6]])
    assert quantise(values, Grid(bits, 2.0**-fraction)).tolist() == raw_values(values, False, bits, fraction, "around")


@pytest.mark.parametrize(("bits", "fraction"), [(8, 5), (4, 1), (2, 0)])
def test_an_offset_grid_is_a_signed_q_format_moved_by_half_its_codes(bits: int, fraction: int) -> None:
    values = np.concatenate([np.arange(-300, 300) / 2 ** (fraction + 1), [1e6, -1e6]])
    zero = 2 ** (bits - 1)
    codes = quantise(values, Grid(bits, 2.0**-fraction, zero))
    assert codes.min() >= 0
    assert (codes - zero).tolist() == raw_values(values, True, bits, fraction, "around")


@pytest.mark.parametrize("bits", range(2, 9))
def test_the_clip_point_is_the_largest_code(bits: int) -> None:
    below, both = unsigned_grid(3.0, bits), offset_grid(3.0, bits)
    assert (below.low, below.zero, quantise(np.array([3.0, 99.0]), below).tolist()) == (0, 0, [below.top] * 2)
    assert (both.zero, quantise(np.array([3.0, -3.0, -99.0, 0.0]), both).tolist()) == (
        2 ** (bits - 1),
        [2**bits - 1, 1, 0, both.zero],
    )


@given(st.integers(-50, 50), st.integers(0, 50), st.lists(st.fractions(-200, 200), min_size=1), st.data())
def test_clipping_weights_to_the_range_of_x_loses_nothing(
    low: int, span: int, weights: list[Fraction], data: st.DataObject
) -> None:
    high = low + span
    for w in weights:
        x = data.draw(st.fractions(low, high))
        clipped = min(max(w, Fraction(low)), Fraction(high))
        assert abs(x - w) == abs(x - clipped) + abs(w - clipped)


def error(values: np.ndarray, grid: Grid) -> float:
    codes = np.clip(np.round(values / grid.scale) + grid.zero, 0, 2**grid.bits - 1)
    return float(((((codes - grid.zero) * grid.scale) - values) ** 2).mean())


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_search_takes_the_best_candidate(bits: int, signed: bool) -> None:
    rng = np.random.default_rng(bits)
    values = rng.standard_t(2, 3000) if signed else np.abs(rng.standard_t(2, 3000))
    weights = rng.normal(0.5, 1, (4, 5))
    make = offset_grid if signed else unsigned_grid
    largest = np.abs(values).max()
    errors = {}
    for step in range(17):
        grid = make(largest * (0.2 + 0.05 * step), bits)
        errors[step] = error(values, grid) + error(np.clip(weights, grid.low, grid.high), grid)
    best = min(errors, key=lambda step: errors[step])
    found = search_grid(values, bits, 17, signed=signed, weights=[weights])
    assert found.scale == pytest.approx(make(largest * (0.2 + 0.05 * best), bits).scale, rel=1e-12)


def test_narrow_codes_clip_further_than_wide_ones() -> None:
    values = np.abs(np.random.default_rng(0).laplace(0, 1, 20000))
    clips = [search_grid(values, bits, 65, signed=False).high for bits in (2, 4, 6, 8)]
    assert clips == sorted(clips)
    assert clips[0] < clips[-1]


def test_a_peak_that_the_sample_misses_still_bounds_the_search() -> None:
    values = np.full(2**19 + 1, 0.25)
    values[1] = 4.0
    assert search_grid(values, 8, 2, signed=False).high in (4.0, pytest.approx(0.8))


@pytest.mark.parametrize("values", [np.zeros(5), np.array([-1.0, -2.0])])
def test_values_without_signal_are_refused(values: np.ndarray) -> None:
    message = r"^calibration values must not all be zero: this tensor carries no signal$"
    with pytest.raises(BadInputError, match=message):
        search_grid(values, 8, 3, signed=False)
