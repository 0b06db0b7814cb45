"""The loop that benches of combinational modules share: drive the inputs, let them settle, compare with the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from cocotb.triggers import Timer

from sim.benches.codes import Lanes, shown

Values = Mapping[str, int]


async def run_combinational(
    dut: Any, model: Callable[[Values], Mapping[str, int | Lanes]], stimulus: Iterable[Values]
) -> None:
    """Play `stimulus`, mappings of input name to unsigned bit pattern, and compare every output that `model` returns.

    Raises AssertionError at the first output that is not the model's.
    """
    played = 0
    for inputs in stimulus:
        for name, value in inputs.items():
            dut[name].value = value
        await Timer(1, "ns")
        for name, expected in model(inputs).items():
            actual = shown(dut[name].value, expected)
            assert actual == expected, f"{name} must be {expected}, not {actual}; inputs {dict(inputs)}"
        played += 1
    assert played > 0, "the stimulus must have at least one vector"
