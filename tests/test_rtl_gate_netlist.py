"""Mapped netlists: their loads and order, mapping through Yosys, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cell_library import LIBERTY, cell, module, write_library

from quant.errors import BadInputError, MissingToolError
from rtl.gate_netlist import Mapper, map_design, netlist_of


def test_loads_worked_by_hand(tmp_path: Path) -> None:
    """a -> NAND -> INV -> D, and b to the NAND twice: the clock pin is no load, Q nobody reads."""
    library = write_library(tmp_path)
    netlist = netlist_of(
        module(
            {"clk": [2], "a": [3], "b": [4], "q": [7]},
            cell("INVX", A=5, Y=6),
            cell("NANDX", A=3, B=4, Y=5),
            cell("NORX", A=4, B="0", Y=8),
            cell("DFFX", CK=2, D=6, Q=7),
            {"type": "$scopeinfo", "connections": {}},
        ),
        library,
    )
    assert dict(netlist.load_ff) == {3: 2, 4: 2 + 3, 5: 1, 6: 4, "0": 3}
    assert [gate.output for gate in netlist.gates] == [5, 8, 6]
    ((register,),) = (netlist.registers,)
    assert (register.inputs, register.output, register.inverted) == ((6,), 7, False)
    assert (netlist.area_um2, netlist.leakage_nw) == (2 + 3 + 3 + 16, 1 + 2 + 2 + 8)


def test_an_output_that_nothing_reads_has_its_own_net(tmp_path: Path) -> None:
    netlist = netlist_of(module({"a": [2]}, cell("INVX", A=2), cell("INVX", A=2, Y=3)), write_library(tmp_path))
    assert len({gate.output for gate in netlist.gates} | {2}) == 3


@pytest.mark.parametrize("mapper", [Mapper.DEFAULT, Mapper.AREA])
def test_a_design_is_mapped(mapper: Mapper, tmp_path: Path) -> None:
    source = tmp_path / "m.v"
    source.write_text("module m (input wire clk, a, b, output reg q); always @(posedge clk) q <= ~(a & b); endmodule\n")
    netlist = map_design([source], "m", {}, write_library(tmp_path), mapper=mapper, time_limit_s=60)
    assert sorted(instance.cell.name for instance in netlist.instances) == ["DFFX", "NANDX"]


RESET = LIBERTY.replace('next_state : "D";', 'next_state : "D"; clear : "!R";').replace(
    "pin (CK)", "pin (R) { direction : input; } pin (CK)"
)


@pytest.mark.parametrize(
    ("text", "instances", "sentence"),
    [
        (LIBERTY, [cell("XORX", A=2, Y=3)], "cells of a netlist must be those of five.lib, not XORX"),
        (
            LIBERTY.replace('function : "A\'";', ""),
            [cell("INVX", A=2, Y=3)],
            "cells of a netlist must be gates or flip-flops, not INVX",
        ),
        (
            LIBERTY.replace('"CK"; next', '"!CK"; next'),
            [cell("DFFX", CK=2, D=3, Q=4)],
            "flip-flops of a netlist must take the rising edge of a pin, not DFFX",
        ),
        (
            RESET,
            [cell("DFFX", CK=2, D=3, Q=4, R=5)],
            "clear and preset of a flip-flop must be tied inactive, not in use: DFFX",
        ),
        (
            RESET,
            [cell("DFFX", CK=2, D=3, Q=4, R="0")],
            "clear and preset of a flip-flop must be tied inactive, not in use: DFFX",
        ),
        (
            LIBERTY,
            [cell("INVX", A=2, Y=3), cell("INVX", A=3, Y=2)],
            "gates of a netlist must be without a loop, not wait for each other",
        ),
    ],
)
def test_refused_netlists(text: str, instances: list[dict[str, object]], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        netlist_of(module({}, *instances), write_library(tmp_path, text))
    assert str(caught.value) == sentence


def test_a_tied_reset_is_none(tmp_path: Path) -> None:
    netlist = netlist_of(module({}, cell("DFFX", CK=2, D=3, Q=4, R="1")), write_library(tmp_path, RESET))
    assert len(netlist.registers) == 1


def test_refused_mappings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = write_library(tmp_path)
    source = tmp_path / "m.v"
    source.write_text("module m (;\n")
    with pytest.raises(BadInputError, match=r"^design m must map to five\.lib, not fail with: .*syntax error"):
        map_design([source], "m", {}, library, time_limit_s=60)
    with pytest.raises(BadInputError, match=r"^mapping of m to five\.lib must end within 0\.01 s, not run on$"):
        map_design([source], "m", {}, library, time_limit_s=0.01)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingToolError, match=r"^synthesis tool Yosys \(pyosys\) must be installed, not missing: "):
        map_design([source], "m", {}, library, time_limit_s=60)
