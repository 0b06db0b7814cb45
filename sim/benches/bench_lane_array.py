"""Bench of lane_array: random words while lanes are drained in any order, whole layers against their definitions."""

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
)


class LaneArrayModel:
    """One model per output lane, the sum of x over adder words, and the drained value."""

    def __init__(self, in_lanes: int, out_lanes: int, code_bits: int, acc_bits: int, min_form: bool) -> None:
        self.in_lanes = in_lanes
        self.code_bits = code_bits
        self.min_form = min_form
        self.modulus = 1 << acc_bits
        self.elements = [ProcessingElementModel(in_lanes, code_bits, acc_bits, min_form) for _ in range(out_lanes)]
        self.sum_x = 0
        self.stage: Mapping[str, int] | None = None
        self.drained: int | None = None

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return drain_acc where it is known."""
        return {} if self.drained is None else {"drain_acc": self.drained}

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Drain what stood before the edge, then move every lane."""
        if inputs["drain_enable"]:
            acc = self.elements[inputs["drain_lane"]].accumulator.acc
            if acc is None:
                self.drained = None
            else:
                adder_result = 2 * acc - self.sum_x if self.min_form else -acc
                self.drained = (acc if inputs["drain_dot"] else adder_result) % self.modulus
        if inputs["rst"]:
            self.sum_x = 0
        elif self.stage is not None:
            word = unpack(self.stage["in_x"], self.in_lanes, self.code_bits)
            self.sum_x = sum(word) + (0 if self.stage["in_first"] else self.sum_x)
        self.stage = inputs if inputs["in_valid"] and not inputs["in_dot"] and not inputs["rst"] else None
        word_bits = self.in_lanes * self.code_bits
        for lane, element in enumerate(self.elements):
            element.clock({**inputs, "in_w": (inputs["in_w"] >> (lane * word_bits)) % (1 << word_bits)})


def model_of(dut: Any) -> LaneArrayModel:
    """Return the model with the design's parameters."""
    names = ("IN_LANES", "OUT_LANES", "CODE_BITS", "ACC_BITS")
    in_lanes, out_lanes, code_bits, acc_bits = (parameter(dut, name) for name in names)
    return LaneArrayModel(in_lanes, out_lanes, code_bits, acc_bits, bool(parameter(dut, "MIN_FORM")))


def traffic(rng: random.Random, model: LaneArrayModel, clocks: int) -> Iterator[dict[str, int]]:
    """Yield the processing element's traffic with weights for every output lane, and drains at any time."""
    lanes, bits = len(model.elements), model.code_bits
    for inputs in element_traffic(rng, model.in_lanes, bits, clocks):
        weights = [code for _ in range(lanes) for code in tap_word(rng, model.in_lanes, bits)[1]]
        drain = {
            "drain_enable": int(rng.random() < 0.7),
            "drain_lane": rng.randrange(lanes),
            "drain_dot": rng.randrange(2),
        }
        yield inputs | drain | {"in_w": pack(weights, bits)}


@cocotb.test()
async def any_words_and_drains_in_any_order(dut: Any) -> None:
    """drain_acc equals the model's after every clock."""
    model = model_of(dut)
    await run_lockstep(dut, model, traffic(random.Random(1), model, 1000))


@cocotb.test()
async def layers_equal_their_definitions(dut: Any) -> None:
    """Every drained channel is -sum |x - w| (plus sum w in the min form) or sum x * w, cut to ACC_BITS."""
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
        hold = {"drain_enable": 0, "drain_lane": 0, "drain_dot": dot}
        still = taps[-1] | hold | {"in_valid": 0}
        reset = IDLE | hold | {"rst": 1, "in_x": 0, "in_w": 0}
        await run_lockstep(dut, model, [reset, *(tap | hold for tap in taps), still, still])
        for lane in range(lanes):
            pairs = [
                tap for xs, word in zip(xs_of_word, weights, strict=True) for tap in zip(xs, word[lane], strict=True)
            ]
            if dot:
                expected = sum(x * signed(w, bits) for x, w in pairs)
            else:
                expected = -sum(abs(x - w) for x, w in pairs) + sum(w for _, w in pairs) * model.min_form
            await run_lockstep(dut, model, [still | {"drain_enable": 1, "drain_lane": lane}, still])
            actual = int(dut.drain_acc.value)
            assert actual == expected % model.modulus, f"lane {lane} must be {expected}, not {actual}; taps {pairs}"
