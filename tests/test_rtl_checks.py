from __future__ import annotations

from pathlib import Path

import pytest

from quant.errors import BadInputError, MismatchError
from rtl.checks import Interface, Port, check_design
from rtl.library import LIBRARY_MODULES, library_sources, module_source
from rtl.verilog_text import SignalProduct, parse_with_pyslang, signal_products

LANE = Interface((Port("x", "input", 8), Port("w", "input", 8), Port("value", "output", 8)), (), 1)
LANE_ARRAY = Interface(
    (
        Port("clk", "input"),
        Port("rst", "input"),
        Port("in_valid", "input"),
        Port("in_dot", "input"),
        Port("in_bit_select", "input", 8),
        Port("in_split", "input"),
        Port("in_first", "input"),
        Port("in_double", "input"),
        Port("in_subtract", "input"),
        Port("in_x", "input", 16 * 8),
        Port("in_w", "input", 16 * 16 * 8),
        Port("acc", "output", 16 * 24),
        Port("sum_x", "output", 24),
    ),
    (
        *(f"processing_element gen_element[{lane}].u_element" for lane in range(16)),
        "tree_pipeline gen_sum_x.u_tree",
        "accumulator gen_sum_x.u_accumulator",
    ),
    256,
)


def written(folder: Path, text: str) -> Path:
    path = folder / "design.v"
    path.write_text(text, encoding="ascii")
    return path


def products(folder: Path, text: str) -> list[SignalProduct]:
    path = written(folder, text)
    return signal_products(parse_with_pyslang([path]), [path])


def test_whole_library_is_read_alike_and_multiplies_nothing() -> None:
    census = check_design(library_sources(), "lane_array", LANE_ARRAY)
    assert [module.name for module in census.modules] == sorted(LIBRARY_MODULES)
    assert census.lanes == 16 * 16
    assert census.instances["processing_element"] == 16
    assert census.instances["dot_lane"] == 16 * 16
    assert "complement_lane" not in census.instances  # the parameter chooses the minimum
    assert census.constant_products > 0  # ranges of ports, which are not hardware


@pytest.mark.parametrize("expression", ["x * w", "x / w", "x % w", "x ** w"])
def test_planted_product_is_caught(tmp_path: Path, expression: str) -> None:
    lane = module_source("minimum_lane")
    text = lane.read_text(encoding="ascii")
    planted = text.replace(
        "\nendmodule", f"\n  wire [CODE_BITS-1:0] planted;\n  assign planted = {expression};\nendmodule"
    )
    path = written(tmp_path, planted)
    line = 1 + planted[: planted.index(expression)].count("\n")
    with pytest.raises(BadInputError) as error:
        check_design([path], "minimum_lane", LANE)
    assert str(error.value) == f"operands of * / % ** must be constants, not signals: `{expression}` at {path}:{line}"


@pytest.mark.parametrize(
    "expression",
    [
        "N * bus",
        "bus * N",
        "2 * (N + port)",
        "N * register[1]",
        "{bus, 1'b0} / 2",
        "N % memory[0][1]",
        "bus ** 2",
        "(bus == 0 ? N : 1) * 2",
        "2 * gen_block[0].inner",
        "2 * doubled(N)",
        "$signed(bus) * 2",
        "shadowed * 2",
        "N * unknown",
    ],
)
def test_any_operand_that_is_not_constant_is_a_signal(tmp_path: Path, expression: str) -> None:
    text = f"""module m #(parameter N = 4) (input wire [7:0] port);
  wire [7:0] bus;
  reg [7:0] register;
  reg [7:0] memory [0:3];
  localparam shadowed = 3;
  genvar g;
  generate for (g = 0; g < 2; g = g + 1) begin : gen_block wire [7:0] inner; end endgenerate
  function [7:0] doubled; input [7:0] operand; reg [7:0] shadowed; doubled = operand; endfunction
  wire [7:0] y;
  assign y = {expression};
endmodule
"""
    found = products(tmp_path, text)
    assert [(product.path, product.line) for product in found] == [(tmp_path / "design.v", 10)]


def test_products_of_constants_are_fine(tmp_path: Path) -> None:
    text = """module m #(parameter N = 4, parameter M = 2) (input wire [N*M-1:0] port);
  localparam [7:0] L = N * M % 3 + 2 ** N / 5;
  genvar g;
  generate for (g = 0; g < N; g = g + 1) begin : gen_block
    localparam INNER = g * $clog2(N) * L;
    wire [INNER*2:0] slice;
    assign slice = port[(g+1)*M-1:g*M];
  end endgenerate
endmodule
"""
    assert products(tmp_path, text) == []


def test_constants_of_one_module_are_not_those_of_the_next(tmp_path: Path) -> None:
    text = """module a; localparam n = 3; localparam m = n * 2; endmodule
module b (input wire [3:0] n, output wire [7:0] m); assign m = n * 2; endmodule
function [7:0] c(input [7:0] n); c = n * 2; endfunction
"""
    assert [product.line for product in products(tmp_path, text)] == [2, 3]


def test_assignment_operators_multiply_too(tmp_path: Path) -> None:
    text = "module a (input wire [3:0] n);\nreg [7:0] m;\nalways @* begin m = 1;\nm *= n;\nend endmodule\n"
    assert products(tmp_path, text) == [SignalProduct(tmp_path / "design.v", 4, "m *= n")]


@pytest.mark.parametrize(
    ("promised", "sentence"),
    [
        (
            Interface((LANE.ports[0], Port("w", "input", 9), LANE.ports[2]), (), 1),
            "ports of minimum_lane must be as promised, not input [7:0] w in place of input [8:0] w",
        ),
        (
            Interface(LANE.ports[:2], (), 1),
            "ports of minimum_lane must be as promised, not output [7:0] value in place of nothing",
        ),
        (
            Interface((Port("x", "input", 8, signed=True), *LANE.ports[1:]), (), 1),
            "ports of minimum_lane must be as promised, not input [7:0] x in place of input signed [7:0] x",
        ),
        (
            Interface(LANE.ports, ("ram u_ram",), 1),
            "instances in minimum_lane must be as promised, not nothing in place of ram u_ram",
        ),
        (Interface(LANE.ports, (), 2), "adder lanes of minimum_lane must be 2, not 1"),
    ],
)
def test_a_broken_promise_is_a_mismatch(promised: Interface, sentence: str) -> None:
    with pytest.raises(MismatchError) as error:
        check_design([module_source("minimum_lane")], "minimum_lane", promised)
    assert str(error.value) == sentence


def test_what_pyverilog_reads_wrong_is_a_mismatch(tmp_path: Path) -> None:
    path = written(tmp_path, "module m (input signed [7:0] x, w);\nendmodule\n")
    with pytest.raises(MismatchError, match=r"^ports of module m must be read alike, not as .* by pyslang and .*$"):
        check_design([path], "m", Interface((), (), 0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("module m (\n", r"Verilog must be readable by pyslang, not fail with: .*/design\.v:1:\d+: error: .*"),
        ("module m; wire a = 1, b = 0; endmodule\n", r"Verilog must be readable by pyverilog, not .*"),
        ("module m;\nabsent u_absent ();\nendmodule\n", r"design m must elaborate, not fail with: .*'absent'.*"),
    ],
)
def test_unreadable_text(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"^{sentence}$"):
        check_design([written(tmp_path, text)], "m", Interface((), (), 0))


def test_missing_source(tmp_path: Path) -> None:
    path = tmp_path / "absent.v"
    with pytest.raises(BadInputError) as error:
        check_design([path], "m", LANE)
    assert str(error.value) == f"Verilog source of m must be an existing file, not missing: {path}"


def test_nothing_is_written_into_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_design([module_source("minimum_lane")], "minimum_lane", LANE)
    assert list(tmp_path.iterdir()) == []
