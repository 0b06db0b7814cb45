"""Timing diagrams of docs/hardware.md, from a simulation on Icarus.

    python docs/draw_timing.py

Prints a design for a network of two layers, plays the scenarios of docs/timing_bench.py on it, and writes two files for
each diagram to docs/timing: the samples that it shows (.json), and the drawing (.svg, needs the extra `docs`).
`--data-only` leaves the drawings out, `--out` takes another folder; tests/test_docs_timing.py compares such data with
what is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

from quant.float_network import Kind
from quant.integer_network import Affine, Argmax, Conv2d, Flatten, Grid, Input, IntegerNetwork
from rtl.architecture import Architecture
from rtl.descriptor import DESCRIPTOR_WORDS
from rtl.design import load_design
from rtl.driver import Memory
from rtl.fitting import program_for
from rtl.generator import print_design
from rtl.packets import packets
from sim.job import prepare_folder
from sim.runner import BenchRun, run_bench

GAP, CHANGES = "|", "~"
"""Values of a row where clocks are left out: it keeps its value in them, or does not."""
IDLE = 4
"""Clocks without any change that are left out if there are more, but for one at each end."""


# ---- the design ------------------------------------------------------------------------------------------------------
def network() -> IntegerNetwork:
    """4 x 4 pixels of 4 bits; a 3 x 3 adder layer to 4 channels; a 2 x 2 adder layer to 4 results."""
    image = Input("image", (1, 4, 4), Grid(4, 1.0), np.arange(256)[None] >> 4)
    first = np.array([[(3 * tap + 5 * out + 2) % 16 for tap in range(9)] for out in range(4)]).reshape(4, 1, 3, 3)
    second = np.array([[(7 * tap + 3 * out + 1) % 16 for tap in range(16)] for out in range(4)]).reshape(4, 4, 2, 2)
    step = Affine(np.full(4, 3), np.array([190, 180, 200, 170]), 3, 15)
    last = Affine(np.full(4, 2), np.array([186, 186, 186, 186]), 1, None)
    return IntegerNetwork(
        "timing",
        (
            image,
            Conv2d("conv", "image", Kind.ADDER, first, 4, step, Grid(4, 1.0)),
            Conv2d("fc", "conv", Kind.ADDER, second, 4, last, Grid(10, 1.0, signed=True)),
            Flatten("flatten", "fc"),
            Argmax("argmax", "flatten"),
        ),
    )


ARCHITECTURE = Architecture(in_lanes=4, out_lanes=4, drain_lanes=2)


def job(folder: Path, parameters: dict[str, int]) -> dict[str, Any]:
    """What the host sends."""
    packet = packets(program_for(network(), parameters))
    beats = parameters["OUT_LANES"] * -(-parameters["IN_LANES"] * parameters["CODE_BITS"] // 8)
    weight_word, descriptor_word = 2, 2 * DESCRIPTOR_WORDS + 22
    damaged = bytearray(packet[Memory.DESCRIPTORS][4 * descriptor_word : 4 * descriptor_word + 4])
    damaged[0] ^= 2
    signals: dict[str, set[str]] = {}
    for diagram in DIAGRAMS:
        signals.setdefault(diagram.scenario, set()).update(diagram.paths)
    return {
        "image": [(5 * index + index // 4) % 16 for index in range(16)],
        "weight_address": weight_word,
        "weight_packet": list(packet[Memory.WEIGHTS][weight_word * beats : (weight_word + 1) * beats]),
        "descriptor_address": descriptor_word,
        "descriptor_packet": list(damaged),
        "signals": {scenario: sorted(paths) for scenario, paths in signals.items()},
        "folder": str(folder),
    }


# ---- what is shown ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True, kw_only=True)
class Signal:
    """A row of a diagram.

    Attributes:
        path: below the top module.
        group: rows of one group stand beside each other, under its name.
        show: the text of a value, which is given as bits; None draws the levels of one bit.
        when: paths that must be 1, or else the value has no meaning.
        name: shown; that of the path if empty.
    """

    path: str
    group: str = ""
    show: Callable[[str], str] | None = None
    when: tuple[str, ...] = ()
    name: str = ""

    def text(self, samples: dict[str, list[str]], clock: int) -> str:
        """What a clock shows; empty where the value has no meaning."""
        bits = samples[self.path][clock]
        if not set(bits) <= set("01") or any(samples[path][clock] != "1" for path in self.when):
            return ""
        return self.show(bits) if self.show else bits


def unsigned(bits: str) -> str:
    """A number."""
    return str(int(bits, 2))


def signed(bits: str) -> str:
    """A number in two's complement."""
    return str(int(bits, 2) - (int(bits[0]) << len(bits)))


def hexadecimal(bits: str) -> str:
    """Hexadecimal digits."""
    return f"{int(bits, 2):0{-(-len(bits) // 4)}x}"


def short_hexadecimal(bits: str) -> str:
    """Hexadecimal digits without zeros ahead."""
    return f"{int(bits, 2):x}"


def names(*texts: str) -> Callable[[str], str]:
    """The name of each state."""
    return lambda bits: texts[int(bits, 2)]


def bits_as_they_are(bits: str) -> str:
    """A digit a bit."""
    return bits


def lowest_of(count: int, show: Callable[[str], str]) -> Callable[[str], str]:
    """The lowest of several values that stand in one."""
    return lambda bits: show(bits[-(len(bits) // count) :])


@dataclass(frozen=True)
class Recording:
    """The samples of a scenario."""

    samples: dict[str, list[str]]

    def first(self, path: str, after: int = 0, value: str = "1") -> int:
        """The first clock from `after` on with that value."""
        return self.samples[path].index(value, after)

    def nth(self, number: int, *paths: str) -> int:
        """The clock in which all paths are 1 for that time, counted from 0."""
        columns = zip(*(self.samples[path] for path in paths), strict=True)
        return [clock for clock, values in enumerate(columns) if set(values) == {"1"}][number]


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """A drawing: a scenario's signals, and the stretches of clocks (first, last) that are shown."""

    name: str
    scenario: str
    signals: Sequence[Signal]
    stretches: Callable[[Recording], Iterable[tuple[int, int]]]
    watched: tuple[str, ...] = ()

    @property
    def paths(self) -> set[str]:
        """All that is sampled."""
        return {path for signal in self.signals for path in (signal.path, *signal.when)} | set(self.watched)

    def data(self, samples: dict[str, list[str]]) -> dict[str, Any]:
        """Rows of texts, a text a clock; where clocks are left out, their number and GAP or CHANGES."""
        count = len(next(iter(samples.values())))
        rows = [[signal.text(samples, clock) for clock in range(count)] for signal in self.signals]
        shown: list[int] = []
        for first, last in self.stretches(Recording(samples)):
            shown += without_idle(range(first, last + 1), rows)
        shown = sorted(set(shown))
        clocks: list[str] = []
        values: list[list[str]] = [[] for _ in rows]
        for before, clock in zip([shown[0] - 1, *shown], shown, strict=False):
            if clock > before + 1:
                clocks.append(f"+{clock - before - 1}")
                for row, texts in zip(rows, values, strict=True):
                    texts.append(GAP if set(row[before:clock]) == {row[before]} else CHANGES)
            clocks.append(str(clock - shown[0]))
            for row, texts in zip(rows, values, strict=True):
                texts.append(row[clock])
        return {
            "clocks": clocks,
            "signals": [
                {
                    "group": signal.group,
                    "name": signal.name or signal.path.rpartition(".")[2],
                    "bit": signal.show is None,
                    "values": texts,
                }
                for signal, texts in zip(self.signals, values, strict=True)
            ],
        }


def without_idle(clocks: range, rows: list[list[str]]) -> list[int]:
    """The clocks without the inner ones of long stretches in which no row changes."""
    kept: list[int] = []
    idle: list[int] = []
    for clock in clocks:
        if clock > clocks[0] and all(row[clock] == row[clock - 1] for row in rows):
            idle.append(clock)
            continue
        kept += idle if len(idle) <= IDLE else [idle[0], idle[-1]]
        kept.append(clock)
        idle = []
    return kept + idle


CORE = "u_axi_accelerator.u_accelerator."
MAP = "u_axi_accelerator.u_registers."


def stream(prefix: str, show: Callable[[str], str], *further: Signal) -> tuple[Signal, ...]:
    """The rows of an AXI4-Stream; data has a meaning while valid."""
    valid = f"{prefix}_tvalid"
    return (
        Signal(path=valid, group=prefix, name="tvalid"),
        Signal(path=f"{prefix}_tready", group=prefix, name="tready"),
        Signal(path=f"{prefix}_tdata", group=prefix, show=show, when=(valid,), name="tdata"),
        Signal(path=f"{prefix}_tlast", group=prefix, when=(valid,), name="tlast"),
        *further,
    )


def channel(letters: str, *words: tuple[str, Callable[[str], str]], group: str) -> tuple[Signal, ...]:
    """The rows of a channel of AXI4-Lite."""
    valid = f"s_axil_{letters}valid"
    return (
        Signal(path=valid, group=group, name=f"{letters}valid"),
        Signal(path=f"s_axil_{letters}ready", group=group, name=f"{letters}ready"),
        *(Signal(path=f"s_axil_{word}", group=group, show=show, when=(valid,), name=word) for word, show in words),
    )


def inner(
    path: str, group: str = "", show: Callable[[str], str] | None = None, when: str = "", name: str = ""
) -> Signal:
    """A row of the core's own signals."""
    return Signal(path=CORE + path, group=group, show=show, when=(CORE + when,) if when else (), name=name)


def register(path: str, group: str = "registers", show: Callable[[str], str] | None = None, name: str = "") -> Signal:
    """A row of the register map's signals."""
    return Signal(path=MAP + path, group=group, show=show, name=name)


READ = (
    *channel("ar", ("araddr", short_hexadecimal), group="read"),
    *channel("r", ("rdata", short_hexadecimal), group="read"),
)
WRITE = (
    *channel("aw", ("awaddr", short_hexadecimal), group="write"),
    *channel("w", ("wdata", short_hexadecimal), group="write"),
    *channel("b", ("bresp", unsigned), group="write"),
)
STATES = names("RESTART", "CONFIG", "READY", "BEGIN", "RUN", "HALT")


def image_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """The first beats with the pause, each image's last beats, and the port's opening for the third."""
    beat = ("s_axis_tvalid", "s_axis_tready")
    yield 0, seen.nth(5, *beat)
    for last in (15, 31):
        yield seen.nth(last, *beat) - 1, seen.nth(last, *beat) + 4
    done = seen.first("image_done")
    yield done - 1, seen.nth(32, *beat) + 2


def result_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """From before the first result until the last one has been taken."""
    first = seen.first("m_axis_tvalid")
    yield first - 2, seen.first("m_axis_tvalid", first, "0") + 1


def register_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """The read and the write."""
    yield seen.first("s_axil_arvalid") - 1, seen.first("s_axil_bvalid") + 3


def loading_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """From the write of LOAD until the stream is open for images again."""
    start = seen.first(MAP + "load_start")
    yield start - 1, seen.first(CORE + "hold")
    packet = seen.first(CORE + "hold")
    end = seen.first(CORE + "hold", packet, "0")
    yield packet, end + 8
    opened = seen.first("s_axis_tready", end)
    yield opened - 2, opened + 1


def halt_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """The packet, the image's last beats, the first layer's end, and the host's answer."""
    start = seen.first(MAP + "load_start")
    yield start - 1, seen.first(CORE + "hold", seen.first(CORE + "hold"), "0") + 1
    image_ends = seen.nth(1, "s_axis_tvalid", "s_axis_tready", "s_axis_tlast")
    yield image_ends - 1, image_ends + 2
    halted = seen.first(CORE + "halted")
    yield halted - 3, seen.first("irq", seen.first("irq"), "0") + 1


def word_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """From the first layer's beginning to the writes of its second sweep's first results."""
    begin = seen.first(CORE + "begin_layer")
    yield begin, begin + 18


def layer_stretches(seen: Recording) -> Iterable[tuple[int, int]]:
    """From the first layer's last word to the second's first ones, and from its end into the next image."""
    first = seen.first(CORE + "begin_layer")
    walked = seen.first(CORE + "walking", seen.first(CORE + "walking", first), "0")
    second = seen.first(CORE + "begin_layer", first + 1)
    done = seen.first(CORE + "layer_done", walked)
    yield walked - 2, done + 2
    yield second - 4, second + 3
    image_done = seen.first("image_done", second)
    yield image_done - 2, image_done + 2
    third = seen.first(CORE + "begin_layer", second + 1)
    yield third - 4, third + 3


DIAGRAMS = (
    Diagram(
        name="images",
        scenario="images",
        signals=(
            Signal(path="rst"),
            *stream("s_axis", unsigned),
            inner("u_loader.full_q", "image memory", bits_as_they_are, name="halves full"),
            Signal(path="busy", group="network"),
            Signal(path="image_done", group="network"),
        ),
        stretches=image_stretches,
    ),
    Diagram(
        name="results",
        scenario="results",
        signals=(
            *stream(
                "m_axis",
                signed,
                Signal(path="m_axis_tuser", group="m_axis", show=unsigned, when=("m_axis_tvalid",), name="tuser"),
            ),
            Signal(path="busy", group="network"),
            Signal(path="image_done", group="network"),
        ),
        stretches=result_stretches,
    ),
    Diagram(
        name="registers",
        scenario="registers",
        signals=(*READ, *WRITE, register("run"), Signal(path="busy", group="registers")),
        stretches=register_stretches,
    ),
    Diagram(
        name="loading",
        scenario="loading",
        signals=(
            register("load_start"),
            register("loading", name="loading"),
            register("loaded_words", show=unsigned, name="LOADED_WORDS"),
            register("events_q", show=unsigned, name="EVENTS"),
            Signal(path="irq", group="registers"),
            *stream("s_axis", hexadecimal),
            Signal(path="busy", group="core"),
            Signal(path="image_done", group="core"),
            inner("hold", "core"),
            inner("load_weights", "core", bits_as_they_are, name="write_enable"),
            inner("load_weights_data", "core", hexadecimal, name="write_data"),
        ),
        stretches=loading_stretches,
    ),
    Diagram(
        name="halt",
        scenario="halt",
        signals=(
            *stream("s_axis", hexadecimal),
            inner("u_sequencer.state_q", "core", STATES, name="sequencer"),
            inner("trace_layer", "core", unsigned, name="layer"),
            inner("halted", "core"),
            register("errors_q", show=unsigned, name="ERRORS"),
            register("events_q", show=unsigned, name="EVENTS"),
            Signal(path="irq", group="registers"),
            register("reset"),
            *(
                Signal(path=path, group="host", show=short_hexadecimal, when=(f"s_axil_{valid}",), name=name)
                for path, valid, name in (
                    ("s_axil_araddr", "arvalid", "araddr"),
                    ("s_axil_rdata", "rvalid", "rdata"),
                    ("s_axil_awaddr", "awvalid", "awaddr"),
                    ("s_axil_wdata", "wvalid", "wdata"),
                )
            ),
        ),
        watched=(MAP + "load_start", CORE + "hold"),
        stretches=halt_stretches,
    ),
    Diagram(
        name="word",
        scenario="layers",
        signals=(
            inner("begin_layer", "0"),
            inner("walking", "0"),
            inner("word_valid", "1"),
            inner("word_bank", "1", unsigned, "word_valid"),
            inner("sweep_done", "1"),
            inner("valid_q", "2"),
            inner("tap_codes", "2", hexadecimal, "valid_q"),
            inner("operands", "2", hexadecimal, "valid_q"),
            inner("valid_qq", "3"),
            inner("first_qq", "3", when="valid_qq"),
            inner("operands_qq", "3", hexadecimal, "valid_qq"),
            inner("weights", "3", lowest_of(ARCHITECTURE.out_lanes, hexadecimal), "valid_qq", "weights 0"),
            inner("lane_acc", "4, 5", lowest_of(ARCHITECTURE.out_lanes, unsigned), name="sum 0"),
            inner("sum_x", "4, 5", unsigned),
            inner("capture", "4, 5"),
            inner("issue", "6"),
            inner("issue_count", "6", unsigned, "issue"),
            inner("acc_valid_q", "7 to 9"),
            inner("acc", "7 to 9", lowest_of(2, signed), "acc_valid_q", "acc, value 0"),
            inner("accepted", "10"),
            inner("result_values", "10", lowest_of(2, signed), "result_valid", "value 0"),
            inner("result_write_enable", "11", bits_as_they_are, name="write_enable"),
            inner("result_write_data", "11", hexadecimal, name="write_data"),
        ),
        stretches=word_stretches,
    ),
    Diagram(
        name="layers",
        scenario="layers",
        signals=(
            inner("u_sequencer.state_q", "sequencer", STATES, name="state"),
            inner("trace_layer", "sequencer", unsigned, name="layer"),
            inner("layer_done", "sequencer"),
            inner("end_layer", "sequencer"),
            inner("take", "sequencer"),
            inner("begin_layer", "sequencer"),
            Signal(path="image_done", group="sequencer"),
            inner("image_ready", "sequencer"),
            inner("fetch", "descriptor"),
            inner("fetch_rewind", "descriptor"),
            inner("descriptor_read", "descriptor"),
            inner("descriptor_address", "descriptor", unsigned, "descriptor_read", "address"),
            inner("fetched", "descriptor"),
            inner("walking", "layer"),
            inner("word_valid", "layer"),
            inner("sweeps_q", "layer", unsigned, name="sweeps"),
            inner("accepted", "layer"),
            inner("result_write_enable", "layer", bits_as_they_are, name="write_enable"),
        ),
        stretches=layer_stretches,
    ),
)


# ---- the drawing -----------------------------------------------------------------------------------------------------
def wave(values: Sequence[str], bit: bool) -> dict[str, Any]:
    """A row in WaveDrom's letters: `.` goes on, `|` goes on with a gap, `x` has no meaning, `=` takes the next text."""
    letters, texts = "", []
    before = None
    for value in values:
        if value == GAP:
            letters += "|"
            continue
        if value == before:
            letters += "."
        elif value in ("", CHANGES):
            letters += "." if letters and before in ("", CHANGES) else "x"
        elif bit:
            letters += value
        else:
            letters += "="
            texts.append(value)
        before = value
    return {"wave": letters, "data": texts}


def source(data: dict[str, Any]) -> dict[str, Any]:
    """What WaveDrom draws."""
    clocks = data["clocks"]
    ticks = "".join("|" if clock[0] == "+" else "p" if index == 0 else "." for index, clock in enumerate(clocks))
    lanes: list[Any] = [{"name": "clk", "wave": ticks}, {"name": "clock", "wave": "=" * len(clocks), "data": clocks}]
    for row in data["signals"]:
        lane = {"name": row["name"], **wave(row["values"], row["bit"])}
        if not row["group"]:
            lanes.append(lane)
        elif isinstance(lanes[-1], list) and lanes[-1][0] == row["group"]:
            lanes[-1].append(lane)
        else:
            lanes += [{}] * isinstance(lanes[-1], list)
            lanes.append([row["group"], lane])
    return {"signal": lanes}


def without_unused(svg: str) -> str:
    """The drawing without the bricks that it does not use, which are most of the file."""
    namespace = "{http://www.w3.org/2000/svg}"
    link = "{http://www.w3.org/1999/xlink}href"
    for prefix, uri in (("", namespace[1:-1]), ("xlink", "http://www.w3.org/1999/xlink")):
        ElementTree.register_namespace(prefix, uri)
    root = ElementTree.fromstring(svg)
    used = {element.get(link, "")[1:] for element in root.iter(f"{namespace}use")}
    for definitions in root.iter(f"{namespace}defs"):
        for brick in list(definitions):
            if brick.tag == f"{namespace}g" and brick.get("id") not in used:
                definitions.remove(brick)
    return ElementTree.tostring(root, encoding="unicode")


def draw(data: dict[str, Any]) -> str:
    """The drawing, on white, so that it can be read on a dark page."""
    import wavedrom

    svg = without_unused(wavedrom.render(json.dumps(source(data))).tostring())
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return re.sub(r"(<svg\b[^>]*>)", rf"\1{background}", svg, count=1) + "\n"


def data_text(data: dict[str, Any]) -> str:
    """The file of a diagram's data, a row a line."""
    lines = ",\n".join(f"  {json.dumps(row)}" for row in data["signals"])
    return f'{{\n "clocks": {json.dumps(data["clocks"])},\n "signals": [\n{lines}\n ]\n}}\n'


def digest_comment(text: str) -> str:
    """Says in a drawing what data it shows."""
    return f"<!-- data SHA-256 {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def simulate(folder: Path) -> dict[str, dict[str, Any]]:
    """The data of each diagram."""
    print_design(network(), ARCHITECTURE, folder / "rtl")
    design, _ = load_design(folder / "rtl")
    build = prepare_folder(design, folder / "build")
    (folder / "job.json").write_text(json.dumps(job(folder, design.parameters)))
    run_bench(
        BenchRun(
            top=design.top,
            bench_module="timing_bench",
            sources=design.source_files,
            build_folder=build,
            environment={"HWADDER_JOB": str(folder / "job.json")},
        )
    )
    recorded = {
        name: json.loads((folder / f"{name}.json").read_text()) for name in {each.scenario for each in DIAGRAMS}
    }
    return {diagram.name: diagram.data(recorded[diagram.scenario]) for diagram in DIAGRAMS}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DOCS / "timing", help="folder to write to")
    parser.add_argument("--data-only", action="store_true", help="write no drawings")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found = simulate(Path(folder))
    for diagram in DIAGRAMS:
        text = data_text(found[diagram.name])
        (arguments.out / f"{diagram.name}.json").write_text(text)
        if not arguments.data_only:
            drawing = draw(found[diagram.name])
            (arguments.out / f"{diagram.name}.svg").write_text(digest_comment(text) + drawing)


if __name__ == "__main__":
    main()
