"""The loop that the clocked benches share: drive the inputs, sample the outputs, compare with the model, step it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

from sim.benches.codes import Lanes, shown


class ClockedModel(Protocol):
    """A plain-Python model of a clocked module, one call of each method a clock."""

    def outputs(self, inputs: Mapping[str, int]) -> Mapping[str, int | Lanes]:
        """Return the outputs in this clock, as unsigned bit patterns; what may be anything is left out."""

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Pass the clock edge that ends this clock."""


def parameter(dut: Any, name: str) -> int:
    """Return an integer parameter of the design, so that each is stated once, where the design is built."""
    return int(dut[name].value)


async def run_lockstep(dut: Any, model: ClockedModel, stimulus: Iterable[Mapping[str, int]]) -> None:
    """Play `stimulus`, one mapping of input name to unsigned bit pattern a clock, on the design and on the model.

    The stimulus may look at the model between two clocks, to hold a value until it is taken. An input that a mapping
    leaves out keeps its value. The outputs of the first clock, which may be the one of rst, are not compared. Raises
    AssertionError at the first output that is not the model's.
    """
    clock = Clock(dut.clk, 10, unit="ns")
    clock.start()
    await RisingEdge(dut.clk)
    played = 0
    for inputs in stimulus:
        for name, value in inputs.items():
            dut[name].value = value
        # Reads at the edge see the clock that ends: registers have not moved, wires have settled.
        await RisingEdge(dut.clk)
        for name, expected in model.outputs(inputs).items() if played else ():
            actual = shown(dut[name].value, expected)
            assert actual == expected, f"clock {played}: {name} must be {expected}, not {actual}; inputs {dict(inputs)}"
        model.clock(inputs)
        played += 1
    clock.stop()
    assert played > 0, "the stimulus must have at least one clock"
