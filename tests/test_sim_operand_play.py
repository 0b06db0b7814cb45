"""Every element and the lane array on a small library: their sums are checked, and every tap is counted."""

from __future__ import annotations

import numpy as np
import pytest
from cell_library import write_library

from quant.errors import MismatchError
from rtl.elements import Element, map_element, map_lane_array
from rtl.liberty import CellLibrary
from rtl.operand_words import OperandWords
from sim.gate_energy import Delay, switched_energy
from sim.operand_play import play_array, play_element

BITS, LANES = 3, 3
SWEEP, SWEEPS = 4, 6


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CellLibrary:
    return write_library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def words() -> OperandWords:
    """Two windows of three sweeps; of two output lanes the second holds a channel in every other sweep."""
    rng = np.random.default_rng(0)
    count = SWEEP * SWEEPS
    first = np.arange(count) % SWEEP == 0
    taps = np.full((2, count), LANES)
    taps[1] *= np.arange(count) // SWEEP % 2
    x, w = rng.integers(0, 1 << BITS, (count, LANES)), rng.integers(0, 1 << BITS, (2, count, LANES))
    return OperandWords(x, w * (taps > 0)[..., None], first, np.isin(np.arange(count), (0, 12)), taps)


@pytest.mark.parametrize("element", Element)
def test_elements_compute_their_sums(element: Element, library: CellLibrary, words: OperandWords) -> None:
    """Of each window the first two clocks do not count: 10 of 12; the second output lane has taps in 4 and 2 + 4."""
    play = play_element(map_element(element, LANES, BITS, library), element, words, BITS)
    assert play.taps == LANES * (2 * 10 + 4 + 6)
    glitches = [switched_energy(play.activity, library, delay) for delay in (Delay.ZERO, Delay.UNIT)]
    assert 0 < glitches[0].total_fj < glitches[1].total_fj
    assert glitches[0].clock_fj == glitches[1].clock_fj > 0


@pytest.mark.parametrize(
    ("mapped", "played"), [(Element.COMPLEMENT, Element.MINIMUM), (Element.MINIMUM, Element.BOOTH_PASS)]
)
def test_wrong_sums_are_found(mapped: Element, played: Element, library: CellLibrary, words: OperandWords) -> None:
    with pytest.raises(
        MismatchError, match=r"^registers of a netlist must hold what their logic computes, not what was"
    ):
        play_element(map_element(mapped, LANES, BITS, library), played, words, BITS)


@pytest.mark.parametrize(("form", "split", "stages"), [(1, 0, 0), (0, 0, 1), (1, 2, 2)])
def test_the_lane_array(form: int, split: int, stages: int, library: CellLibrary, words: OperandWords) -> None:
    sizes = {"IN_LANES": LANES, "OUT_LANES": 2, "CODE_BITS": BITS, "ACC_BITS": 11}
    parameters = {**sizes, "MIN_FORM": form, "DOT_SPLIT": split, "TREE_STAGES": stages}
    play = play_array(map_lane_array(parameters, library), parameters, words)
    counted = [t for t in range(24) if t % 12 >= 3 + stages]
    assert play.taps == LANES * sum(1 + (t // SWEEP) % 2 for t in counted)
    assert switched_energy(play.activity, library, Delay.ZERO).total_fj > 0
