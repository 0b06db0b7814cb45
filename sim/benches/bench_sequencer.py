"""Bench of sequencer: tables of descriptors run image after image, each answer as late as chance has it, some of them
refused, pauses between images, resets.
"""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"INDEX_BITS": 3}, {"INDEX_BITS": 1})
Inputs = Mapping[str, int]
COMMANDS = (
    *("fetch", "fetch_rewind", "configuring", "configure", "release_image", "take", "begin_layer", "end_layer"),
    *("image_done", "halted"),
)
QUIET: Inputs = dict.fromkeys(("rst", "run", "fetched", "legal", "layer_last", "image_ready", "layer_done"), 0)


class SequencerModel:
    """The run of a table as a story: each step waits for its answer, and nothing else counts meanwhile."""

    def __init__(self, index_bits: int) -> None:
        self.indices = 1 << index_bits
        self.told: Mapping[str, int] | None = None
        self.latest: Mapping[str, int] = {}  # outputs of the clock before
        self.reset()

    def reset(self) -> None:
        """Begin with descriptor 0."""
        self.index = 0
        self.busy = 0
        self.story = self.tell()
        next(self.story)

    def commands(self, *given: str) -> Mapping[str, int]:
        """Return the outputs of a clock that gives these commands and no other."""
        state = {"layer_index": self.index % self.indices, "busy": self.busy}
        return {name: int(name in given) for name in COMMANDS} | state

    def tell(self) -> Generator[Mapping[str, int], Inputs, None]:
        """Receive the inputs of each clock, yield its outputs."""
        inputs = yield {}
        while not inputs["run"]:
            inputs = yield self.commands()
        inputs = yield self.commands("fetch")
        while not inputs["fetched"]:
            inputs = yield self.commands("configuring")
        if not inputs["legal"]:
            yield self.commands("configuring")
            yield from self.halt()
        inputs = yield self.commands("configuring", "configure", "fetch")
        fetched = 0
        while True:
            while not ((fetched := fetched | inputs["fetched"]) and inputs["image_ready"] and inputs["run"]):
                inputs = yield self.commands()
            if not inputs["legal"]:
                yield self.commands()
                yield from self.halt()
            inputs = yield self.commands("take")
            self.index, self.busy = 1, 1
            while True:
                last = inputs["layer_last"]
                inputs = yield self.commands("begin_layer", "fetch", *["fetch_rewind"] * last)
                fetched = inputs["fetched"]
                while not inputs["layer_done"]:
                    inputs = yield self.commands()
                    fetched |= inputs["fetched"]
                if last:
                    break
                while not fetched:
                    inputs = yield self.commands()
                    fetched = inputs["fetched"]
                if not inputs["legal"]:
                    yield self.commands()
                    yield from self.halt()
                inputs = yield self.commands("take", "end_layer")
                self.index += 1
            inputs = yield self.commands("image_done", "release_image", "end_layer")
            self.busy = 0

    def halt(self) -> Generator[Mapping[str, int], Inputs, None]:
        """Nothing more is told, until rst."""
        while True:
            yield self.commands("halted")

    def outputs(self, inputs: Inputs) -> Mapping[str, int]:
        """Return the commands of this clock."""
        if self.told is None:
            self.told = self.story.send(inputs)
        return self.told

    def clock(self, inputs: Inputs) -> None:
        """Pass the clock's inputs to the story."""
        self.latest = self.outputs(inputs)
        self.told = None
        if inputs["rst"]:
            self.reset()


def play(rng: random.Random, model: SequencerModel, layers: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield answers that come late, among answers that nobody waits for; the table's last descriptor is `last`."""
    late_share = rng.choice([0.0, 0.4, 0.8])
    legal_share = 0.9
    awaited = False  # a descriptor
    layer = 0
    yield {**QUIET, "rst": 1, "fetched": 1, "image_ready": 1, "layer_done": 1}
    for _ in range(clocks):
        # A layer that runs ends by itself only; all else may come at any time, but for one answer to each fetch.
        fetched = int(awaited and rng.random() >= late_share)
        rst = int(rng.random() < (0.2 if model.latest["halted"] else 0.01))
        yield {
            "rst": rst,
            "run": int(rng.random() >= late_share / 2),
            "fetched": fetched,
            "legal": int(rng.random() < legal_share),
            "layer_last": int(layer == layers) if layer else rng.randrange(2),
            "image_ready": rng.randrange(2),
            "layer_done": int(rng.random() >= late_share / 2),
        }
        awaited = not rst and bool(model.latest["fetch"] or (awaited and not fetched))
        if model.latest["take"]:
            layer = layer % layers + 1
        if rst:
            layer = 0
            legal_share = rng.choice([1.0, 1.0, 0.95, 0.7])


@cocotb.test()
async def tables_of_every_length(dut: Any) -> None:
    """Descriptors in order and around again, at any length that the index can count."""
    rng = random.Random(1)
    index_bits = parameter(dut, "INDEX_BITS")
    for layers in range(1, 1 << min(index_bits, 4)):
        model = SequencerModel(index_bits)
        await run_lockstep(dut, model, play(rng, model, layers, 1000))
