"""Bench of sequencer: tables of descriptors run image after image, each answer as late as chance has it, resets."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = ({"INDEX_BITS": 3}, {"INDEX_BITS": 1})
Inputs = Mapping[str, int]
INPUTS = ("fetched", "layer_load", "layer_last", "taps_finished", "load_finished", "pipeline_idle")


class SequencerModel:
    """The run of a table as a story: each step waits for its answer, and nothing else counts meanwhile."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin with the first descriptor."""
        self.busy = 0
        self.index: int | None = None  # None in the clock that goes back to the first descriptor
        self.waits_for = ""
        self.story = self.tell()
        next(self.story)

    def tell(self) -> Generator[None, Inputs, None]:
        """Run images for ever; each yield is one clock and receives its inputs."""
        while True:
            self.waits_for, self.index = "restart", None
            yield
            self.index = 0
            last = 0
            while not last:
                for answer in ("fetched", "begin"):
                    self.waits_for = answer
                    inputs = yield
                    while answer == "fetched" and not inputs["fetched"]:
                        inputs = yield
                load = inputs["layer_load"]
                self.waits_for = "load_finished" if load else "taps_finished"
                while not (yield)[self.waits_for]:
                    pass
                self.busy |= load
                self.waits_for = "pipeline_idle"
                while not (inputs := (yield))["pipeline_idle"]:
                    pass
                last = inputs["layer_last"]
                self.index += 1
            self.busy = 0

    def outputs(self, inputs: Inputs) -> Mapping[str, int]:
        """Return the commands of this clock."""
        flushed = self.waits_for == "pipeline_idle" and inputs["pipeline_idle"]
        restart = self.waits_for == "restart"
        begin = self.waits_for == "begin"
        outputs = {
            "fetch": int(restart or (flushed and not inputs["layer_last"])),
            "fetch_rewind": int(restart),
            "begin_load": int(begin and inputs["layer_load"]),
            "begin_layer": int(begin and not inputs["layer_load"]),
            "image_done": int(flushed and inputs["layer_last"]),
            "busy": self.busy,
        }
        return outputs if self.index is None else outputs | {"layer_index": self.index}

    def clock(self, inputs: Inputs) -> None:
        """Pass the clock's inputs to the story."""
        if inputs["rst"]:
            self.reset()
        else:
            self.story.send(inputs)


def play(rng: random.Random, model: SequencerModel, descriptors: int, clocks: int) -> Iterator[dict[str, int]]:
    """Yield answers that come late, among answers that nobody waits for; a table's last descriptor is `last`."""
    yield dict.fromkeys(("rst", *INPUTS), 1)
    late_share = rng.choice([0.0, 0.4, 0.8])
    for _ in range(clocks):
        inputs = {"rst": int(rng.random() < 0.01)} | {name: rng.randrange(2) for name in INPUTS}
        if model.waits_for in INPUTS:
            inputs[model.waits_for] = int(rng.random() >= late_share)
        if model.waits_for == "pipeline_idle" and model.index is not None:
            inputs["layer_last"] = int(model.index == descriptors - 1)
        yield inputs


@cocotb.test()
async def tables_of_every_length(dut: Any) -> None:
    """Descriptors in order and around again, loads and layers anywhere, at any length that the index can count."""
    rng = random.Random(1)
    for descriptors in range(1, (1 << min(parameter(dut, "INDEX_BITS"), 4)) + 1):
        model = SequencerModel()
        await run_lockstep(dut, model, play(rng, model, descriptors, 300))
