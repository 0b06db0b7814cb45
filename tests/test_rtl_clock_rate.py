"""Clock rates: the registers around a module, and what synthesis makes of what nextpnr says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quant.errors import BadInputError, MissingToolError
from rtl.clock_rate import WRAPPER, WrappedPort, wrapper_text
from rtl.lint import lint_with_icarus
from rtl.nextpnr import ClockRate, Outcome
from rtl.synthesis import Target, synthesise

SUM = """module m (input wire clk, input wire [2:0] a, input wire b, output reg [3:0] q, output wire r);
  always @(posedge clk) q <= a + b;
  assign r = a[0] & b;
endmodule
"""
PORTS = (
    WrappedPort("clk", 1, True),
    WrappedPort("a", 3, True),
    WrappedPort("b", 1, True),
    WrappedPort("q", 4, False),
    WrappedPort("r", 1, False),
)


@pytest.fixture
def design(tmp_path: Path) -> Path:
    path = tmp_path / "m.v"
    path.write_text(SUM)
    return path


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program nextpnr-ice40, which keeps its netlist as `seen.json` and gives the report or the error beside it."""
    program = tmp_path / "bin" / "nextpnr-ice40"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncp netlist.json {tmp_path}/seen.json\n"
        f"if [ -f {tmp_path}/error ]; then cat {tmp_path}/error; exit 1; fi\ncp {tmp_path}/report.json .\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    steps = [
        {"type": kind, "delay": 2.0, "from": {"cell": start, "port": "Q"}, "to": {"cell": end, "port": "D"}}
        for kind, start, end in (("clk-to-q", "ports_in_q_1", "x"), ("routing", "x", "u_design.q_1"))
    ]
    path = {"from": "posedge clk", "to": "posedge clk", "path": steps}
    (tmp_path / "report.json").write_text(
        json.dumps({"fmax": {"clk": {"achieved": 250.0}}, "critical_paths": [path], "utilization": {}})
    )
    return tmp_path


def test_every_port_has_a_register() -> None:
    text = wrapper_text("m", PORTS)
    assert "reg [4:0] ports_in_q;" in text
    assert "reg [5:0] ports_out_q;" in text
    assert (
        "m u_design (.clk (clk), .a (ports_in_q[2:0]), .b (ports_in_q[3:3]), .q (outputs[3:0]), .r (outputs[4:4]));"
    ) in text


@pytest.mark.parametrize(
    "ports",
    [PORTS, PORTS[1:2] + PORTS[4:], PORTS[:1] + PORTS[3:], PORTS[:3]],
    ids=["all", "no clock", "no inputs", "no outputs"],
)
def test_wrappers_compile(ports: tuple[WrappedPort, ...], tmp_path: Path) -> None:
    path = tmp_path / "wrapper.v"
    listed = ", ".join(
        f"{'input' if port.is_input else 'output'} wire [{port.width_bits - 1}:0] {port.name}" for port in ports
    )
    path.write_text(f"{wrapper_text('m', ports)}module m ({listed}); endmodule\n")
    assert lint_with_icarus([path], WRAPPER) == []


def test_a_clock_rate_beside_the_area(design: Path, stand_in: Path) -> None:
    """What is placed has the registers, three pins and nothing unmapped; what is counted has not."""
    told: list[str] = []
    result = synthesise([design], "m", [Target.ASIC, Target.ICE40], fmax=True, progress=told.append)
    (filled,) = result.fpga
    assert filled.flip_flops <= 4
    assert filled.clock is not None
    assert (filled.clock.device, filled.clock.outcome, filled.clock.fmax_mhz) == ("iCE40HX8K", Outcome.ROUTED, 250)
    assert filled.clock.path is not None
    assert (filled.clock.path.start, filled.clock.path.end) == ("ports_in_q_1.Q", "q_1.D")
    assert any(step.startswith("ice40, place and route: ") for step in told)
    placed = json.loads((stand_in / "seen.json").read_text())["modules"][WRAPPER]
    assert placed["ports"].keys() == {"clk", "scan_in", "scan_out"}
    types = [cell["type"] for cell in placed["cells"].values()]
    assert all(kind.startswith("SB_") for kind in types)
    assert sum(kind.startswith("SB_DFF") for kind in types) >= 5 + 2 * 5 + 4


def test_a_family_without_nextpnr_has_no_clock_rate(design: Path, stand_in: Path) -> None:
    xc7, ice40 = synthesise([design], "m", [Target.XC7, Target.ICE40], fmax=True).fpga
    assert xc7.clock is None
    assert ice40.clock is not None
    assert (stand_in / "seen.json").is_file()


def test_a_design_that_does_not_fit_is_a_result(design: Path, stand_in: Path) -> None:
    (stand_in / "error").write_text("Info:   SB_RAM:   40/   32   125%\nERROR: no\n")
    (filled,) = synthesise([design], "m", [Target.ICE40], fmax=True).fpga
    assert filled.clock == ClockRate("iCE40HX8K", Outcome.DOES_NOT_FIT, reason="40 SB_RAM of 32")


def test_a_netlist_that_nextpnr_refuses_is_a_sentence(design: Path, stand_in: Path) -> None:
    (stand_in / "error").write_text("ERROR: strange cell\n")
    with pytest.raises(BadInputError) as caught:
        synthesise([design], "m", [Target.ICE40], fmax=True)
    assert str(caught.value) == "design m must be placed on iCE40HX8K, not fail with: strange cell"


def test_refusals_before_any_work(design: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as refused:
        synthesise([design], "m", [Target.ASIC, Target.XC7], fmax=True)
    assert str(refused.value) == "targets with a clock rate must include ecp5 or ice40, not be asic, xc7"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name == "pyosys" else None)
    told: list[str] = []
    with pytest.raises(MissingToolError) as missing:
        synthesise([design], "m", [Target.ECP5], fmax=True, progress=told.append)
    assert str(missing.value) == (
        "place and route tool nextpnr-ecp5 must be installed, not missing: `pip install 'hwadder[fmax]'`"
    )
    assert told == []


@pytest.mark.slow
@pytest.mark.parametrize("target", [Target.ECP5, Target.ICE40])
def test_a_real_clock_rate(design: Path, target: Target) -> None:
    """A sum of three bits, registers around it, reaches a hundred megahertz on either family."""
    (filled,) = synthesise([design], "m", [target], fmax=True).fpga
    clock = filled.clock
    assert clock is not None
    assert clock.outcome is Outcome.ROUTED
    assert clock.fmax_mhz is not None
    assert 100 < clock.fmax_mhz < 2000
    assert clock.path is not None
    # nextpnr rounds the steps that the delay is summed from, and the rate, each for itself.
    assert clock.path.delay_ns == pytest.approx(1000 / clock.fmax_mhz, abs=0.01)
    assert 0 < clock.path.routing_ns < clock.path.delay_ns
