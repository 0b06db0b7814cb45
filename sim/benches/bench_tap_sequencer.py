"""Bench of tap_sequencer: random layers against nested loops that multiply where the sequencer only adds."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {
        "IN_LANES": 3,
        "OUT_LANES": 2,
        "CODE_BITS": 3,
        "ADDRESS_BITS": 7,
        "WEIGHT_ADDRESS_BITS": 6,
        "COUNT_BITS": 4,
    },
    {
        "IN_LANES": 1,
        "OUT_LANES": 5,
        "CODE_BITS": 8,
        "ADDRESS_BITS": 4,
        "WEIGHT_ADDRESS_BITS": 8,
        "COUNT_BITS": 3,
    },
)
SIZES = ("IN_LANES", "OUT_LANES", "CODE_BITS", "ADDRESS_BITS", "WEIGHT_ADDRESS_BITS", "COUNT_BITS")
MOST_TAPS = 900
Layer = Mapping[str, int]
Outputs = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The parameters of the design."""

    in_lanes: int
    out_lanes: int
    code_bits: int
    address_bits: int
    weight_address_bits: int
    count_bits: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """One group of output channels at one output position."""

    channels: int
    starts_pixel: bool
    taps: list[Outputs]


def sweeps_of(layer: Layer, sizes: Sizes) -> list[Sweep]:
    """Return the walk of a layer, written as its definition: loops, products and coordinates."""
    lanes = sizes.in_lanes if layer["layer_pool"] else sizes.out_lanes
    groups = -(-layer["out_channels"] // lanes)
    return [
        Sweep(min(lanes, layer["out_channels"] - group * lanes), group == 0, taps_of(layer, sizes, row, column, group))
        for row, column, group in product(range(layer["out_height"]), range(layer["out_width"]), range(groups))
    ]


def taps_of(layer: Layer, sizes: Sizes, out_row: int, out_column: int, group: int) -> list[Outputs]:
    """Return the taps of one sweep; an output that does not matter for a tap is left out."""
    bits = [
        (digit, bit)
        for digit in range(layer["digit_words"])
        for bit in reversed(range(sizes.code_bits if digit else layer["top_bit"] + 1))
    ]
    window = list(
        product(
            range(layer["kernel_height"]),
            range(layer["kernel_width"]),
            range(layer["source_planes"]),
            range(layer["source_words"]),
        )
    )
    taps: list[Outputs] = []
    for (digit, bit), (position, (kernel_row, kernel_column, plane, word)) in product(bits, enumerate(window)):
        row = out_row * layer["stride_y"] - layer["pad_y"] + kernel_row
        column = out_column * layer["stride_x"] - layer["pad_x"] + kernel_column
        inside = 0 <= row < layer["source_height"] and 0 <= column < layer["source_width"]
        tap = {
            "tap_padded": int(not inside),
            "tap_first_word": int(word == 0),
            "tap_last_word": int(word == layer["source_words"] - 1),
            "tap_first": int(not taps),
            "tap_double": int(bool(taps) and position == 0),
            "tap_subtract": int(bool(layer["layer_dot"]) and (digit, bit) == bits[0]),
            "tap_bit": bit,
        }
        if inside:
            address = layer["source_origin"] + (group if layer["layer_pool"] else 0) + word
            address += out_row * layer["window_row_step"] + out_column * layer["window_column_step"]
            address += (
                kernel_row * layer["row_step"] + kernel_column * layer["pixel_step"] + plane * layer["plane_step"]
            )
            tap["tap_address"] = address % (1 << sizes.address_bits)
        else:
            tap["tap_pad_code"] = (layer["pad_value"] >> plane * sizes.code_bits) % (1 << sizes.code_bits)
        if not layer["layer_pool"]:
            weight_word = (group * layer["digit_words"] + digit) * len(window) + position
            tap["tap_weight_address"] = (layer["weight_base"] + weight_word) % (1 << sizes.weight_address_bits)
        taps.append(tap)
    return taps


class TapModel:
    """Position in the walk of the layer that was started."""

    def __init__(self, sizes: Sizes) -> None:
        self.sizes = sizes
        self.walk: list[Sweep] = []
        self.tap = 0

    @property
    def waits(self) -> bool:
        """Whether a sweep's taps are issued and its sums not drained."""
        return bool(self.walk) and self.tap == len(self.walk[0].taps)

    def outputs(self, inputs: Mapping[str, int]) -> Outputs:
        """Return the tap, and what the drain needs to know from a sweep's last tap until it is drained."""
        if not self.walk:
            return {"tap_valid": 0, "sweep_done": 0, "finished": 0}
        sweep = self.walk[0]
        about = {"sweep_channels": sweep.channels, "sweep_starts_pixel": int(sweep.starts_pixel)}
        if self.waits:
            return about | {"tap_valid": 0, "sweep_done": 0, "finished": int(inputs["drained"] and len(self.walk) == 1)}
        is_last = self.tap == len(sweep.taps) - 1
        state = {"tap_valid": 1, "sweep_done": int(is_last), "finished": 0}
        return {**state, **sweep.taps[self.tap], **(about if is_last else {})}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Go to the next tap, or to the next sweep once drained."""
        if inputs["rst"]:
            self.walk = []
        elif inputs["start"]:
            self.walk, self.tap = sweeps_of(inputs, self.sizes), 0
        elif self.waits:
            if inputs["drained"]:
                del self.walk[0]
                self.tap = 0
        elif self.walk:
            self.tap += 1


def axis(rng: random.Random, most: int) -> dict[str, int]:
    """Return one axis of a window walk: sizes, stride and padding; every coordinate has an unambiguous sign."""
    while True:
        small = rng.random() < 0.8
        sizes = {
            "source": rng.randint(1, min(most, 5) if small else most),
            "kernel": rng.randint(1, min(most, 3) if small else most),
            "stride": rng.randint(1, min(most, 3) if small else most),
            "pad": rng.randint(0, min(most, 2) if small else most),
            "out": rng.randint(1, min(most, 4) if small else most),
        }
        if (sizes["out"] - 1) * sizes["stride"] - sizes["pad"] + sizes["kernel"] <= 2 * most + 1:
            return sizes


def random_layer(rng: random.Random, sizes: Sizes) -> dict[str, int]:
    """Return a layer of at most MOST_TAPS taps: an adder, a dot layer of one or several digit words, or a pool."""
    most = (1 << sizes.count_bits) - 1
    while True:
        kind = rng.choice(["adder", "dot", "dot", "pool"])
        rows, columns = axis(rng, most), axis(rng, most)
        layer = {
            "layer_dot": int(kind == "dot"),
            "layer_pool": int(kind == "pool"),
            "pad_value": rng.getrandbits(32),
            "source_words": rng.choice([1, 1, 2, 3, rng.randint(1, most)]),
            "source_planes": rng.choice([1, 1, 2, 3, rng.randint(1, most)]),
            "out_channels": rng.choice([1, 2, sizes.in_lanes, sizes.out_lanes, rng.randint(1, most)]),
            "weight_base": rng.getrandbits(sizes.weight_address_bits),
            "digit_words": rng.choice([1, 2, 3, rng.randint(1, most)]) if kind == "dot" else 1,
            "top_bit": rng.randrange(sizes.code_bits) if kind == "dot" else 0,
        }
        for name in ("source", "kernel", "out"):
            layer |= {f"{name}_height": rows[name], f"{name}_width": columns[name]}
        for name in ("stride", "pad"):
            layer |= {f"{name}_y": rows[name], f"{name}_x": columns[name]}
        # Steps need not fit together for the walk to be defined; any that do not would hide a mistake.
        for name in ("source_origin", "plane_step", "pixel_step", "row_step", "window_row_step", "window_column_step"):
            layer[name] = rng.getrandbits(sizes.address_bits)
        counts = ("kernel_height", "kernel_width", "source_words", "source_planes", "out_height", "out_width")
        taps = layer["out_channels"] * (layer["top_bit"] + 1 + sizes.code_bits * (layer["digit_words"] - 1))
        for name in counts:
            taps *= layer[name]
        if taps <= MOST_TAPS and all(layer[name] <= most for name in (*counts, "out_channels", "digit_words")):
            return layer


def layers(rng: random.Random, model: TapModel, count: int) -> Iterator[dict[str, int]]:
    """Yield layers with gaps between them, sweeps drained at once or late, some layers cut off by rst."""

    def idle() -> dict[str, int]:
        return random_layer(rng, model.sizes) | {"rst": 0, "start": 0, "drained": rng.randrange(2)}

    yield idle() | {"rst": 1, "start": 1}
    for _ in range(count):
        for _ in range(rng.choice([0, 0, 1, 3])):
            yield idle()
        layer = random_layer(rng, model.sizes)
        drained_share = rng.choice([1.0, 1.0, 0.5, 0.2])
        yield layer | {"rst": 0, "start": 1, "drained": rng.randrange(2)}
        cut = rng.choice([None, None, None, rng.randrange(60)])
        played = 0
        while model.walk:
            # Only a drain that the sequencer waits for counts.
            drained = int(rng.random() < drained_share)
            is_cut = played == cut
            yield layer | {"rst": int(is_cut), "start": rng.randrange(2) if is_cut else 0, "drained": drained}
            played += 1


@cocotb.test()
async def walks_of_random_layers(dut: Any) -> None:
    """Every tap of every layer, in every clock."""
    model = TapModel(Sizes(*(parameter(dut, name) for name in SIZES)))
    await run_lockstep(dut, model, layers(random.Random(1), model, 90))


@cocotb.test()
async def reset_while_a_sweep_is_drained(dut: Any) -> None:
    """rst ends the wait: a drain that comes afterwards starts nothing."""
    model = TapModel(Sizes(*(parameter(dut, name) for name in SIZES)))
    rng = random.Random(2)

    def stimulus() -> Iterator[dict[str, int]]:
        quiet = {"rst": 0, "start": 0, "drained": 0}
        yield quiet | {"rst": 1}
        for _ in range(10):
            layer = random_layer(rng, model.sizes)
            yield layer | quiet | {"start": 1}
            while not model.waits:
                yield layer | quiet
            yield layer | quiet | {"rst": 1, "drained": rng.randrange(2)}
            yield from 3 * [layer | quiet | {"drained": 1}]

    await run_lockstep(dut, model, stimulus())
