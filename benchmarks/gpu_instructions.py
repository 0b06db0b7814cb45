"""Instructions of a GPU that the inner loops of the adder layer take for one tap, counted in the machine code.

    python benchmarks/gpu_instructions.py

Compiles the Triton programs for compute capability 9.0 (H100, H200), which needs no GPU, disassembles them with what
Triton brings along, and counts every instruction from the innermost loop's label to its backward branch: arithmetic,
copies, addresses, masks, barriers. The limits are 2 for the forward and the input's gradient and 0.25 for 8-bit codes.

Writes gpu_instructions.json and gpu_instructions.md into the folder of `--out`.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from hwadder.gpu_blocks import INSTRUCTIONS_A_TAP, Blocks, channels_a_step
from hwadder.gpu_kernels import Launch, forward_launch, input_gradient_launch, phases

TARGET = GPUTarget("cuda", 90, 32)
_TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
_POINTERS = {torch.float32: "*fp32", torch.float16: "*fp16", torch.bfloat16: "*bf16", torch.int32: "*i32"}


class Program(Enum):
    """What is compiled, with the instructions that a tap needs at the least."""

    FORWARD = "forward"
    INPUT_GRADIENT = "input gradient"
    CODES = "8-bit codes"


@dataclass(frozen=True, slots=True)
class InnerLoop:
    """The innermost loop of a compiled program; `taps` are those of one thread in one turn."""

    instructions: tuple[str, ...]
    taps: int
    registers: int

    @property
    def per_tap(self) -> float:
        """Instructions for one |x - w|, or for one clamp."""
        return len(self.instructions) / self.taps

    def counts(self) -> Counter[str]:
        """Instructions by name, without predicate and modifiers."""
        return Counter(re.sub(r"^@!?U?P\w+\s+", "", each).split()[0].partition(".")[0] for each in self.instructions)


def layer_launch(program: Program, blocks: Blocks, channels: int, dtype: torch.dtype) -> Launch:
    """A 3x3 layer on 32x32 maps with as many filters as channels: shapes without data."""
    words = channels // 4
    x, weight = (
        torch.empty(shape, dtype=dtype, device="meta") for shape in ((64, channels, 32, 32), (channels, channels, 3, 3))
    )
    match program:
        case Program.FORWARD:
            return forward_launch(x, weight, x, (1, 1), (1, 1), (1, 1), 1, blocks)
        case Program.INPUT_GRADIENT:
            (phase,) = phases(3, 1, 1, 1)
            return input_gradient_launch(x, x, weight, x, phase, phase, 1, blocks)
        case Program.CODES:
            packed_x, packed_weight = (each[:, :words].to(torch.int32) for each in (x, weight))
            y = x.to(torch.int32)
            return forward_launch(packed_x, packed_weight, y, (1, 1), (1, 1), (1, 1), 1, blocks)


def compile_launch(launch: Launch) -> Any:
    """The launch compiled for TARGET, specialised as Triton does when it runs: an argument of 1 is a constant, and
    pointers and multiples of 16 are known as such."""
    names = launch.program.arg_names
    values = dict(zip(names, (*launch.arguments, *launch.constants), strict=True))
    first_constant = len(launch.arguments)
    constants = {
        name: value
        for index, (name, value) in enumerate(values.items())
        if index >= first_constant or (isinstance(value, int) and value == 1)
    }
    signature = {
        name: "constexpr" if name in constants else _POINTERS[value.dtype] if isinstance(value, Tensor) else "i32"
        for name, value in values.items()
    }
    aligned = {
        (index,): [["tt.divisibility", 16]]
        for index, (name, value) in enumerate(values.items())
        if name not in constants and (isinstance(value, Tensor) or value % 16 == 0)
    }
    source = ASTSource(launch.program, signature, constexprs=constants, attrs=aligned)
    return triton.compile(source, target=TARGET, options={"num_warps": launch.warps, "enable_fp_fusion": True})


def innermost_loop(disassembly: str) -> tuple[str, ...]:
    """Every instruction from the label of the longest loop that holds no other to its backward branch."""
    instructions: list[str] = []
    labels: dict[str, int] = {}
    loops: list[tuple[int, int]] = []
    for line in disassembly.splitlines():
        if label := re.match(r"\s*(\.L_x_\d+):", line):
            labels[label[1]] = len(instructions)
        elif instruction := re.match(r"\s*/\*[0-9a-f]+\*/\s+(.*?)\s*;", line):
            instructions.append(instruction[1])
            branch = re.search(r"\bBRA\b.*`\((\.L_x_\d+)\)", instruction[1])
            # A branch to itself is the trap behind a program's end.
            if branch and labels.get(branch[1], len(instructions)) < len(instructions) - 1:
                loops.append((labels[branch[1]], len(instructions)))
    (loop,) = [each for each in loops if not any(each[0] <= a and b < each[1] for a, b in loops if (a, b) != each)]
    return tuple(instructions[slice(*loop)])


def inner_loop(program: Program, blocks: Blocks, channels: int = 64, dtype: torch.dtype = torch.float32) -> InnerLoop:
    """Compile and disassemble a program for the layer of `layer_launch`."""
    launch = layer_launch(program, blocks, channels, dtype)
    compiled = compile_launch(launch)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        texts = [
            subprocess.run([_TOOLS / tool, option, file.name], check=True, capture_output=True, text=True).stdout
            for tool, option in (("nvdisasm", "-c"), ("cuobjdump", "-res-usage"))
        ]
    registers = re.search(r"REG:(\d+)", texts[1])
    if registers is None:
        raise SystemExit(f"cuobjdump must print the registers of a program, not:\n{texts[1]}")
    words = channels // 4 if program is Program.CODES else channels
    steps = channels_a_step(words) * (4 if program is Program.CODES else 1)
    return InnerLoop(innermost_loop(texts[0]), blocks.thread_m * blocks.thread_n * steps, int(registers[1]))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    program: str
    dtype: str
    positions: int
    filters: int
    thread: str
    instructions: int
    per_tap: float
    registers: int
    mix: dict[str, int]


def measure(program: Program, blocks: Blocks, dtype: torch.dtype) -> Row:
    """Count one program in one block."""
    loop = inner_loop(program, blocks, dtype=dtype)
    return Row(
        program.value,
        "uint8" if program is Program.CODES else str(dtype).removeprefix("torch."),
        blocks.positions,
        blocks.filters,
        f"{blocks.thread_m} x {blocks.thread_n}",
        len(loop.instructions),
        round(loop.per_tap, 3),
        loop.registers,
        dict(loop.counts().most_common(5)),
    )


def table(rows: list[Row]) -> str:
    """The results as a page."""
    lines = [
        f"| {row.program} | {row.dtype} | {row.positions} x {row.filters} | {row.thread} | **{row.per_tap:.2f}** "
        f"| {row.registers} | {', '.join(f'{count} {name}' for name, count in row.mix.items())} |"
        for row in rows
    ]
    return "\n".join(
        [
            "# Instructions a tap",
            "",
            "Automatically generated by `python benchmarks/gpu_instructions.py`: every instruction of the innermost "
            f"loop, compiled by Triton {triton.__version__} for compute capability 9.0, for a 3x3 layer of 64 channels "
            "on 32x32 maps.",
            "",
            "| program | type | block (positions x filters) | a thread's sums | instructions a tap | registers "
            "| most frequent in one turn |",
            "|---|---|---|---|---:|---:|---|",
            *lines,
            "",
            "The least is 2 for the forward (FADD, FADD of an absolute value) and for the input's gradient (FADD.SAT, "
            "FFMA), and 0.25 for codes (VABSDIFF4, four taps).",
            "",
        ]
    )


def main() -> None:
    """Count, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    parser.add_argument("--large", action="store_true", help="the two widest blocks alone, in float32")
    options = parser.parse_args()
    large = tuple(INSTRUCTIONS_A_TAP)[:2]
    cases = [(program, blocks, torch.float32) for program in Program for blocks in large]
    if not options.large:
        few_positions = Blocks(16, 8, 4, 8)
        others = (*tuple(INSTRUCTIONS_A_TAP)[2:], few_positions)
        cases += [(program, blocks, torch.float32) for program in Program for blocks in others]
        halves = (torch.float16, torch.bfloat16)
        cases += [(each, large[0], dtype) for each in (Program.FORWARD, Program.INPUT_GRADIENT) for dtype in halves]
    rows = [measure(*case) for case in cases]
    page = table(rows)
    print(page)
    content = {"triton": triton.__version__, "target": "sm_90", "rows": [asdict(row) for row in rows]}
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "gpu_instructions.json").write_text(json.dumps(content, indent=1) + "\n")
    (options.out / "gpu_instructions.md").write_text(page)


if __name__ == "__main__":
    main()
