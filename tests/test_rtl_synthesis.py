"""Synthesis: what is counted, that nothing multiplies, and that each refusal is a sentence."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from quant.errors import BadInputError, MismatchError, MissingToolError
from rtl.library import library_sources, module_source
from rtl.synthesis import FAMILIES, GATE_TABLE, Gates, Memory, Target, gate_transistors, resources, synthesise
from rtl.yosys import YosysError, YosysTimeoutError, quoted, run_yosys

# A small library, its areas chosen for totals worked by hand; the mapper asks for an inverter and a buffer in any.
LIBERTY = """library (four) {
  cell (INVX) { area : 2; pin (A) { direction : input; } pin (Y) { direction : output; function : "A'"; } }
  cell (BUFX) { area : 3; pin (A) { direction : input; } pin (Y) { direction : output; function : "A"; } }
  cell (NANDX) { area : 4; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "(A B)'"; } }
  cell (NORX) { area : 5; pin (A) { direction : input; } pin (B) { direction : input; }
    pin (Y) { direction : output; function : "(A+B)'"; } }
  cell (DFFX) { area : 16; ff (IQ, IQN) { clocked_on : "CK"; next_state : "D"; }
    pin (CK) { direction : input; clock : true; } pin (D) { direction : input; }
    pin (Q) { direction : output; function : "IQ"; } }
}
"""
NAND_CELL = LIBERTY[LIBERTY.index("  cell (NANDX)") : LIBERTY.index("  cell (NORX)")]

NAND_INTO_FLOP = """module m (input wire clk, input wire a, input wire b, output reg q);
  always @(posedge clk) q <= ~(a & b);
endmodule
"""
# Two memories: one of 24 words of 5 bits, one that nothing ever writes.
MEMORIES = """module m (input wire clk, input wire en, input wire [4:0] a, input wire [4:0] d, output reg [4:0] q,
          output reg [2:0] r);
  reg [4:0] words_q [0:23];
  reg [2:0] table_q [0:31];
  initial $readmemh("table.mem", table_q);
  always @(posedge clk) begin
    if (en) words_q[a] <= d;
    q <= words_q[a];
    r <= table_q[a];
  end
endmodule
"""


def written(folder: Path, text: str, name: str = "m.v") -> Path:
    path = folder / name
    path.write_text(text, encoding="ascii")
    return path


def test_gates_worked_by_hand(tmp_path: Path) -> None:
    """A NAND of 4 transistors and a flip-flop of 16 are 5 gate equivalents; in the library 4 + 16 and 5 NANDs."""
    result = synthesise([written(tmp_path, NAND_INTO_FLOP)], "m", liberty=written(tmp_path, LIBERTY, "four.lib"))
    assert result.gates == Gates({"$_DFF_P_": 1, "$_NAND_": 1}, 20, 1)
    assert result.gates.gate_equivalents == 5
    assert result.area is not None
    assert (result.area.library, result.area.cells) == ("four.lib", {"DFFX": 1, "NANDX": 1})
    assert (result.area.area, result.area.sequential_area, result.area.nand2_area) == (20, 16, 4)
    assert result.area.nand2_equivalents == 5
    assert (result.multipliers, result.memories, result.fpga) == (0, (), ())


def test_a_library_without_nand2_has_no_equivalents(tmp_path: Path) -> None:
    library = written(tmp_path, LIBERTY.replace(NAND_CELL, ""), "three.lib")
    result = synthesise([written(tmp_path, NAND_INTO_FLOP)], "m", liberty=library)
    assert result.area is not None
    assert (result.area.nand2_area, result.area.nand2_equivalents) == (None, None)
    # A NAND without a NAND: three inverters and a NOR.
    assert result.area.cells.get("NANDX") is None


def test_memories_stay_memories(tmp_path: Path) -> None:
    """Their bits are listed, known contents or not, and none of them becomes a flip-flop."""
    written(tmp_path, "\n".join("07" for _ in range(32)), "table.mem")
    result = synthesise([written(tmp_path, MEMORIES)], "m", folder=tmp_path)
    assert result.memories == (Memory("table_q", 32, 3), Memory("words_q", 24, 5))
    assert result.memory_bits == 32 * 3 + 24 * 5
    assert result.gates is not None
    assert result.gates.flip_flops == 0  # the registers of the read ports are the memories'


def test_memory_of_an_fpga_is_block_ram_or_lut_ram(tmp_path: Path) -> None:
    text = MEMORIES.replace('initial $readmemh("table.mem", table_q);', "")
    (filled,) = synthesise([written(tmp_path, text)], "m", [Target.ECP5]).fpga
    assert filled.lut_rams + filled.block_rams > 0
    assert filled.luts < 24 * 5


@pytest.mark.parametrize("target", Target)
def test_the_lanes_of_the_library_on_every_target(target: Target) -> None:
    parameters = {"IN_LANES": 2, "OUT_LANES": 2, "CODE_BITS": 4, "ACC_BITS": 12}
    told: list[str] = []
    result = synthesise(library_sources(), "lane_array", [target], parameters=parameters, progress=told.append)
    assert result.multipliers == 0
    assert any(step.startswith(f"{target}: ABC") for step in told)
    if target is Target.ASIC:
        assert result.gates is not None
        # Sums, their 12-bit accumulators, the sum of x and the drain's register.
        assert result.gates.flip_flops > 4 * 12
    else:
        (filled,) = result.fpga
        assert (filled.target, filled.dsps, filled.block_rams) == (target, 0, 0)
        assert filled.flip_flops > 4 * 12
        assert filled.luts > 0
        assert filled.carries > 0


PRODUCT = "module m (input wire [7:0] x, w, output wire [15:0] y); assign y = x * w; endmodule\n"


@pytest.mark.parametrize(("operator", "cell"), [("*", "$mul"), ("/", "$div"), ("%", "$mod")])
def test_a_multiplier_is_a_mismatch(operator: str, cell: str, tmp_path: Path) -> None:
    with pytest.raises(MismatchError) as caught:
        synthesise([written(tmp_path, PRODUCT.replace("*", operator))], "m")
    assert str(caught.value) == f"multiplier cells of m must be 0, not 1 {cell}"


def test_a_multiplier_in_a_module_below_is_found(tmp_path: Path) -> None:
    text = PRODUCT.replace("module m", "module below")
    for name in ("one", "two"):
        text += (
            f"module {name} (input wire [7:0] x, w, output wire [15:0] y); below u (.x(x), .w(w), .y(y)); endmodule\n"
        )
    text += (
        "module m (input wire [7:0] x, w, output wire [15:0] y, z); one u_1 (x, w, y); two u_2 (x, w, z); endmodule\n"
    )
    with pytest.raises(MismatchError, match=r"^multiplier cells of m must be 0, not 2 \$mul$"):
        synthesise([written(tmp_path, text)], "m")


@pytest.mark.parametrize(
    ("target", "cell"),
    [(Target.ECP5, "MULT18X18_OTHER"), (Target.ICE40, "SB_MAC16_OTHER")],
)
def test_a_dsp_block_is_a_mismatch(target: Target, cell: str, tmp_path: Path) -> None:
    """A DSP block that the Verilog names itself is no `$mul`, and is found all the same."""
    text = f"module m (input wire clk, output wire y); (* keep *) {cell} u_dsp (); assign y = clk; endmodule\n"
    text += f"(* blackbox *) module {cell} (); endmodule\n"
    with pytest.raises(MismatchError) as caught:
        synthesise([written(tmp_path, text)], "m", [target])
    assert str(caught.value) == f"DSP blocks of m on {FAMILIES[target].name} must be 0, not 1"


def test_what_a_cell_fills() -> None:
    cells = {"LUT6": 3, "LUT2": 1, "RAM32M": 2, "RAMB18E1": 3, "RAMB36E1": 1, "FDRE": 7, "CARRY4": 2, "MUXF7": 5}
    filled = resources(Target.XC7, cells)
    assert (filled.luts, filled.flip_flops, filled.block_rams) == (3 + 1 + 2 * 4, 7, 2.5)
    assert (filled.lut_rams, filled.carries, filled.dsps) == (2, 2, 0)
    filled = resources(Target.ECP5, {"LUT4": 5, "CCU2C": 3, "PFUMX": 2, "DP16KD": 1, "MULT18X18D": 2})
    assert (filled.luts, filled.carries, filled.block_rams, filled.dsps) == (11, 3, 1, 2)


def test_the_weights_of_gates_have_sources() -> None:
    weights = gate_transistors()
    assert (weights["$_NAND_"], weights["$_NOT_"], weights["$_XOR_"], weights["$_DFF_P_"]) == (4, 2, 12, 16)
    for line in GATE_TABLE.read_text().splitlines()[1:]:
        assert line.split(",", 2)[2]


# Refusals ------------------------------------------------------------------------------------------------------------


def test_refusals_before_any_work(tmp_path: Path) -> None:
    lane = [module_source("minimum_lane")]
    absent = tmp_path / "absent"
    with pytest.raises(BadInputError, match=r"^targets must be at least one, not none$"):
        synthesise(lane, "minimum_lane", [])
    with pytest.raises(BadInputError, match=r"^Verilog source of m must be an existing file, not missing: "):
        synthesise([absent], "m")
    with pytest.raises(BadInputError, match=r"^cell library must be an existing file, not missing: "):
        synthesise(lane, "minimum_lane", liberty=absent)
    with pytest.raises(BadInputError, match=r"^targets with a cell library must include asic, not be xc7$"):
        synthesise(lane, "minimum_lane", [Target.XC7], liberty=lane[0])
    with pytest.raises(BadInputError, match=r"^time limit must be positive, not 0 s$"):
        synthesise(lane, "minimum_lane", time_limit_s=0)


def test_unreadable_input_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"^design m must synthesise for any target, not fail with: .*syntax error"):
        synthesise([written(tmp_path, "module m (;\n")], "m")
    library = written(tmp_path, "not a library\n", "bad.lib")
    with pytest.raises(BadInputError, match=r"^design minimum_lane must synthesise for asic, not fail with: "):
        synthesise([module_source("minimum_lane")], "minimum_lane", liberty=library)


def test_the_time_limit_ends_the_work() -> None:
    started = time.monotonic()
    with pytest.raises(BadInputError) as caught:
        synthesise(library_sources(), "accelerator", time_limit_s=0.05)
    assert str(caught.value) == (
        "synthesis of accelerator for any target must end within 0.05 s, not run on: "
        "give it more time, or print fewer lanes"
    )
    # Not a measurement: far below what the work takes, far above what ending it does.
    assert time.monotonic() - started < 60


def test_missing_yosys_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingToolError) as caught:
        synthesise([module_source("minimum_lane")], "minimum_lane")
    assert str(caught.value) == (
        "synthesis tool Yosys (pyosys) must be installed, not missing: `pip install 'hwadder[synth]'`"
    )


def test_scripts_run_apart_from_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failing pass does not end this process, a caller's folder `pyosys` is not imported, nothing is left behind."""
    (tmp_path / "pyosys").mkdir()
    (tmp_path / "pyosys" / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(YosysError, match="nothing"):
        run_yosys(["hierarchy -top nothing"], time_limit_s=60)
    assert [path.name for path in tmp_path.iterdir()] == ["pyosys"]
    with pytest.raises(YosysTimeoutError, match=r"^Yosys must end within 0\.01 s, not run on$"):
        run_yosys(["help"], time_limit_s=0.01)
    with pytest.raises(BadInputError, match=r"^path for Yosys must be without quotes and line breaks"):
        quoted('a"b')
