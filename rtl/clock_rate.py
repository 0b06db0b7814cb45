"""The clock rate of a module on an FPGA: synthesised with a register at every port, placed and routed.

The registers are why every path of the module counts: nextpnr gives no clock rate for a path that begins or ends at a
pin. They are links of one chain in and one chain out, so a module may have more ports than the device has pins.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtl.nextpnr import NETLIST_FILE, ClockRate, Device, Outcome, place_and_route
from rtl.yosys import YosysTimeoutError, quoted, run_yosys

WRAPPER = "hwadder_registered_ports"
PORTS_SCRIPT = ("select x:*", "write_json -selected ports.statistics.json", "select -clear")
"""Script lines that leave a flat design's ports, for `ports_of`, as the statistic `ports`."""

_INSTANCE = "u_design"
_CLOCK = "clk"


@dataclass(frozen=True, slots=True)
class WrappedPort:
    """A port of the module: its name, and how many bits it takes in or gives out."""

    name: str
    width_bits: int
    is_input: bool


def ports_of(netlist: Mapping[str, Any], top: str) -> tuple[WrappedPort, ...]:
    """The ports of a module in Yosys' JSON."""
    ports = netlist["modules"][top]["ports"]
    return tuple(WrappedPort(name, len(port["bits"]), port["direction"] == "input") for name, port in ports.items())


def wrapper_text(top: str, ports: Sequence[WrappedPort]) -> str:
    """Verilog of a module that holds `top` between two chains of registers; its own pins are three.

    What comes in is shifted through `ports_in_q`, from which the inputs are taken. Outputs go to `ports_out_q`, with
    nothing in between, and from there into the chain `leaving_q`.
    """
    taken = [port for port in ports if port.is_input and port.name != _CLOCK]
    given = [port for port in ports if not port.is_input]
    in_bits = max(1, sum(port.width_bits for port in taken))
    out_bits = sum(port.width_bits for port in given)
    connections = [f".{_CLOCK} ({_CLOCK})"] if any(port.name == _CLOCK for port in ports) else []
    for group, vector in ((taken, "ports_in_q"), (given, "outputs")):
        low = 0
        for port in group:
            connections.append(f".{port.name} ({vector}[{low + port.width_bits - 1}:{low}])")
            low += port.width_bits
    return "\n".join(
        [
            f"module {WRAPPER} (input wire {_CLOCK}, input wire scan_in, output wire scan_out);",
            f"    reg [{in_bits}:0] ports_in_q;",
            f"    wire [{out_bits}:0] outputs;",
            f"    reg [{out_bits}:0] ports_out_q;",
            f"    reg [{out_bits}:0] leaving_q;",
            f"    assign outputs[{out_bits}] = ports_in_q[{in_bits}];",
            f"    assign scan_out = leaving_q[{out_bits}];",
            f"    always @(posedge {_CLOCK}) begin",
            f"        ports_in_q <= {{ports_in_q[{in_bits - 1}:0], scan_in}};",
            "        ports_out_q <= outputs;",
            "        leaving_q <= {leaving_q, 1'b0} ^ ports_out_q;",
            "    end",
            f"    {top} {_INSTANCE} ({', '.join(connections)});",
            "endmodule",
            "",
        ]
    )


def clock_rate(
    elaborated: Sequence[str],
    top: str,
    ports: Sequence[WrappedPort],
    mapping: Sequence[str],
    device: Device,
    *,
    folder: Path | None = None,
    time_limit_s: float,
    progress: Callable[[str], None] = lambda _step: None,
) -> ClockRate:
    """Synthesise a module with registers at its ports, place and route it.

    Args:
        elaborated: script lines that read the module and leave it flat.
        top: its name.
        ports: its ports.
        mapping: script lines of the family's synthesis, `{top}` for the top module.
        device: what to place on.
        folder: where memory images are found.
        time_limit_s: seconds for both together; beyond, the outcome is `NOT_FINISHED`.
        progress: told each pass and step as it starts.

    Raises:
        MissingToolError: without Yosys or the device's nextpnr.
        YosysError: when Yosys refuses the module.
        NextpnrError: when nextpnr fails, but not because the module is too large.
    """
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hwadder-clock-rate-") as name:
        where = Path(name)
        wrapper, netlist = where / "wrapper.v", where / NETLIST_FILE
        wrapper.write_text(wrapper_text(top, ports), encoding="ascii")
        script = [
            *elaborated,
            f"read_verilog {quoted(wrapper)}",
            f"hierarchy -check -top {WRAPPER}",
            *(line.format(top=WRAPPER) for line in mapping),
            # nextpnr before 0.7 does not know these notes on where names come from.
            "delete */t:$scopeinfo",
            f"write_json {quoted(netlist)}",
        ]
        try:
            run_yosys(script, time_limit_s=time_limit_s, images=folder, progress=progress)
        except YosysTimeoutError:
            return ClockRate(device.name, Outcome.NOT_FINISHED)
        text = netlist.read_text(encoding="utf-8")
    left_s = time_limit_s - (time.monotonic() - started)
    if left_s <= 0:
        return ClockRate(device.name, Outcome.NOT_FINISHED)
    rate = place_and_route(text, device, time_limit_s=left_s, progress=progress)
    if rate.path is None:
        return rate
    path = replace(rate.path, start=_own(rate.path.start), end=_own(rate.path.end))
    return replace(rate, path=path)


def _own(cell: str) -> str:
    """A cell's name as it is inside the module."""
    return cell.removeprefix(f"{_INSTANCE}.")
