"""Area of an adder element beside a multiplier element, on a cell library and on three FPGA families.

    HWADDER_DATA=<folder with sg13g2_stdcell_typ_1p20V_25C.lib> python benchmarks/pe_area.py

Writes benchmarks/results/pe_area.json, .md and .png; takes some twenty minutes of one core. The elements are
those of rtl/elements: lanes, tree and a 24-bit accumulator from the library against the baselines listed in
multiplier_element.v, which are compared with `*` on Icarus before anything is measured. Each design is mapped in
each of the ways below and the smallest counts, for the adder as for the multiplier. `--resume` goes on from the
results that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from matplotlib.figure import Figure

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from quant.errors import BadInputError, MismatchError
from rtl.elements import ELEMENTS_FOLDER, element_sources
from rtl.gate_netlist import Mapper
from rtl.synthesis import Target, elaboration, resources
from rtl.yosys import YosysError, YosysTimeoutError, quoted, run_yosys, statistics_line

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
LIBRARY = "sg13g2_stdcell_typ_1p20V_25C.lib"
ACC_BITS = 24
CONSTANT_LANES = 8
SHARING_LANES = 16
CLOCK_PS = 8000
TIME_LIMIT_S = 240.0
SOURCES = element_sources()

SYNTH = ("synth -run coarse:check",)
BOOTH = ("synth -booth -run coarse:check",)
FPGA = {
    Target.XC7: "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -nodsp",
    Target.ECP5: "synth_ecp5 -nodsp",
    Target.ICE40: "synth_ice40",
}
MAPPERS = (Mapper.DEFAULT, Mapper.AREA)
"""The mapper's own script, and one that minimises area alone."""


@dataclass(frozen=True, slots=True)
class Design:
    """One way to build an element."""

    name: str
    top: str
    parameters: dict[str, int]
    asic: tuple[str, ...] = SYNTH
    most_lanes: int = 64
    """Above this many lanes Yosys takes longer than the limit for this form."""


MINIMUM = Design("min", "adder_element", {"MIN_FORM": 1})
COMPLEMENT = Design("complement", "adder_element", {"MIN_FORM": 0})
SUM_OF_X = Design("sum of x", "sum_of_x", {})
MULTIPLIERS = (
    Design("booth pass, tree", "multiplier_element", {"FORM": 0}, BOOTH),
    Design("booth pass, one sum", "multiplier_element", {"FORM": 1}, BOOTH),
    Design("`*`, tree", "multiplier_element", {"FORM": 0}, most_lanes=16),
    Design("Booth rows in one sum", "multiplier_element", {"FORM": 2}, most_lanes=16),
    Design("Booth rows a lane, tree", "multiplier_element", {"FORM": 3}),
)
ROWS = (
    Design("Booth rows a lane, tree", "multiplier_element", {"FORM": 3}),
    Design("AND rows a lane, tree", "multiplier_element", {"FORM": 4}),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement: `size` in square micrometres, or in LUTs; `delay_ps` of mapped logic without wires."""

    target: str
    design: str
    code_bits: int
    lanes: int
    size: float
    mapping: str
    delay_ps: float | None = None


def verify_multipliers() -> None:
    """Raise MismatchError unless every form of the baseline equals `*` for all pairs of codes and random words."""
    for form in range(5):
        for code_bits in (4, 8):
            for lanes in (1, 4):
                with tempfile.TemporaryDirectory() as folder:
                    program = Path(folder) / "testbench"
                    values = {"FORM": form, "CODE_BITS": code_bits, "LANES": lanes}
                    sources = [ELEMENTS_FOLDER / "multiplier_element.v", FOLDER / "verilog" / "multiplier_testbench.v"]
                    overrides = [f"-Pmultiplier_testbench.{name}={value}" for name, value in values.items()]
                    subprocess.run(["iverilog", "-g2005", *overrides, "-o", program, *sources], check=True)
                    said = subprocess.run(["vvp", "-n", program], check=True, capture_output=True, text=True).stdout
                if said.strip() != "PASS":
                    raise MismatchError(f"multiplier form {form} at {values} must equal `*`, not say {said.strip()}")


def asic(design: Design, code_bits: int, lanes: int, library: Path, clock_ps: int | None) -> Row | None:
    """The smallest mapping of a design to the library's cells; None where it takes too long or misses the clock."""
    best: Row | None = None
    for mapper in MAPPERS:
        if clock_ps is not None and mapper.script:
            continue  # sized for the clock by the mapper's own script alone
        timing = "" if clock_ps is None else f"-D {clock_ps} -constr load.constr"
        # Sizing asks for what drives the inputs and loads the outputs; a tee is the one way a script writes a file.
        constraint = [
            "tee -q -o load.constr log set_driving_cell sg13g2_buf_1",
            "tee -q -a load.constr log set_load 10",
        ]
        parameters = {**design.parameters, "LANES": lanes, "CODE_BITS": code_bits, "ACC_BITS": ACC_BITS}
        lines = [
            *elaboration(SOURCES, design.top, parameters),
            *constraint,
            *(*design.asic, f"dfflibmap -liberty {quoted(library)}", "opt_clean"),
            f"abc -liberty {quoted(library)} {mapper.script} {timing}".rstrip(),
            *("opt_clean", statistics_line("area", f"-liberty {quoted(library)}")),
        ]
        try:
            run = run_yosys(lines, time_limit_s=TIME_LIMIT_S)
        except YosysTimeoutError:
            print(
                f"  {design.name} {code_bits} bits {lanes} lanes {mapper}: left out, over {TIME_LIMIT_S:g} s",
                flush=True,
            )
            continue
        delays = re.findall(r"ABC: .*Delay = *([\d.]+)", run.log)
        delay_ps = float(delays[-1]) if clock_ps is not None and delays else None
        if delay_ps is not None and clock_ps is not None and delay_ps > clock_ps:
            continue
        size = float(run.statistics["area"]["design"]["area"])
        if best is None or size < best.size:
            target = "asic" if clock_ps is None else f"asic, {clock_ps / 1000:g} ns"
            best = Row(target, design.name, code_bits, lanes, round(size, 1), mapper, delay_ps)
    return best


def fpga(target: Target, design: Design, code_bits: int, lanes: int) -> Row | None:
    """LUTs of a design without DSP blocks; None where it takes too long."""
    parameters = {**design.parameters, "LANES": lanes, "CODE_BITS": code_bits, "ACC_BITS": ACC_BITS}
    lines = [
        *elaboration(SOURCES, design.top, parameters),
        f"{FPGA[target]} -top {design.top}",
        statistics_line("mapped"),
    ]
    try:
        run = run_yosys(lines, time_limit_s=TIME_LIMIT_S)
    except YosysTimeoutError:
        print(f"  {design.name} {code_bits} bits {lanes} lanes {target}: left out, over {TIME_LIMIT_S:g} s", flush=True)
        return None
    return Row(str(target), design.name, code_bits, lanes, resources(target, run.cells("mapped")).luts, "yosys")


def constant_layer(code_bits: int, kind: str) -> str:
    """A fully unrolled layer, as many outputs as inputs, of constant weights: kind `dot`, `min` or `complement`.

    Weights are drawn once (seed 1) from a normal distribution whose standard deviation is a quarter of the largest
    weight, rounded and clipped, as signed for the dot product and offset by half the range for the adder layer.
    """
    rng = random.Random(1)
    half = 1 << (code_bits - 1)
    inputs = outputs = CONSTANT_LANES
    sum_bits = 2 * code_bits + 5
    weights = [
        [min(half - 1, max(-half, round(rng.gauss(0, half / 4)))) for _ in range(inputs)] for _ in range(outputs)
    ]

    def tap(x: str, weight: int) -> str:
        if kind == "dot":
            return f"$signed({{1'b0, {x}}}) * ({weight})"
        code = f"{code_bits}'d{weight + half}"
        if kind == "min":
            return f"$signed({{1'b0, ({x} < {code}) ? {x} : {code}}})"
        return f"$signed({{1'b0, ({x} < {code}) ? {code} - {x} : {x} - {code}}})"

    lines = [f"module layer (input wire [{inputs * code_bits - 1}:0] x, output wire [{outputs * sum_bits - 1}:0] y);"]
    lines += [f"wire [{code_bits - 1}:0] x{i}; assign x{i} = x[{i * code_bits} +: {code_bits}];" for i in range(inputs)]
    shared = ""
    if kind == "min":
        lines.append(f"wire signed [{sum_bits - 1}:0] shared;")
        lines.append(
            "assign shared = "
            + " + ".join(f"$signed({{{sum_bits - code_bits}'b0, x{i}}})" for i in range(inputs))
            + ";"
        )
        shared = "shared"
    for o, row in enumerate(weights):
        total = " + ".join(tap(f"x{i}", weight) for i, weight in enumerate(row))
        lines.append(f"wire signed [{sum_bits - 1}:0] y{o}; assign y{o} = {total};")
        # sum |x - w| = sum x + sum w - 2 sum min(x, w), the constant sum w left to the bias.
        value = f"{shared} - (y{o} <<< 1)" if shared else f"y{o}"
        lines.append(f"assign y[{o * sum_bits} +: {sum_bits}] = {value};")
    return "\n".join([*lines, "endmodule", ""])


def constant_rows(library: Path, known: Container[tuple[str, str, int, int]]) -> Iterator[Row]:
    """The smallest mapping of each constant layer."""
    for code_bits in (4, 8):
        for kind in ("dot", "min", "complement"):
            if ("asic", f"constant {kind} layer", code_bits, CONSTANT_LANES) in known:
                continue
            sizes: list[tuple[float, str]] = []
            with tempfile.TemporaryDirectory() as folder:
                source = Path(folder) / "layer.v"
                source.write_text(constant_layer(code_bits, kind), encoding="ascii")
                for mapper in MAPPERS:
                    lines = [
                        # Products with constants become shifts and adds in the coarse step.
                        *(f"read_verilog {quoted(source)}", "hierarchy -top layer", "proc", *SYNTH),
                        *(f"abc -liberty {quoted(library)} {mapper.script}".rstrip(), "opt_clean"),
                        statistics_line("area", f"-liberty {quoted(library)}"),
                    ]
                    try:
                        run = run_yosys(lines, time_limit_s=TIME_LIMIT_S)
                    except (YosysError, YosysTimeoutError) as error:
                        # abc crashes on some of these sums; the other mapping then counts, and its name is in the row.
                        print(f"  {code_bits} bits constant {kind} layer, {mapper}: left out, {error}", flush=True)
                        continue
                    sizes.append((float(run.statistics["area"]["design"]["area"]), mapper.value))
            if sizes:
                size, name = min(sizes)
                yield Row("asic", f"constant {kind} layer", code_bits, CONSTANT_LANES, round(size, 1), name)


def measurements(library: Path, lanes: Sequence[int], known: Container[tuple[str, str, int, int]]) -> Iterator[Row]:
    """Every row that is not known yet."""
    for code_bits in (8, 4):
        for count in lanes:
            for clock_ps in (None, CLOCK_PS):
                for design in (MINIMUM, COMPLEMENT, SUM_OF_X, *MULTIPLIERS):
                    if count > design.most_lanes:
                        continue
                    target = "asic" if clock_ps is None else f"asic, {clock_ps / 1000:g} ns"
                    if (target, design.name, code_bits, count) in known:
                        continue
                    row = asic(design, code_bits, count, library, clock_ps)
                    if row is not None:
                        yield row
    for family in FPGA:
        for code_bits in (8, 4):
            for count in lanes:
                if family is not Target.XC7 and count not in (1, 16):
                    continue  # one lane, and a tree of them
                for design in (COMPLEMENT, MINIMUM, SUM_OF_X, *ROWS):
                    if (family, design.name, code_bits, count) in known:
                        continue
                    row = fpga(family, design, code_bits, count)
                    if row is not None:
                        yield row
    yield from constant_rows(library, known)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An adder form beside the smallest multiplier found, of the same target, width and number of lanes."""

    target: str
    code_bits: int
    lanes: int
    minimum: float
    complement: float
    yosys_booth: float | None
    best: float
    best_form: str


def comparisons(rows: Sequence[Row]) -> list[Comparison]:
    """The table: the min form with its share of the common sum of x at 16 output lanes."""
    result = []
    for key in dict.fromkeys((row.target, row.code_bits, row.lanes) for row in rows if "layer" not in row.design):
        found = {row.design: row for row in rows if (row.target, row.code_bits, row.lanes) == key}
        names = {design.name for design in (*MULTIPLIERS, *ROWS)} & found.keys()
        if not {MINIMUM.name, COMPLEMENT.name, SUM_OF_X.name} <= found.keys() or not names:
            continue
        best = min((found[name] for name in names), key=lambda row: row.size)
        booth = [found[name].size for name in sorted(names) if name.startswith("booth pass")]
        shared = found[SUM_OF_X.name].size / SHARING_LANES
        size = (found[MINIMUM.name].size + shared, found[COMPLEMENT.name].size)
        result.append(Comparison(*key, *size, min(booth, default=None), best.size, best.design))
    return result


def markdown(rows: Sequence[Row]) -> str:
    """The results for people."""
    lines = [
        "# Area of an adder element beside a multiplier element",
        "",
        "Written by `benchmarks/pe_area.py`, do not edit. Lanes, tree and 24-bit accumulator; the min form with its",
        f"share of the common sum of x at {SHARING_LANES} output lanes. The multiplier takes an unsigned activation",
        f"and a signed weight. ASIC: um2 of {LIBRARY} (IHP SG13G2, 130 nm),",
        "without wires, the smaller of two mappings. FPGA: LUTs without DSP blocks, a CCU2C of an ECP5 counted as two.",
        "*Booth pass* is the smaller of Yosys' `booth` pass with a tree and with one sum; *best* is the smallest",
        "multiplier of all forms in `rtl/elements/multiplier_element.v`; two of them up to 16 lanes only, above",
        "which they take too long. At a clock only what meets it counts.",
        "",
        "| target | bits | lanes | min | complement | Booth pass | best multiplier | its form | min / Booth pass "
        "| min / best | complement / best |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in comparisons(rows):
        booth = "" if each.yosys_booth is None else f"{each.yosys_booth:,.0f}"
        ratio = "" if each.yosys_booth is None else f"{each.minimum / each.yosys_booth:.3f}"
        lines.append(
            f"| {each.target} | {each.code_bits} | {each.lanes} | {each.minimum:,.0f} | {each.complement:,.0f} "
            f"| {booth} | {each.best:,.0f} | {each.best_form} | {ratio} | {each.minimum / each.best:.3f} "
            f"| {each.complement / each.best:.3f} |"
        )
    sizes = {(row.target, row.design, row.code_bits, row.lanes): row.size for row in rows}
    lines += [
        "",
        "## Where adders lose: constant weights, fully unrolled",
        "",
        f"{CONSTANT_LANES} inputs, {CONSTANT_LANES} outputs, weights from one normal distribution (a quarter of the",
        "range), combinational, um2. Where one mapping crashes or takes too long, the other counts.",
        "",
        "| bits | dot product | adder, min form | adder, difference form | smaller adder / dot product |",
        "|---|---|---|---|---|",
    ]
    for code_bits in (4, 8):
        layer = [
            sizes.get(("asic", f"constant {kind} layer", code_bits, CONSTANT_LANES))
            for kind in ("dot", "min", "complement")
        ]
        dot, adders = layer[0], [size for size in layer[1:] if size is not None]
        cells = " | ".join("not mapped" if size is None else f"{size:,.0f}" for size in layer)
        ratio = f"{min(adders) / dot:.2f}" if dot is not None and adders else ""
        lines.append(f"| {code_bits} | {cells} | {ratio} |")
    lines += [
        "",
        "## Where the min form loses: few output lanes",
        "",
        "An output lane's area with its share of the sum of x, beside the complement form, which shares nothing.",
        "",
        "| target | bits | lanes | 1 output lane | 2 | 4 | 16 | complement |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (target, design, code_bits, count), size in sizes.items():
        shared = sizes.get((target, SUM_OF_X.name, code_bits, count))
        complement = sizes.get((target, COMPLEMENT.name, code_bits, count))
        if design == MINIMUM.name and shared is not None and complement is not None:
            cells = " | ".join(f"{size + shared / outputs:,.0f}" for outputs in (1, 2, 4, 16))
            lines.append(f"| {target} | {code_bits} | {count} | {cells} | {complement:,.0f} |")
    lines += [
        "",
        "## All rows",
        "",
        "| target | design | bits | lanes | size | mapping | delay, ps |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.target} | {row.design} | {row.code_bits} | {row.lanes} | {row.size:,.1f} | {row.mapping} "
        f"| {'' if row.delay_ps is None else f'{row.delay_ps:,.0f}'} |"
        for row in rows
    ]
    return "\n".join([*lines, ""])


def plot(rows: Sequence[Row], path: Path) -> None:
    """Ratios over lanes, a panel for each of the ASIC and the 7-series."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    found = comparisons(rows)
    for axes, target, title in zip(panels, ("asic", "xc7"), ("IHP 130 nm cells", "7-series LUTs"), strict=True):
        for code_bits, style in ((8, "-"), (4, "--")):
            chosen = [each for each in found if (each.target, each.code_bits) == (target, code_bits)]
            lanes = [each.lanes for each in chosen]
            for form, values, colour in (
                ("min", [each.minimum / each.best for each in chosen], "tab:blue"),
                ("complement", [each.complement / each.best for each in chosen], "tab:orange"),
            ):
                axes.plot(lanes, values, style, color=colour, marker="o", label=f"{form}, {code_bits} bits")
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
        axes.set_title(title)
        axes.set_xlabel("lanes")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("area / smallest multiplier element found")
    panels[0].set_ylim(bottom=0)
    panels[1].legend(frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})


def main() -> None:
    """Measure, and write the three files after every step, so that an interrupted run leaves what it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--redraw", action="store_true", help="write table and plot from the results that are there")
    parser.add_argument("--resume", action="store_true", help="keep the results that are there")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    record = options.out / "pe_area.json"
    if options.redraw:
        rows = [Row(**row) for row in json.loads(record.read_text())["rows"]]
    else:
        folder = os.environ.get("HWADDER_DATA")
        if folder is None or not (Path(folder) / LIBRARY).is_file():
            raise BadInputError(f"HWADDER_DATA must name a folder that holds {LIBRARY}, not {folder!r}")
        if not options.resume:
            print("multiplier forms against `*` ...", flush=True)
            verify_multipliers()
        rows = [Row(**row) for row in json.loads(record.read_text())["rows"]] if options.resume else []
        known = {(row.target, row.design, row.code_bits, row.lanes) for row in rows}
        for row in measurements((Path(folder) / LIBRARY).resolve(), options.lanes, known):
            print(
                f"{row.target:12} {row.design:26} {row.code_bits} bits {row.lanes:3} lanes {row.size:12,.1f}",
                flush=True,
            )
            rows.append(row)
            record.write_text(
                json.dumps({"library": LIBRARY, "rows": [asdict(each) for each in rows]}, indent=1) + "\n"
            )
    (options.out / "pe_area.md").write_text(markdown(rows), encoding="utf-8")
    plot(rows, options.out / "pe_area.png")


if __name__ == "__main__":
    main()
