"""Bench of window_walker: random layers against nested loops over coordinates, each code told by place and by map."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {
        "LANES": 4,
        "GROUP": 2,
        "POOL_GROUP": 3,
        "CROSSINGS": 2,
        "CODE_BITS": 3,
        "ADDRESS_BITS": 5,
        "WEIGHT_ADDRESS_BITS": 7,
        "COUNT_BITS": 5,
    },
    {
        "LANES": 3,
        "GROUP": 5,
        "POOL_GROUP": 3,
        "CROSSINGS": 1,
        "CODE_BITS": 8,
        "ADDRESS_BITS": 4,
        "WEIGHT_ADDRESS_BITS": 4,
        "COUNT_BITS": 3,
    },
    {
        "LANES": 4,
        "GROUP": 4,
        "POOL_GROUP": 1,
        "CROSSINGS": 0,
        "CODE_BITS": 2,
        "ADDRESS_BITS": 6,
        "WEIGHT_ADDRESS_BITS": 5,
        "COUNT_BITS": 4,
    },
    {
        "LANES": 8,
        "GROUP": 3,
        "POOL_GROUP": 3,
        "CROSSINGS": 7,
        "CODE_BITS": 4,
        "ADDRESS_BITS": 5,
        "WEIGHT_ADDRESS_BITS": 6,
        "COUNT_BITS": 4,
    },
    {
        "LANES": 1,
        "GROUP": 1,
        "POOL_GROUP": 1,
        "CROSSINGS": 1,
        "CODE_BITS": 5,
        "ADDRESS_BITS": 5,
        "WEIGHT_ADDRESS_BITS": 6,
        "COUNT_BITS": 4,
    },
)
MOST_CLOCKS = 220
PLACES = ("source_origin", "line_step", "segment_step", "window_column_step", "window_line_step")
Layer = Mapping[str, int]
Outputs = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The parameters of the design."""

    lanes: int
    group: int
    pool_group: int
    crossings: int
    code_bits: int
    address_bits: int
    weight_address_bits: int
    count_bits: int

    @property
    def bank_bits(self) -> int:
        """Bits of a bank's number."""
        return max(1, (self.lanes - 1).bit_length())

    @property
    def buffer_codes(self) -> int:
        """Codes of a buffer, at which places wrap around."""
        return self.lanes << self.address_bits

    def codes(self, place: int) -> int:
        """Return the number of the code at a place {row, bank}."""
        row, bank = divmod(place, 1 << self.bank_bits)
        return row * self.lanes + bank


@dataclass(frozen=True, slots=True)
class Word:
    """Codes that leave in one clock."""

    codes: list[int | None]
    """Number of each in the buffer, None where it lies outside the map."""
    outputs: Outputs
    """What is told beside them."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One group of output channels at one output pixel."""

    channels: int
    starts_pixel: bool
    words: list[Word]


def sizes_of(dut: Any) -> Sizes:
    """Return the parameters of the design."""
    return Sizes(*(parameter(dut, name.upper()) for name in Sizes.__dataclass_fields__))


def runs_of(layer: Layer, sizes: Sizes, group: int) -> list[list[tuple[int, int, int]]]:
    """Return a window's runs, each code as (line of the window, code along the map's line, codes to the corner)."""
    if layer["span"]:
        codes = product(range(layer["kernel_height"]), range(layer["kernel_codes"]))
        crossing = layer["crossing_rows"] * sizes.lanes
        return [[(line, code, line * (layer["kernel_codes"] + crossing) + code) for line, code in codes]]
    first, length = 0, layer["segment_codes"]
    if layer["layer_pool"]:
        first = group * sizes.pool_group
        length = min(sizes.pool_group, layer["out_channels"] - first)
    line_step, segment_step = sizes.codes(layer["line_step"]), sizes.codes(layer["segment_step"])
    return [
        [
            (
                line,
                layer["first_code"] + segment * layer["segment_step_codes"] + code,
                line * line_step + segment * segment_step + code,
            )
            for code in range(first, first + length)
        ]
        for line, segment in product(range(layer["kernel_height"]), range(layer["segments"]))
    ]


def sweep_of(layer: Layer, sizes: Sizes, out_line: int, out_pixel: int, group: int) -> Sweep:
    """Return one sweep, written as its definition; what does not matter for a word is left out."""
    lanes = sizes.lanes
    size = sizes.pool_group if layer["layer_pool"] else sizes.group
    corner = sizes.codes(layer["source_origin"]) + out_line * sizes.codes(layer["window_line_step"])
    corner += out_pixel * sizes.codes(layer["window_column_step"])
    top_line = out_line * layer["stride_y"] - layer["pad_y"]
    left_code = out_pixel * layer["column_codes"] - layer["pad_codes"]
    runs = runs_of(layer, sizes, group)
    window = [run[start : start + lanes] for run in runs for start in range(0, len(run), lanes)]
    bits = [
        (digit, bit)
        for digit in range(layer["digit_words"])
        for bit in reversed(range(sizes.code_bits if digit else layer["top_bit"] + 1))
    ]
    words: list[Word] = []
    for digit, bit in bits:
        for plane, (position, taps) in product(range(layer["source_planes"]), enumerate(window)):
            codes = [
                (corner + plane * layer["plane_rows"] * lanes + distance) % sizes.buffer_codes
                if 0 <= top_line + line < layer["source_height"] and 0 <= left_code + code < layer["line_codes"]
                else None
                for line, code, distance in taps
            ]
            outputs = {
                "word_codes": len(taps),
                "word_first": int(not words),
                "word_double": int(bool(words) and plane == 0 and position == 0),
                "word_subtract": int(bool(layer["layer_dot"]) and (digit, bit) == bits[0]),
                "word_bit": bit,
            }
            if None in codes:
                outputs["word_pad_code"] = (layer["pad_value"] >> plane * sizes.code_bits) % (1 << sizes.code_bits)
            if not layer["layer_pool"]:
                block = (group * layer["digit_words"] + digit) * layer["source_planes"] + plane
                address = layer["weight_base"] + block * len(window) + position
                outputs["word_weight_address"] = address % (1 << sizes.weight_address_bits)
            words.append(Word(codes, outputs))
    return Sweep(min(size, layer["out_channels"] - group * size), group == 0, words)


def walk_of(layer: Layer, sizes: Sizes) -> deque[Sweep]:
    """Return all sweeps of a layer."""
    groups = -(-layer["out_channels"] // (sizes.pool_group if layer["layer_pool"] else sizes.group))
    positions = product(range(layer["out_height"]), range(layer["out_width"]), range(groups))
    return deque(sweep_of(layer, sizes, *position) for position in positions)


class WalkerModel:
    """Position in the walk of the layer that was started, and the word that is at the outputs."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.sizes = sizes_of(dut)
        self.walk: deque[Sweep] = deque()
        self.position = 0
        self.age: int | None = None  # clocks since the layer's last sweep ended, None before the first
        self.waits = False  # for the sums of a serial layer
        self.word: Word | None = None

    def issued(self, inputs: Layer) -> Word | None:
        """Return the word that is issued in this clock, if any."""
        if not self.walk or self.waits:
            return None
        words = self.walk[0].words
        is_last = self.position == len(words) - 1
        if is_last and self.age is not None and self.age < inputs["drain_clocks"]:
            return None
        return words[self.position]

    def outputs(self, inputs: Layer) -> Outputs:
        """Return the end of a sweep in this clock, and the word of the clock before; check the codes of that."""
        done = self.issued(inputs) is not None and self.position == len(self.walk[0].words) - 1
        outputs = {"busy": int(bool(self.walk)), "sweep_done": int(done), "word_valid": int(self.word is not None)}
        if done:
            outputs["sweep_channels"] = self.walk[0].channels
            outputs["sweep_starts_pixel"] = int(self.walk[0].starts_pixel)
        if self.word is None or not int(self.dut.word_valid.value):
            return outputs
        codes = self.read_codes(len(self.word.codes))
        assert codes == self.word.codes, f"codes must be {self.word.codes}, not {codes}; inputs {dict(inputs)}"
        return outputs | dict(self.word.outputs)

    def numbers(self, name: str, bits: int, count: int) -> list[int]:
        """Return the numbers in an output of the design, the lowest first."""
        packed = int(self.dut[name].value)
        return [packed >> index * bits & ((1 << bits) - 1) for index in range(count)]

    def read_codes(self, count: int) -> list[int | None]:
        """Return which codes bank_rows and operand_gate make of the outputs, None for those outside the map."""
        sizes, lane_bits = self.sizes, self.sizes.lanes.bit_length()
        lines = sizes.crossings + 1
        bank = int(self.dut.word_bank.value)
        rows = self.numbers("word_rows", sizes.address_bits, lines)
        begins = [0, *self.numbers("word_crossings", lane_bits, sizes.crossings)]
        inside_from = self.numbers("word_inside_from", lane_bits, lines)
        inside_to = self.numbers("word_inside_to", lane_bits, lines)
        codes: list[int | None] = []
        for lane in range(count):
            line = max(line for line in range(lines) if begins[line] <= lane)
            inside = any(inside_from[line] <= lane < inside_to[line] for line in range(lines))
            codes.append((rows[line] * sizes.lanes + bank + lane) % sizes.buffer_codes if inside else None)
        return codes

    def clock(self, inputs: Layer) -> None:
        """Issue a word, begin a layer."""
        self.word = None if inputs["rst"] else self.issued(inputs)
        if inputs["rst"]:
            self.walk, self.waits = deque(), False
        elif inputs["start"]:
            self.walk, self.position, self.age, self.waits = walk_of(inputs, self.sizes), 0, None, False
        else:
            self.age = None if self.age is None else self.age + 1
            if self.waits and inputs["drained"]:
                self.waits = False
            if self.word is not None:
                self.position += 1
                if self.position == len(self.walk[0].words):
                    self.walk.popleft()
                    self.position, self.age = 0, 1
                    self.waits = bool(inputs["serial"] and self.walk)


def size(rng: random.Random, most: int, *usual: int) -> int:
    """Return a size of 1 to `most`: mostly one of the usual ones or a small one, sometimes any."""
    # Of a wide range most sizes would make a layer too long.
    other = rng.randint(1, most) >> (rng.randrange(most.bit_length()) if most > 63 else 0)
    return max(1, min(most, rng.choice([1, 2, rng.randint(1, 4), *usual, *usual, other])))


def axis(rng: random.Random, most: int, kernel: int) -> dict[str, int]:
    """Return map, stride, padding and windows along one axis; a window may begin up to twice the widest map away."""
    while True:
        sizes = {
            "source": size(rng, most, kernel, kernel + 1),
            "stride": size(rng, most, kernel),
            "pad": rng.choice([0, 0, size(rng, most, kernel), size(rng, most)]),
            "out": size(rng, most, 3),
        }
        if (sizes["out"] - 1) * sizes["stride"] + kernel <= 2 * most + 1 + sizes["pad"]:
            return sizes


def window(rng: random.Random, kind: str, sizes: Sizes, channels: int) -> dict[str, int] | None:
    """Return the lines of a window and the runs in them, None if they do not fit together."""
    most, lanes = (1 << sizes.count_bits) - 1, sizes.lanes
    fields = {
        "span": int(kind == "span"),
        "kernel_height": size(rng, most, 3, 3, most // 2 + 2),
        "kernel_codes": size(rng, most, 3, lanes, 2 * lanes),
        "segments": 1,
        "segment_codes": size(rng, most, lanes, lanes + 1),
        "segment_step_codes": rng.choice([0, channels, size(rng, most, lanes)]),
        "first_code": rng.choice([0, 0, size(rng, most, lanes)]),
    }
    if kind == "span":
        codes = fields["kernel_height"] * fields["kernel_codes"]
        if codes > MOST_CLOCKS * lanes:
            return None
        begins = [line * fields["kernel_codes"] for line in range(1, fields["kernel_height"])]
        inside = [begin // lanes for begin in begins if begin % lanes]
        if codes > most or max((inside.count(word) for word in inside), default=0) > sizes.crossings:
            return None
        return fields | {"segment_codes": codes, "first_code": 0}
    fields["segments"] = size(rng, most, 3)
    length = channels if kind == "pool" else fields["segment_codes"]
    least = fields["first_code"] + (fields["segments"] - 1) * fields["segment_step_codes"] + length
    fields["kernel_codes"] = rng.choice([least, max(least, fields["kernel_codes"])])
    return fields if fields["kernel_codes"] <= most else None


def random_layer(rng: random.Random, sizes: Sizes) -> dict[str, int]:
    """Return a layer of at most MOST_CLOCKS: dots or not, on spans or on segments, or a pool."""
    most = (1 << sizes.count_bits) - 1
    while True:
        kind = rng.choice(["span", "span", "span", "segments", "pool"])
        dot = int(kind != "pool" and rng.randrange(2))
        channels = size(rng, most, sizes.group, sizes.group + 1, sizes.pool_group + 1, 2 * sizes.pool_group)
        fields = window(rng, kind, sizes, channels)
        if fields is None:
            continue
        lines, codes = axis(rng, most, fields["kernel_height"]), axis(rng, most, fields["kernel_codes"])
        layer = fields | {
            "layer_dot": dot,
            "layer_pool": int(kind == "pool"),
            "serial": int(rng.random() < 0.25),
            "source_height": lines["source"],
            "line_codes": codes["source"],
            "source_planes": rng.choice([1, 1, 1, size(rng, most, 2), most // 2 + 2]),
            "pad_value": rng.getrandbits(32),
            "stride_y": lines["stride"],
            "pad_y": lines["pad"],
            "column_codes": codes["stride"],
            "pad_codes": codes["pad"],
            "out_height": lines["out"],
            "out_width": codes["out"],
            "out_channels": channels,
            "weight_base": rng.getrandbits(sizes.weight_address_bits),
            "digit_words": size(rng, most, 1, 2, most // 2 + 2) if dot else 1,
            "top_bit": rng.randrange(sizes.code_bits) if dot else 0,
            "drain_clocks": size(rng, most, 1, 1, 4),
        }
        # Steps need not fit together for the walk to be defined; any that do not would hide a mistake.
        for name in PLACES:
            layer[name] = rng.getrandbits(sizes.address_bits) << sizes.bank_bits | rng.randrange(sizes.lanes)
        for name in ("plane_rows", "crossing_rows"):
            layer[name] = rng.getrandbits(sizes.address_bits)
        if clocks_of(layer, sizes) <= MOST_CLOCKS:
            return layer


def clocks_of(layer: Layer, sizes: Sizes) -> int:
    """Return about how many clocks a layer takes."""
    size = sizes.pool_group if layer["layer_pool"] else sizes.group
    sweeps = layer["out_height"] * layer["out_width"] * -(-layer["out_channels"] // size)
    runs = 1 if layer["span"] else layer["kernel_height"] * layer["segments"]
    words = runs * (1 if layer["layer_pool"] else -(-layer["segment_codes"] // sizes.lanes)) * layer["source_planes"]
    words *= layer["top_bit"] + 1 + sizes.code_bits * (layer["digit_words"] - 1)
    return sweeps * max(words + layer["serial"], layer["drain_clocks"])


def layers(rng: random.Random, model: WalkerModel, clocks: int) -> Iterator[dict[str, int]]:
    """Yield layers, at once behind each other or with noise between them, some cut off by rst."""
    played = 0

    def idle() -> dict[str, int]:
        return random_layer(rng, model.sizes) | {"rst": 0, "start": 0, "drained": rng.randrange(2)}

    yield idle() | {"rst": 1, "start": 1}
    while played < clocks:
        for _ in range(rng.choice([0, 0, 0, 1, 3])):
            yield idle()
        layer = random_layer(rng, model.sizes)
        drained_share = rng.choice([1.0, 0.6, 0.3])
        yield layer | {"rst": 0, "start": 1, "drained": rng.randrange(2)}
        cut = rng.choice([None] * 6 + [played + rng.randrange(60)])
        while model.walk:
            is_cut = played == cut
            drained = int(rng.random() < drained_share)
            yield layer | {"rst": int(is_cut), "start": rng.randrange(2) if is_cut else 0, "drained": drained}
            played += 1


@cocotb.test()
async def walks_of_random_layers(dut: Any) -> None:
    """Every code of every word, in every clock."""
    model = WalkerModel(dut)
    await run_lockstep(dut, model, layers(random.Random(1), model, 3000))


@cocotb.test()
async def reset_while_a_sweep_is_drained(dut: Any) -> None:
    """rst ends the wait of a serial layer: a drain that comes afterwards starts nothing."""
    model = WalkerModel(dut)
    rng = random.Random(2)

    def stimulus() -> Iterator[dict[str, int]]:
        quiet = {"rst": 0, "start": 0, "drained": 0}
        yield random_layer(rng, model.sizes) | quiet | {"rst": 1}
        for _ in range(8):
            layer = random_layer(rng, model.sizes) | quiet | {"serial": 1}
            if layer["out_height"] == layer["out_width"] == 1:
                continue
            yield layer | {"start": 1}
            while not model.waits:
                yield layer
            yield layer | {"rst": 1, "drained": rng.randrange(2)}
            yield from 3 * [layer | {"drained": 1}]

    await run_lockstep(dut, model, stimulus())
