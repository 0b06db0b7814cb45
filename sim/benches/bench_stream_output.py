"""Bench of stream_output: images back to back with gaps and back-pressure; tlast, and the argmax in tuser."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"VALUE_BITS": 12, "DATA_BITS": 16, "COUNT_BITS": 3},)
QUIET = {"rst": 0, "start": 0, "length": 0, "in_valid": 0, "in_value": 0, "m_axis_tready": 0}


class OutputModel:
    """Values owed to the image, those it has had, and the queue of at most one beat that waits for the reader."""

    def __init__(self, value_bits: int, data_bits: int) -> None:
        self.value_bits = value_bits
        self.data_bits = data_bits
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.owed = 0
        self.image: list[int] = []
        self.beats: deque[Mapping[str, int]] = deque()
        self.accepted = False

    def ready(self, inputs: Mapping[str, int]) -> bool:
        """Return in_ready: a value is owed, and there is room for it once this clock's reader has taken one."""
        return self.owed > 0 and (not self.beats or bool(inputs["m_axis_tready"]))

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return both handshakes and, while there is one, the beat."""
        state = {"in_ready": int(self.ready(inputs)), "m_axis_tvalid": int(bool(self.beats))}
        return {**state, **self.beats[0]} if self.beats else state

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Hand a beat on, accept a value, start an image."""
        if inputs["rst"]:
            self.reset()
            return
        self.accepted = bool(inputs["in_valid"]) and self.ready(inputs)
        if self.beats and inputs["m_axis_tready"]:
            self.beats.popleft()
        if self.accepted:
            pattern = inputs["in_value"]
            value = pattern - (1 << self.value_bits) if pattern >> (self.value_bits - 1) else pattern
            self.image.append(value)
            self.beats.append(
                {
                    "m_axis_tdata": value % (1 << self.data_bits),
                    "m_axis_tlast": int(self.owed == 1),
                    "m_axis_tuser": self.image.index(max(self.image)),
                }
            )
            self.owed -= 1
        if inputs["start"]:
            self.owed, self.image = inputs["length"], []


def traffic(
    rng: random.Random, model: OutputModel, images: list[list[int]], offered_share: float, ready_share: float
) -> Iterator[dict[str, int]]:
    """Yield the images' values; one that is offered stays until accepted, whether its image has started or not."""
    patterns = 1 << model.value_bits
    values = deque(value for image in images for value in image)
    lengths = deque(len(image) for image in images)
    offered = False
    while values or model.beats:
        offered = bool(values) and (offered or rng.random() < offered_share)
        start = bool(lengths) and model.owed == 0 and rng.random() < 0.5
        yield {
            "rst": 0,
            "start": int(start),
            "length": lengths[0] if start else rng.randrange(2),
            "in_valid": int(offered),
            "in_value": values[0] % patterns if offered else rng.randrange(patterns),
            "m_axis_tready": int(rng.random() < ready_share),
        }
        if start:
            lengths.popleft()
        if model.accepted:
            values.popleft()
            offered = False


def after_reset(stimulus: Iterator[dict[str, int]]) -> Iterator[dict[str, int]]:
    """Yield a reset, a quiet clock, a clock with everything offered but not started, then `stimulus`."""
    yield QUIET | {"rst": 1, "start": 1, "length": 1, "in_valid": 1, "m_axis_tready": 1}
    yield QUIET
    yield QUIET | {"in_valid": 1, "m_axis_tready": 1}
    yield from stimulus


def random_images(rng: random.Random, value_bits: int, most: int) -> list[list[int]]:
    """Return images of 1 to `most` values: noise, few values (so ties), corners, and all of one sign."""
    low, high = -(1 << (value_bits - 1)), (1 << (value_bits - 1)) - 1

    def image(*choices: int) -> list[int]:
        return [rng.choice(choices) if choices else rng.randint(low, high) for _ in range(rng.choice([1, most, most]))]

    return [image(), image(-1, 0, 1), image(low, high), image(low), image(), image(-5, -4, -3), image(high, 0, -1)]


@cocotb.test()
async def images_back_to_back(dut: Any) -> None:
    """Every value in order with its marks, at full speed, with gaps, with back-pressure and with both."""
    value_bits = parameter(dut, "VALUE_BITS")
    most = min(24, (1 << parameter(dut, "COUNT_BITS")) - 1)
    rng, model = random.Random(1), OutputModel(value_bits, parameter(dut, "DATA_BITS"))

    def stimulus() -> Iterator[dict[str, int]]:
        for offered_share, ready_share in ((1.0, 1.0), (0.3, 1.0), (1.0, 0.3), (0.6, 0.6)):
            images = random_images(rng, value_bits, most) + random_images(rng, value_bits, most)
            yield from after_reset(traffic(rng, model, images, offered_share, ready_share))

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def reset_within_an_image(dut: Any) -> None:
    """rst drops what waits and closes the port, wherever it falls."""
    value_bits = parameter(dut, "VALUE_BITS")
    most = min(24, (1 << parameter(dut, "COUNT_BITS")) - 1)
    rng, model = random.Random(2), OutputModel(value_bits, parameter(dut, "DATA_BITS"))

    def stimulus() -> Iterator[dict[str, int]]:
        for clocks in range(3, 24):
            beats = after_reset(traffic(rng, model, random_images(rng, value_bits, most), 0.8, 0.6))
            yield from (inputs for inputs, _ in zip(beats, range(clocks), strict=False))

    await run_lockstep(dut, model, stimulus())
