"""Synthesis of a printed design with Yosys: gates or cell area, LUTs of three FPGA families, and no multiplier in it.

For two of the families nextpnr places and routes it, where a clock rate is asked for.
Memories stay memories for the ASIC figures: they are listed by words and bits, and the logic's area is without them.
For an FPGA they become block RAM or LUT RAM, as the family's own script decides.
"""

from __future__ import annotations

import csv
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from quant.errors import BadInputError, MismatchError
from quant.files import require_file
from rtl.clock_rate import PORTS_SCRIPT, WrappedPort, clock_rate, ports_of
from rtl.nextpnr import ClockRate, Device, NextpnrError, nextpnr_command
from rtl.yosys import YosysError, YosysRun, YosysTimeoutError, quoted, require_yosys, run_yosys, statistics_line

GATE_TABLE = Path(__file__).resolve().parent / "tables" / "gate_transistors.csv"
GATE_CONVENTION = (
    "1 gate equivalent = 1 NAND2 = 4 transistors of static CMOS; weights as Yosys `stat -tech cmos`, a flip-flop 16"
)
TIME_LIMIT_S = 1800.0

_MULTIPLIERS = ("$mul", "$div", "$mod", "$divfloor", "$modfloor", "$pow", "$macc", "$macc_v2")
"""Cells of Yosys that compute a product or a quotient of two signals."""
_TRANSISTORS_A_GATE = 4
_GENERIC_GATES = "cmos4,XOR,XNOR,MUX,NMUX"


class Target(enum.StrEnum):
    """What a design is synthesised for."""

    ASIC = "asic"
    XC7 = "xc7"
    ECP5 = "ecp5"
    ICE40 = "ice40"


@dataclass(frozen=True, slots=True)
class Family:
    """An FPGA family: its synthesis, and how many of a resource each of its cells is. Cells not named are wiring.

    Attributes:
        name: for people.
        script: Yosys commands, `{top}` for the top module; DSP blocks are allowed, so that their absence counts.
        resources: `luts`, `flip_flops`, `block_rams`, `lut_rams`, `carries`, `dsps` to prefixes of cells and weights.
        device: the largest that nextpnr places on; None where no nextpnr knows the family.
    """

    name: str
    script: tuple[str, ...]
    resources: Mapping[str, Mapping[str, float]]
    device: Device | None = None


FAMILIES: Mapping[Target, Family] = {
    Target.XC7: Family(
        "Xilinx 7-series",
        ("synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top {top}",),
        {
            # A wide RAM of n ports fills n LUTs of a slice (UG474, Distributed RAM); INV is absorbed or costs a LUT.
            "luts": {"LUT": 1, "INV": 1, "RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4},
            "flip_flops": {"FD": 1},
            "block_rams": {"RAMB18": 0.5, "RAMB36": 1},
            "lut_rams": {"RAM32": 1, "RAM64": 1, "RAM128": 1},
            "carries": {"CARRY4": 1},
            "dsps": {"DSP": 1},
        },
    ),
    Target.ECP5: Family(
        "Lattice ECP5",
        ("synth_ecp5 -top {top}",),
        {
            # CCU2C is two LUT4 in carry mode; TRELLIS_DPR16X4 four LUT4 and two of their write ports (FPGA-TN-02200).
            "luts": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
            "flip_flops": {"TRELLIS_FF": 1},
            "block_rams": {"DP16KD": 1, "PDPW16KD": 1},
            "lut_rams": {"TRELLIS_DPR16X4": 1},
            "carries": {"CCU2C": 1},
            "dsps": {"MULT18X18": 1, "MULT9X9": 1, "ALU54": 1, "ALU24": 1},
        },
        Device(
            "LFE5U-85F, speed grade 6",
            "nextpnr-ecp5",
            ("--85k", "--package", "CABGA381", "--speed", "6", "--lpf-allow-unconstrained"),
        ),
    ),
    Target.ICE40: Family(
        "Lattice iCE40",
        ("synth_ice40 -dsp -top {top}",),
        {
            "luts": {"SB_LUT4": 1},
            "flip_flops": {"SB_DFF": 1},
            "block_rams": {"SB_RAM": 1},
            "lut_rams": {},
            "carries": {"SB_CARRY": 1},
            "dsps": {"SB_MAC16": 1},
        },
        Device("iCE40HX8K", "nextpnr-ice40", ("--hx8k", "--package", "ct256", "--pcf-allow-unconstrained")),
    ),
}


@dataclass(frozen=True, slots=True)
class Memory:
    """A memory of the design."""

    name: str
    words: int
    width_bits: int

    @property
    def bits(self) -> int:
        """Words times width."""
        return self.words * self.width_bits


@dataclass(frozen=True, slots=True)
class CellArea:
    """Logic mapped to a cell library.

    Attributes:
        library: name of the Liberty file.
        cells: cells by type.
        area: in the library's unit, square micrometres in most; memories are left out.
        sequential_area: the flip-flops' part of it.
        nand2_area: of the library's smallest two-input NAND; None when it has none.
    """

    library: str
    cells: Mapping[str, int]
    area: float
    sequential_area: float
    nand2_area: float | None

    @property
    def nand2_equivalents(self) -> float | None:
        """The area in two-input NANDs."""
        return None if self.nand2_area is None else self.area / self.nand2_area


@dataclass(frozen=True, slots=True)
class Gates:
    """Logic as generic gates, no library needed; memories are left out.

    Attributes:
        cells: gates by type.
        transistors: by `rtl/tables/gate_transistors.csv`.
        flip_flops: how many of the cells hold state.
    """

    cells: Mapping[str, int]
    transistors: int
    flip_flops: int

    @property
    def gate_equivalents(self) -> float:
        """In two-input NANDs of four transistors."""
        return self.transistors / _TRANSISTORS_A_GATE


@dataclass(frozen=True, slots=True)
class Resources:
    """What a design fills of an FPGA; a block RAM is the family's own, 36 kbit in a 7-series (its halves count 0.5).

    `clock` is None unless it was asked for and nextpnr knows the family.
    """

    target: Target
    luts: int
    flip_flops: int
    block_rams: float
    lut_rams: int
    carries: int
    dsps: int
    cells: Mapping[str, int]
    clock: ClockRate | None = None


@dataclass(frozen=True, slots=True)
class Synthesis:
    """Every figure of one design.

    Attributes:
        top: the design's top module.
        multipliers: cells that multiply or divide in the elaborated design, before anything is optimised: always 0.
        memories: as the Verilog declares them; empty without the ASIC target.
        gates: None without the ASIC target.
        area: None without a library.
        fpga: one per FPGA target.
    """

    top: str
    multipliers: int
    memories: tuple[Memory, ...]
    gates: Gates | None
    area: CellArea | None
    fpga: tuple[Resources, ...]

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(memory.bits for memory in self.memories)


def gate_transistors() -> dict[str, int]:
    """Transistors of each generic gate."""
    with GATE_TABLE.open(newline="", encoding="ascii") as file:
        return {row["gate"]: int(row["transistors"]) for row in csv.DictReader(file)}


def elaboration(sources: Sequence[Path], top: str, parameters: Mapping[str, int] | None = None) -> list[str]:
    """Script lines that read a design and leave it flat, with the count of its cells as `elaborated`."""
    overrides = "".join(f" -set {name} {value}" for name, value in (parameters or {}).items())
    return [
        *(f"read_verilog {quoted(source.resolve())}" for source in sources),
        # Not `hierarchy -chparam`, which fails on a top module whose parameters change twice.
        *([f"chparam{overrides} {top}"] if overrides else []),
        f"hierarchy -check -top {top}",
        *([f"rename -top {top}"] if overrides else []),
        "proc",
        "flatten",
        statistics_line("elaborated"),
    ]


# `synth` without the steps that know what a memory holds: its words are loaded at run time, and it stays a macro.
_COARSE = (
    *("opt_expr", "opt_clean", "memory_dff", "memory_collect", "opt_clean"),
    *("opt -nodffe -nosdff", "fsm", "opt", "wreduce", "peepopt", "opt_clean", "alumacc", "share", "opt", "opt_clean"),
)
_FINE = ("opt -fast -full", "opt -undriven -fine", "techmap", "opt -fast", "opt_clean")
_MEMORIES = ("select t:$mem t:$mem_v2", "write_json -selected memories.statistics.json", "select -clear")


def _asic_script(liberty: Path | None) -> list[str]:
    script = [*_COARSE, *_MEMORIES, *_FINE, "design -save logic"]
    script += [
        "dfflegalize -cell $_DFF_P_ 01 -cell $_DFF_PN0_ 01 -cell $_DFF_PN1_ 01 -cell $_DLATCH_P_ 01",
        *("opt_clean", f"abc -g {_GENERIC_GATES}", "opt_clean", statistics_line("gates")),
    ]
    if liberty is not None:
        script += [
            *("design -load logic", *liberty_mapping(liberty), statistics_line("area", f"-liberty {quoted(liberty)}")),
            *nand2_script(liberty),
        ]
    return script


def liberty_mapping(liberty: Path) -> list[str]:
    """Script lines that map logic to a library's cells, as small as the mapper finds."""
    return [f"dfflibmap -liberty {quoted(liberty)}", "opt_clean", f"abc -liberty {quoted(liberty)}", "opt_clean"]


def nand2_script(liberty: Path) -> list[str]:
    """Script lines that count the cells of one NAND of two signals: the library's smallest NAND2 if it has one."""
    return [
        "design -reset",
        "read_verilog <<END\nmodule nand2 (input wire a, b, output wire y); assign y = ~(a & b); endmodule\nEND",
        *("synth -flatten -top nand2", f"abc -liberty {quoted(liberty)}", "opt_clean"),
        statistics_line("nand2", f"-liberty {quoted(liberty)}"),
    ]


def nand2_area(run: YosysRun) -> float | None:
    """Area of a two-input NAND after `nand2_script`; None where it takes more than one cell."""
    cells = run.cells("nand2")
    return float(run.statistics["nand2"]["design"]["area"]) if sum(cells.values()) == 1 else None


def synthesise(
    sources: Sequence[Path],
    top: str,
    targets: Iterable[Target] = (Target.ASIC,),
    *,
    liberty: Path | None = None,
    parameters: Mapping[str, int] | None = None,
    folder: Path | None = None,
    fmax: bool = False,
    time_limit_s: float = TIME_LIMIT_S,
    progress: Callable[[str], None] = lambda _step: None,
) -> Synthesis:
    """Synthesise a design, each target in a process of its own.

    Args:
        sources: every Verilog file of the design.
        top: name of the top module.
        targets: what for, in this order.
        liberty: cell library of the ASIC target; None for generic gates alone.
        parameters: of the top module, where they differ from its own.
        folder: where memory images are found; None for a design that has none.
        fmax: also place and route for the FPGA targets that nextpnr knows; a design that does not fit, or takes longer
            than the limit, is such a result and no error.
        time_limit_s: seconds for each target, and again for its place and route.
        progress: told `<target>: <pass of Yosys>` as each starts.

    Raises:
        BadInputError: a file is missing, no target, a library without the ASIC target, a clock rate without a target
            that has one, Yosys refuses the design or the library, or a target takes longer than the limit.
        MismatchError: the elaborated design holds a multiplier, or an FPGA's synthesis used a DSP block.
        MissingToolError: without the Python package pyosys, or with `fmax` without nextpnr.
    """
    wanted = tuple(dict.fromkeys(targets))
    if not wanted:
        raise BadInputError("targets must be at least one, not none")
    for source in sources:
        require_file(source, f"Verilog source of {top}")
    if liberty is not None:
        require_file(liberty, "cell library")
        if Target.ASIC not in wanted:
            raise BadInputError(f"targets with a cell library must include asic, not be {', '.join(wanted)}")
    if time_limit_s <= 0:
        raise BadInputError(f"time limit must be positive, not {time_limit_s:g} s")
    require_yosys()
    if fmax:
        require_nextpnr(wanted)

    memories: tuple[Memory, ...] = ()
    gates: Gates | None = None
    area: CellArea | None = None
    fpga: list[Resources] = []

    def run(target: str, steps: Sequence[str]) -> YosysRun:
        try:
            return run_yosys(
                [*elaboration(sources, top, parameters), *steps],
                time_limit_s=time_limit_s,
                images=folder,
                progress=lambda name: progress(f"{target}: {name}"),
            )
        except YosysError as error:
            raise BadInputError(f"design {top} must synthesise for {target}, not fail with: {error}") from error
        except YosysTimeoutError as error:
            raise BadInputError(
                f"synthesis of {top} for {target} must end within {time_limit_s:g} s, not run on: "
                "give it more time, or print fewer lanes"
            ) from error

    def rate(target: Target, ports: Sequence[WrappedPort], device: Device) -> ClockRate:
        try:
            return clock_rate(
                elaboration(sources, top, parameters),
                top,
                ports,
                FAMILIES[target].script,
                device,
                folder=folder,
                time_limit_s=time_limit_s,
                progress=lambda name: progress(f"{target}, place and route: {name}"),
            )
        except (YosysError, NextpnrError) as error:
            raise BadInputError(f"design {top} must be placed on {device.name}, not fail with: {error}") from error

    # By itself and first: a mapper may need hours for what is to be refused.
    elaborated = run("any target", PORTS_SCRIPT if fmax else ())
    require_no_multiplier(elaborated, top)
    for target in wanted:
        if target is Target.ASIC:
            mapped = run(target, _asic_script(None if liberty is None else liberty.resolve()))
            memories, gates = _memories(mapped.statistics["memories"]), _gates(mapped.cells("gates"))
            area = None if liberty is None else _cell_area(mapped, liberty)
        else:
            steps = [*(line.format(top=top) for line in FAMILIES[target].script), statistics_line("mapped")]
            filled = _resources(target, run(target, steps).cells("mapped"), top)
            device = FAMILIES[target].device
            if fmax and device is not None:
                ports = ports_of(elaborated.statistics["ports"], top)
                filled = replace(filled, clock=rate(target, ports, device))
            fpga.append(filled)
    return Synthesis(top, 0, memories, gates, area, tuple(fpga))


def require_nextpnr(targets: Iterable[Target]) -> None:
    """Check, before any work, that clock rates can be had.

    Raises:
        BadInputError: when none of the targets has a nextpnr.
        MissingToolError: when that of one is not installed.
    """
    devices = [FAMILIES[target].device for target in targets if target in FAMILIES]
    programs = [device.program for device in devices if device is not None]
    if not programs:
        known = " or ".join(target for target, family in FAMILIES.items() if family.device is not None)
        raise BadInputError(f"targets with a clock rate must include {known}, not be {', '.join(targets)}")
    for program in programs:
        nextpnr_command(program)


def require_no_multiplier(run: YosysRun, top: str) -> None:
    """Raise MismatchError when the design that `elaboration` read holds a cell that multiplies or divides."""
    found = {cell: count for cell, count in run.cells("elaborated").items() if cell in _MULTIPLIERS}
    if found:
        listed = ", ".join(f"{count} {cell}" for cell, count in sorted(found.items()))
        raise MismatchError(f"multiplier cells of {top} must be 0, not {listed}")


def _memories(netlist: Mapping[str, Any]) -> tuple[Memory, ...]:
    found = [
        Memory(
            str(cell["parameters"]["MEMID"]).removeprefix("\\"),
            int(cell["parameters"]["SIZE"], 2),
            int(cell["parameters"]["WIDTH"], 2),
        )
        for module in netlist["modules"].values()
        for cell in module["cells"].values()
    ]
    return tuple(sorted(found, key=lambda memory: memory.name))


def _gates(cells: Mapping[str, int]) -> Gates:
    weights = gate_transistors()
    logic = {cell: count for cell, count in cells.items() if not cell.startswith("$mem")}
    unknown = sorted(logic.keys() - weights.keys() - {"$scopeinfo"})
    if unknown:
        raise MismatchError(f"generic gates must be those of {GATE_TABLE.name}, not {', '.join(unknown)}")
    logic = {cell: count for cell, count in sorted(logic.items()) if cell in weights}
    state = sum(count for cell, count in logic.items() if cell.startswith(("$_DFF", "$_DLATCH")))
    return Gates(logic, sum(count * weights[cell] for cell, count in logic.items()), state)


def _cell_area(run: YosysRun, liberty: Path) -> CellArea:
    cells = {cell: count for cell, count in sorted(run.cells("area").items()) if not cell.startswith("$")}
    total = run.statistics["area"]["design"]
    return CellArea(liberty.name, cells, float(total["area"]), float(total["sequential_area"]), nand2_area(run))


def resources(target: Target, cells: Mapping[str, int]) -> Resources:
    """What cells of an FPGA family fill; the longest prefix of a cell's name decides what it is."""
    counted: dict[str, float] = {}
    for kind, weights in FAMILIES[target].resources.items():
        total = 0.0
        for cell, count in cells.items():
            prefixes = [prefix for prefix in weights if cell.startswith(prefix)]
            if prefixes:
                total += count * weights[max(prefixes, key=len)]
        counted[kind] = total
    return Resources(
        target,
        luts=int(counted["luts"]),
        flip_flops=int(counted["flip_flops"]),
        block_rams=counted["block_rams"],
        lut_rams=int(counted["lut_rams"]),
        carries=int(counted["carries"]),
        dsps=int(counted["dsps"]),
        cells={cell: count for cell, count in sorted(cells.items()) if cell != "$scopeinfo"},
    )


def _resources(target: Target, cells: Mapping[str, int], top: str) -> Resources:
    filled = resources(target, cells)
    if filled.dsps:
        raise MismatchError(f"DSP blocks of {top} on {FAMILIES[target].name} must be 0, not {filled.dsps}")
    return filled
