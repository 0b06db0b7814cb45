"""Lanes, tree and processing element are their specification for every input: proven by SAT, not tried."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from equivalence_specifications import (
    COMPLEMENT_LANE,
    DOT_LANE,
    MINIMUM_LANE,
    PROCESSING_ELEMENT,
    SPLIT_TREE,
    SPLIT_TREE_UNDER_TEST,
    TREE_AS_A_LOOP,
    TREE_IN_ITS_ORDER,
    TREE_UNDER_TEST,
)

from quant.errors import MismatchError
from rtl.equivalence import prove_equal
from rtl.library import library_sources, module_source
from rtl.yosys import YosysError

LANES = {"minimum_lane": MINIMUM_LANE, "complement_lane": COMPLEMENT_LANE, "dot_lane": DOT_LANE}


def prove(
    folder: Path,
    module: str,
    specification: str,
    parameters: Mapping[str, int],
    *,
    steps: int | None = None,
    extra: str = "",
    mutate: Mapping[str, tuple[str, str]] | None = None,
) -> None:
    """Prove a library module, or one in `extra` that uses the library; `mutate` changes a module's text first."""
    path = folder / "specification.v"
    path.write_text(specification, encoding="ascii")
    sources = []
    for source in library_sources():
        if mutate and source.stem in mutate:
            before, after = mutate[source.stem]
            text = source.read_text(encoding="ascii")
            assert text.count(before) == 1
            source = folder / source.name
            source.write_text(text.replace(before, after), encoding="ascii")
        sources.append(source)
    if extra:
        (folder / "extra.v").write_text(extra, encoding="ascii")
        sources.append(folder / "extra.v")
    prove_equal(sources, module, path, parameters, steps=steps, time_limit_s=250)


@pytest.mark.parametrize("code_bits", range(2, 9))
@pytest.mark.parametrize("lane", LANES)
def test_lane(lane: str, code_bits: int, tmp_path: Path) -> None:
    prove(tmp_path, lane, LANES[lane], {"CODE_BITS": code_bits})


@pytest.mark.parametrize(("lanes", "width"), [(1, 4), (1, 8), (2, 8), (3, 4), (3, 8), (4, 4), (5, 3)])
def test_small_tree_is_a_sum(lanes: int, width: int, tmp_path: Path) -> None:
    prove(tmp_path, "tree_under_test", TREE_AS_A_LOOP, {"LANES": lanes, "WIDTH": width}, extra=TREE_UNDER_TEST)


@pytest.mark.parametrize(("lanes", "width"), [(1, 8), (3, 8), (5, 4), (5, 8), (7, 8), (16, 4), (16, 8)])
def test_tree_loses_no_bit_in_any_node(lanes: int, width: int, tmp_path: Path) -> None:
    prove(tmp_path, "tree_under_test", TREE_IN_ITS_ORDER, {"LANES": lanes, "WIDTH": width}, extra=TREE_UNDER_TEST)


@pytest.mark.parametrize(("lanes", "width", "shift"), [(2, 8, 4), (3, 4, 2), (4, 4, 2)])
def test_split_tree_is_two_sums(lanes: int, width: int, shift: int, tmp_path: Path) -> None:
    parameters = {"LANES": lanes, "WIDTH": width, "SHIFT": shift}
    prove(tmp_path, "split_tree_under_test", SPLIT_TREE, parameters, extra=SPLIT_TREE_UNDER_TEST)


@pytest.mark.parametrize("min_form", [0, 1])
def test_processing_element(min_form: int, tmp_path: Path) -> None:
    parameters = {"IN_LANES": 2, "CODE_BITS": 4, "ACC_BITS": 10, "MIN_FORM": min_form}
    prove(tmp_path, "processing_element", PROCESSING_ELEMENT, parameters, steps=3)


@pytest.mark.parametrize(("min_form", "tree_stages"), [(0, 1), (1, 1), (0, 2)])
def test_pipelined_processing_element(min_form: int, tree_stages: int, tmp_path: Path) -> None:
    parameters = {"IN_LANES": 3, "CODE_BITS": 2, "ACC_BITS": 6, "MIN_FORM": min_form, "TREE_STAGES": tree_stages}
    prove(tmp_path, "processing_element", PROCESSING_ELEMENT, parameters, steps=3 + tree_stages)


@pytest.mark.slow
@pytest.mark.parametrize("min_form", [0, 1])
@pytest.mark.parametrize(("lanes", "code_bits"), [(1, 8), (2, 8), (3, 4)])
def test_wider_processing_element(lanes: int, code_bits: int, min_form: int, tmp_path: Path) -> None:
    parameters = {"IN_LANES": lanes, "CODE_BITS": code_bits, "ACC_BITS": code_bits + 6, "MIN_FORM": min_form}
    prove(tmp_path, "processing_element", PROCESSING_ELEMENT, parameters, steps=3)


@pytest.mark.slow
def test_widest_tree(tmp_path: Path) -> None:
    prove(tmp_path, "tree_under_test", TREE_IN_ITS_ORDER, {"LANES": 64, "WIDTH": 8}, extra=TREE_UNDER_TEST)


# The proofs can fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lane", "before", "after"),
    [
        ("minimum_lane", "(x < w) ? x : w", "(x > w) ? x : w"),
        ("minimum_lane", "(x < w) ? x : w", "(x[CODE_BITS-1:1] < w[CODE_BITS-1:1]) ? x : w"),
        ("complement_lane", "assign carry = difference[CODE_BITS];", "assign carry = difference[CODE_BITS-1];"),
        ("dot_lane", "|(w & bit_select)", "&(w | ~bit_select)"),
    ],
)
def test_a_mutated_lane_is_refuted(lane: str, before: str, after: str, tmp_path: Path) -> None:
    found = r"(?=.*\btrigger=1\b)(?=.*\bin_x=\d+)(?=.*\bin_w=\d+)"
    with pytest.raises(MismatchError, match=rf"^{lane} .* must equal its specification, not differ: {found}"):
        prove(tmp_path, lane, LANES[lane], {"CODE_BITS": 8}, mutate={lane: (before, after)})


@pytest.mark.parametrize("specification", [TREE_AS_A_LOOP, TREE_IN_ITS_ORDER], ids=["loop", "order"])
@pytest.mark.parametrize(
    ("before", "after"),
    [("gen_node[2*n+1].total, in_carry[n]", "gen_node[2*n+1].total, 1'b0"), (", in_carry[0]}", ", 1'b0}")],
    ids=["inner-carry", "last-carry"],
)
def test_a_tree_that_loses_a_carry_is_refuted(specification: str, before: str, after: str, tmp_path: Path) -> None:
    parameters = {"LANES": 3, "WIDTH": 4}
    with pytest.raises(MismatchError, match=r"^tree_under_test .* must equal its specification, not differ: "):
        prove(
            tmp_path,
            "tree_under_test",
            specification,
            parameters,
            extra=TREE_UNDER_TEST,
            mutate={"adder_tree": (before, after)},
        )


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("accumulator", "{acc[ACC_BITS-2:0], 1'b0}", "acc"),
        ("accumulator", "in_subtract ? start - step : start + step", "start + step"),
        ("tree_pipeline", "out_valid <= sum_valid;", "out_valid <= 1'b1;"),
    ],
)
def test_a_mutated_step_is_refuted(module: str, before: str, after: str, tmp_path: Path) -> None:
    parameters = {"IN_LANES": 1, "CODE_BITS": 2, "ACC_BITS": 6, "MIN_FORM": 1}
    with pytest.raises(MismatchError, match=r"^processing_element .* must equal its specification, not differ: "):
        prove(tmp_path, "processing_element", PROCESSING_ELEMENT, parameters, steps=3, mutate={module: (before, after)})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("assign carries[v] = group_carry[0];", "assign carries[v] = 1'b0;"),
        ("valid_q <= gen_stage[s-1].valid;", "valid_q <= 1'b1;"),
    ],
    ids=["carry", "valid"],
)
def test_a_mutated_stage_is_refuted(before: str, after: str, tmp_path: Path) -> None:
    parameters = {"IN_LANES": 3, "CODE_BITS": 2, "ACC_BITS": 6, "MIN_FORM": 0, "TREE_STAGES": 2}
    mutate = {"tree_pipeline": (before, after)}
    with pytest.raises(MismatchError, match=r"^processing_element .* must equal its specification, not differ: "):
        prove(tmp_path, "processing_element", PROCESSING_ELEMENT, parameters, steps=5, mutate=mutate)


def test_what_cannot_be_read_is_no_refutation(tmp_path: Path) -> None:
    path = tmp_path / "specification.v"
    path.write_text("module specification (input wire x;\n", encoding="ascii")
    with pytest.raises(YosysError, match="syntax error"):
        prove_equal([module_source("minimum_lane")], "minimum_lane", path)
