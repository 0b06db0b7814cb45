from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rtl.memory_image import code_lines, image, word_lines

READER = """\
module reader;
    reg [WIDTH-1:0] memory [0:DEPTH-1];
    integer index;
    initial begin
        $readmemh("image.mem", memory);
        for (index = 0; index < DEPTH; index = index + 1)
            $display("%b", memory[index]);
    end
endmodule
"""


def read_by_icarus(folder: Path, text: str, width: int) -> list[int]:
    """The words that $readmemh makes of an image."""
    (folder / "image.mem").write_text(text)
    depth = text.count("\n")
    (folder / "reader.v").write_text(READER.replace("WIDTH", str(width)).replace("DEPTH", str(depth)))
    subprocess.run(["iverilog", "-g2005", "-Wall", "-o", "reader.vvp", "reader.v"], cwd=folder, check=True)
    run = subprocess.run(["vvp", "-n", "reader.vvp"], cwd=folder, check=True, capture_output=True, text=True)
    return [int(line, 2) for line in run.stdout.splitlines()]


@given(st.integers(1, 8), st.integers(1, 30), st.integers(1, 5), st.integers(0, 1000))
def test_lane_i_takes_the_bits_from_i_times_the_width(code_bits: int, lanes: int, words: int, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(0, 1 << code_bits, (words, lanes)).astype(np.uint8)
    lines = list(code_lines(codes, code_bits))
    expected = [sum(int(code) << lane * code_bits for lane, code in enumerate(word)) for word in codes]
    assert [int(line, 16) for line in lines] == expected
    assert all(len(line) == -(-lanes * code_bits // 4) for line in lines)


@given(st.integers(1, 100), st.integers(0, 1000))
def test_words_are_as_long_as_their_width(width: int, seed: int) -> None:
    words = [0, 1, (1 << width) - 1, seed % (1 << width)]
    lines = list(word_lines(words, width))
    assert [int(line, 16) for line in lines] == words
    assert {len(line) for line in lines} == {-(-width // 4)}


def test_a_simulator_reads_what_was_meant(tmp_path: Path) -> None:
    codes = np.random.default_rng(3).integers(0, 8, (9, 5)).astype(np.uint8)
    expected = [sum(int(code) << lane * 3 for lane, code in enumerate(word)) for word in codes]
    assert read_by_icarus(tmp_path, image(code_lines(codes, 3)), 15) == expected
    assert read_by_icarus(tmp_path, image(word_lines([5, 0, (1 << 37) - 1], 37)), 37) == [5, 0, (1 << 37) - 1]
