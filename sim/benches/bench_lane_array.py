"""Bench of lane_array: random words in any order, whole layers against their definitions."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.bench_processing_element import IDLE, ProcessingElementModel, adder_layer, dot_layer, signed, unpack
from sim.benches.bench_processing_element import traffic as element_traffic
from sim.benches.codes import pack, tap_word
from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"IN_LANES": 3, "OUT_LANES": 3, "CODE_BITS": 4, "ACC_BITS": 10, "MIN_FORM": 1},
    {"IN_LANES": 3, "OUT_LANES": 3, "CODE_BITS": 4, "ACC_BITS": 10, "MIN_FORM": 0},
    {"IN_LANES": 4, "OUT_LANES": 2, "CODE_BITS": 4, "ACC_BITS": 12, "MIN_FORM": 1, "DOT_SPLIT": 2, "TREE_STAGES": 1},
)


class LaneArrayModel:
    """One model per output lane, and the sum of x over adder words."""

    def __init__(
        self,
        in_lanes: int,
        out_lanes: int,
        code_bits: int,
        acc_bits: int,
        min_form: bool,
        dot_split: int,
        tree_stages: int,
    ) -> None:
        self.in_lanes = in_lanes
        self.code_bits = code_bits
        self.min_form = min_form
        self.acc_bits = acc_bits
        self.elements = [
            ProcessingElementModel(in_lanes, code_bits, acc_bits, min_form, dot_split, tree_stages)
            for _ in range(out_lanes)
        ]
        self.sum_x: int | None = None
        # The adder words in flight, the last in first; None for a clock without one.
        self.stages: list[Mapping[str, int] | None] = [None] * (1 + tree_stages)

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the sums where they are known."""
        accs = [element.accumulator.acc for element in self.elements]
        known = [acc for acc in accs if acc is not None]
        if len(known) < len(accs) or self.sum_x is None:
            return {}
        sum_x = self.sum_x % (1 << self.acc_bits) if self.min_form else 0
        return {"acc": pack(known, self.acc_bits), "sum_x": sum_x}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Move every lane."""
        if inputs["rst"]:
            self.sum_x = 0
        elif (last := self.stages[-1]) is not None and self.sum_x is not None:
            word = unpack(last["in_x"], self.in_lanes, self.code_bits)
            self.sum_x = sum(word) + (0 if last["in_first"] else self.sum_x)
        self.stages = [inputs if inputs["in_valid"] and not inputs["in_dot"] else None, *self.stages[:-1]]
        if inputs["rst"]:
            self.stages = [None] * len(self.stages)
        word_bits = self.in_lanes * self.code_bits
        for lane, element in enumerate(self.elements):
            element.clock({**inputs, "in_w": (inputs["in_w"] >> (lane * word_bits)) % (1 << word_bits)})


def model_of(dut: Any) -> LaneArrayModel:
    """Return the model with the design's parameters."""
    names = ("IN_LANES", "OUT_LANES", "CODE_BITS", "ACC_BITS")
    in_lanes, out_lanes, code_bits, acc_bits = (parameter(dut, name) for name in names)
    min_form, dot_split, stages = (parameter(dut, name) for name in ("MIN_FORM", "DOT_SPLIT", "TREE_STAGES"))
    return LaneArrayModel(in_lanes, out_lanes, code_bits, acc_bits, bool(min_form), dot_split, stages)


def traffic(rng: random.Random, model: LaneArrayModel, clocks: int) -> Iterator[dict[str, int]]:
    """Yield the processing element's traffic with weights for every output lane."""
    for inputs in element_traffic(rng, model.in_lanes, model.code_bits, clocks):
        weights = [code for _ in model.elements for code in tap_word(rng, model.in_lanes, model.code_bits)[1]]
        yield inputs | {"in_w": pack(weights, model.code_bits)}


@cocotb.test()
async def any_words_in_any_order(dut: Any) -> None:
    """acc and sum_x equal the model's after every clock."""
    model = model_of(dut)
    await run_lockstep(dut, model, traffic(random.Random(1), model, 1000))


@cocotb.test()
async def layers_equal_their_definitions(dut: Any) -> None:
    """After a layer every channel has sum x * w, sum |x - w|, or what makes it of sum min(x, w) and the sum of x."""
    model = model_of(dut)
    lanes, bits = len(model.elements), model.code_bits
    rng = random.Random(2)
    for index in range(8):
        xs_of_word = [tap_word(rng, model.in_lanes, bits)[0] for _ in range(rng.randint(1, 3))]
        # weights[word][output lane][input lane]
        weights = [[tap_word(rng, model.in_lanes, bits)[1] for _ in range(lanes)] for _ in xs_of_word]
        words = [(xs, [w for ws in word for w in ws]) for xs, word in zip(xs_of_word, weights, strict=True)]
        dot = index % 2
        taps = dot_layer(words, bits) if dot else adder_layer(words, bits)
        still = [taps[-1] | {"in_valid": 0}] * (2 + len(model.stages))
        await run_lockstep(dut, model, [IDLE | {"rst": 1, "in_x": 0, "in_w": 0}, *taps, *still])
        accs = unpack(int(dut.acc.value), lanes, model.acc_bits)
        sum_x = int(dut.sum_x.value)
        for lane, acc in enumerate(accs):
            pairs = [
                tap for xs, word in zip(xs_of_word, weights, strict=True) for tap in zip(xs, word[lane], strict=True)
            ]
            if dot:
                actual, expected = acc, sum(x * signed(w, bits) for x, w in pairs)
            elif model.min_form:
                # -sum |x - w| + sum w
                actual = 2 * acc - sum_x
                expected = sum(w - abs(x - w) for x, w in pairs)
            else:
                actual, expected = acc, sum(abs(x - w) for x, w in pairs)
            modulus = 1 << model.acc_bits
            assert actual % modulus == expected % modulus, f"lane {lane} must be {expected}, not {actual}; taps {pairs}"
