"""Changes of a netlist's nets, glitches included: worked by hand, and as Icarus counts them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from cell_library import cell, module, write_library

from quant.errors import MismatchError
from rtl.gate_netlist import GateNetlist, netlist_of
from sim.gate_activity import GateActivity, bit_streams


def test_bits_of_codes() -> None:
    """Lane by lane, lowest bit first; clock t at bit t."""
    codes = np.array([[1, -2], [2, 1], [3, 0]])
    assert bit_streams(codes, 2) == [0b101, 0b110, 0b010, 0b001]


def counts(activity: GateActivity, delays: dict[int, int] | None) -> dict[int, int]:
    """Changes of each net in the counted clocks."""
    result: dict[int, int] = {}
    for step in (activity.settled(),) if delays is None else activity.steps(delays):
        for net, change in step.changes.items():
            assert isinstance(net, int)
            result[net] = result.get(net, 0) + (change & activity.counted).bit_count()
    return {net: count for net, count in result.items() if count}


def hazard(tmp_path: Path) -> GateActivity:
    """y = ~(a & ~a) is 1, but falls for the inverter's delay when a rises; a = 0 1 0 1, and clock 0 does not count."""
    netlist = netlist_of(
        module({"a": [2], "y": [4]}, cell("NANDX", A=2, B=3, Y=4), cell("INVX", A=2, Y=3)), write_library(tmp_path)
    )
    return GateActivity(netlist, {"a": [0b1010]}, 0b1110, 4)


def test_a_hazard_worked_by_hand(tmp_path: Path) -> None:
    activity = hazard(tmp_path)
    assert activity.values[4] == 0b1111
    assert counts(activity, None) == {2: 3, 3: 3}
    # Both rises of a make a pulse at y, as long as the inverter takes; it is shown unless the gate takes longer.
    assert counts(activity, {3: 1, 4: 1}) == {2: 3, 3: 3, 4: 4}
    assert counts(activity, {3: 2, 4: 2}) == {2: 3, 3: 3, 4: 4}
    assert counts(activity, {3: 2, 4: 3}) == {2: 3, 3: 3}


def random_netlist(rng: np.random.Generator, tmp_path: Path) -> GateNetlist:
    """Thirty NANDs and NORs of whatever stands ahead of them; inputs are nets 2 to 6."""
    gates = []
    for output in range(7, 37):
        a, b = rng.integers(2, output, 2).tolist()
        gates.append(cell("NANDX" if rng.integers(2) else "NORX", A=a, B=b, Y=output))
    return netlist_of(module({"in": list(range(2, 7))}, *gates), write_library(tmp_path))


@pytest.mark.parametrize("seed", range(4))
def test_glitches_are_those_of_icarus(seed: int, tmp_path: Path) -> None:
    """Verilog's gates delay inertially too. Delays are long and random: two changes at the very same time are rare."""
    rng = np.random.default_rng(seed)
    netlist = random_netlist(rng, tmp_path)
    delays = {gate.output: int(rng.integers(1, 10_000)) for gate in netlist.gates}
    words = rng.integers(0, 32, 60)
    lines = ["`timescale 1ps/1ps", "module top; reg [4:0] in = 0; reg counting = 0; integer i;"]
    lines += [f"wire n{net}; assign n{net} = in[{net - 2}];" for net in range(2, 7)]
    lines += [f"wire n{net}; integer c{net} = 0; always @(n{net}) if (counting) c{net} = c{net} + 1;" for net in delays]
    for gate, instance in (
        (gate, each) for gate in netlist.gates for each in netlist.instances if each.nets["Y"] == gate.output
    ):
        kind = "nand" if instance.cell.name == "NANDX" else "nor"
        lines.append(f"{kind} #{delays[gate.output]} (n{gate.output}, n{gate.inputs[0]}, n{gate.inputs[1]});")
    lines += ["initial begin", f"in = {words[0]}; #1000000 counting = 1;"]
    lines += [f"in = {word}; #1000000;" for word in words[1:]]
    lines += [f'$display("{net} %0d", c{net});' for net in delays]
    lines += ["$finish; end", "endmodule", ""]
    (tmp_path / "top.v").write_text("\n".join(lines))
    subprocess.run(["iverilog", "-g2005", "-o", "top.vvp", "top.v"], cwd=tmp_path, check=True)
    run = subprocess.run(["vvp", "-n", "top.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True)
    expected = {int(net): int(count) for net, count in map(str.split, run.stdout.splitlines()) if int(count)}
    activity = GateActivity(netlist, {"in": bit_streams(words, 5)}, (1 << 60) - 2, 60)
    found = {net: count for net, count in counts(activity, delays).items() if net > 6}
    assert found == expected
    settled = {net: count for net, count in counts(activity, None).items() if net > 6}
    assert sum(settled.values()) < sum(found.values())


def test_registers_without_feedback_are_found(tmp_path: Path) -> None:
    """Three flip-flops in a row, the last behind an inverter: what went in, one clock later each."""
    netlist = netlist_of(
        module(
            {"d": [2]},
            cell("DFFX", CK=9, D=4, Q=5),
            cell("DFFX", CK=9, D=2, Q=3),
            cell("INVX", A=3, Y=4),
            cell("DFFX", CK=9, D=5, Q=6),
        ),
        write_library(tmp_path),
    )
    values = GateActivity(netlist, {"d": [0b010110]}, 0b111000, 6).values
    assert (values[3], values[5], values[6]) == (0b101100, 0b100110, 0b001100)


def test_registers_that_feed_back_are_checked(tmp_path: Path) -> None:
    """A flip-flop that inverts itself each clock."""
    netlist = netlist_of(
        module({"q": [3]}, cell("DFFX", CK=9, D=2, Q=3), cell("INVX", A=3, Y=2)), write_library(tmp_path)
    )
    assert GateActivity(netlist, {"q": [0b0101]}, 0b1110, 4).values[2] == 0b1010
    with pytest.raises(MismatchError) as caught:
        GateActivity(netlist, {"q": [0b0111]}, 0b1110, 4)
    assert str(caught.value) == "registers of a netlist must hold what their logic computes, not what was given"
