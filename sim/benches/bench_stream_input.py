"""Bench of stream_input: images back to back with gaps and back-pressure, false tlast marks, resets, endless images."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"DATA_BITS": 16},)
Beat = tuple[int, int]  # (tdata, tlast)
QUIET = {"rst": 0, "start": 0, "length": 0, "s_axis_tdata": 0, "s_axis_tvalid": 0, "s_axis_tlast": 0, "out_ready": 0}


class InputModel:
    """Values owed to the image, and the queue of at most one value accepted but not yet handed on."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.owed = 0
        self.had = 0  # values of the image that were accepted
        self.waiting: deque[tuple[int, bool]] = deque()  # (value, it is the image's last)
        self.done = False
        self.tlast_error = False
        self.accepted = False

    def ready(self, inputs: Mapping[str, int]) -> bool:
        """Return tready: a value is owed, and there is room for it once this clock's reader has taken one."""
        return self.owed > 0 and (not self.waiting or bool(inputs["out_ready"]))

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return both handshakes and the marks."""
        state = {
            "s_axis_tready": int(self.ready(inputs)),
            "out_valid": int(bool(self.waiting)),
            "done": int(self.done),
            "tlast_error": int(self.tlast_error),
            "mid_image": int(self.had > 0 and self.owed > 0),
        }
        return state | {"out_value": self.waiting[0][0]} if self.waiting else state

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Hand a value on, accept a value, start an image."""
        if inputs["rst"]:
            self.reset()
            return
        self.accepted = bool(inputs["s_axis_tvalid"]) and self.ready(inputs)
        self.done = bool(self.waiting) and bool(inputs["out_ready"]) and self.waiting.popleft()[1]
        if self.accepted:
            last = self.owed == 1
            self.waiting.append((inputs["s_axis_tdata"], last))
            self.tlast_error |= last != bool(inputs["s_axis_tlast"])
            self.owed -= 1
            self.had += 1
        if inputs["start"]:
            self.owed, self.had = inputs["length"], 0


def marked(values: list[int]) -> list[Beat]:
    """Return the beats of an image, tlast on its last."""
    return [(value, int(index == len(values) - 1)) for index, value in enumerate(values)]


def traffic(
    rng: random.Random, model: InputModel, images: list[list[Beat]], offered_share: float, ready_share: float
) -> Iterator[dict[str, int]]:
    """Yield the images' beats; one that is offered stays until it is accepted, whether its image has started or not."""
    data_bits = max(1, max(value for image in images for value, _ in image).bit_length())
    beats = deque(beat for image in images for beat in image)
    lengths = deque(len(image) for image in images)
    offered = False
    while beats or model.waiting or model.done:
        offered = bool(beats) and (offered or rng.random() < offered_share)
        value, last = beats[0] if offered else (rng.getrandbits(data_bits), rng.randrange(2))
        start = bool(lengths) and model.owed == 0 and rng.random() < 0.5
        yield {
            "rst": 0,
            "start": int(start),
            "length": lengths[0] if start else rng.getrandbits(4),
            "s_axis_tdata": value,
            "s_axis_tvalid": int(offered),
            "s_axis_tlast": last,
            "out_ready": int(rng.random() < ready_share),
        }
        if start:
            lengths.popleft()
        if model.accepted:
            beats.popleft()
            offered = False


def after_reset(stimulus: Iterator[dict[str, int]]) -> Iterator[dict[str, int]]:
    """Yield a reset, a quiet clock, a clock with everything offered but not started, then `stimulus`."""
    yield QUIET | {"rst": 1, "start": 1, "length": 3, "s_axis_tvalid": 1, "out_ready": 1}
    yield QUIET
    yield QUIET | {"s_axis_tvalid": 1, "s_axis_tlast": 1, "out_ready": 1}
    yield from stimulus


def random_images(rng: random.Random, data_bits: int, lengths: list[int]) -> list[list[Beat]]:
    """Return images of random values, the corners of the range among them."""
    most = (1 << data_bits) - 1
    return [marked([rng.choice([0, most, rng.randint(0, most)]) for _ in range(length)]) for length in lengths]


@cocotb.test()
async def images_back_to_back(dut: Any) -> None:
    """Every value in order, done once an image, at full speed, with gaps, with back-pressure and with both."""
    rng, model = random.Random(1), InputModel()
    data_bits = parameter(dut, "DATA_BITS")

    def stimulus() -> Iterator[dict[str, int]]:
        for offered_share, ready_share in ((1.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.6, 0.6)):
            images = random_images(rng, data_bits, [1, 2, 1, 9, rng.randint(1, 40), 17])
            yield from after_reset(traffic(rng, model, images, offered_share, ready_share))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def false_last_marks(dut: Any) -> None:
    """A missing or an early tlast raises the error, which lasts until rst, and the count stays in force."""
    rng, model = random.Random(2), InputModel()
    missing = [(5, 0), (6, 0), (7, 0)]
    early = [(5, 0), (6, 1), (7, 1)]

    def stimulus() -> Iterator[dict[str, int]]:
        for false in (missing, early, [(9, 0)]):
            images = [marked([1, 2, 3]), false, marked([4, 5])]
            yield from after_reset(traffic(rng, model, images, 0.7, 0.7))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def reset_within_an_image(dut: Any) -> None:
    """rst drops what waits, closes the port and clears the marks, wherever it falls."""
    rng, model = random.Random(3), InputModel()

    def stimulus() -> Iterator[dict[str, int]]:
        for clocks in range(3, 24):
            images = random_images(rng, parameter(dut, "DATA_BITS"), [2, 5, 30])
            beats = after_reset(traffic(rng, model, images, 0.8, 0.6))
            yield from (inputs for inputs, _ in zip(beats, range(clocks), strict=False))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def lengths_of_32_bits(dut: Any) -> None:
    """An image may have any length that 32 bits can say: the port stays open, no early value counts as the last."""
    model = InputModel()

    def stimulus() -> Iterator[dict[str, int]]:
        for bit in range(4, 32):
            yield QUIET | {"rst": 1}
            yield QUIET | {"start": 1, "length": 1 << bit}
            yield from 3 * [QUIET | {"s_axis_tvalid": 1, "out_ready": 1}]

    await run_lockstep(dut, model, stimulus())
