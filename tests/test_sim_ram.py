from __future__ import annotations

from pathlib import Path

import pytest
from module_bench import run_module_bench

from quant.errors import BadInputError
from rtl.library import module_source
from rtl.lint import lint
from rtl.synthesis import Resources, Target, synthesise


@pytest.mark.parametrize(
    ("width", "depth", "address_bits", "slices"),
    [(1, 1, 1, 1), (8, 16, 4, 1), (3, 5, 3, 3), (128, 3, 7, 1), (128, 3, 2, 16), (12, 6, 3, 2)],
    ids=str,
)
def test_words_read_back(tmp_path: Path, width: int, depth: int, address_bits: int, slices: int) -> None:
    run_module_bench("ram", tmp_path, {"WIDTH": width, "DEPTH": depth, "ADDRESS_BITS": address_bits, "SLICES": slices})


@pytest.mark.parametrize("style", range(3))
def test_image_is_there_from_the_start(tmp_path: Path, style: int) -> None:
    image = tmp_path / "image.hex"
    image.write_text("0f3\n111\n000\nfff\nabc\n", encoding="ascii")
    run_module_bench(
        "ram",
        tmp_path / "build",
        {"WIDTH": 12, "DEPTH": 5, "ADDRESS_BITS": 3, "SLICES": 3, "INIT_FILE": str(image), "STYLE": style},
    )


@pytest.mark.parametrize("style", range(3))
def test_both_front_ends_are_silent_in_every_style(tmp_path: Path, style: int) -> None:
    (tmp_path / "top.v").write_text(
        "module top (input wire clk, e, input wire [3:0] a, input wire [7:0] d, output wire [7:0] q);\n"
        f'  ram #(.STYLE({style}), .INIT_FILE("image.hex")) u (.clk(clk), .write_enable(e), .write_address(a),\n'
        "    .write_data(d), .read_enable(e), .read_address(a), .read_data(q));\nendmodule\n"
    )
    assert lint([module_source("ram"), tmp_path / "top.v"], "top") == []


@pytest.mark.parametrize("target", [Target.ECP5, Target.XC7])
def test_the_style_is_what_synthesis_takes(target: Target, tmp_path: Path) -> None:
    """A small memory in a block, a deep one in LUTs."""

    def filled(style: int, **parameters: int) -> Resources:
        size = {**parameters, "STYLE": style}
        return synthesise([module_source("ram")], "ram", [target], parameters=size, folder=tmp_path).fpga[0]

    small = filled(1, WIDTH=16, DEPTH=64, ADDRESS_BITS=6)
    assert (small.block_rams > 0, small.lut_rams) == (True, 0)
    deep = filled(2, WIDTH=4, DEPTH=1024, ADDRESS_BITS=10)
    assert (deep.block_rams, deep.lut_rams > 0) == (0, True)
    sliced = filled(1, WIDTH=64, DEPTH=512, ADDRESS_BITS=9, SLICES=4)
    assert (sliced.block_rams > 0, sliced.lut_rams) == (True, 0)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"WIDTH": 0}, "WIDTH_must_be_at_least_1"),
        ({"WIDTH": 8, "SLICES": 3}, "SLICES_must_divide_WIDTH"),
        ({"WIDTH": 8, "SLICES": 16}, "SLICES_must_divide_WIDTH"),
        ({"DEPTH": 0}, "DEPTH_must_be_at_least_1"),
        ({"DEPTH": 17, "ADDRESS_BITS": 4}, "ADDRESS_BITS_must_be_at_least_1_and_address_DEPTH_words"),
        ({"STYLE": -1}, "STYLE_must_be_0_to_2"),
        ({"STYLE": 3}, "STYLE_must_be_0_to_2"),
        ({"DEPTH": 1, "ADDRESS_BITS": 0}, "ADDRESS_BITS_must_be_at_least_1_and_address_DEPTH_words"),
    ],
)
def test_bad_parameters_stop_elaboration(tmp_path: Path, parameters: dict[str, int], sentence: str) -> None:
    with pytest.raises(BadInputError, match=f"Unknown module type: {sentence}\n"):
        run_module_bench("ram", tmp_path, parameters)
