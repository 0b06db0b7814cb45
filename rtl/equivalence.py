"""Proof by SAT that a module equals its specification for every input, where simulation only tries some."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from quant.errors import MismatchError
from rtl.yosys import YosysError, quoted, run_yosys

_REFUTED = "proof did fail"


def prove_equal(
    sources: Sequence[Path],
    module: str,
    specification: Path,
    parameters: Mapping[str, int] | None = None,
    *,
    steps: int | None = None,
    time_limit_s: float = 120.0,
) -> None:
    """Prove that a module has the outputs of its specification, for every input and, with `steps`, at all times.

    A module without registers is compared with Yosys `miter` and `sat`. One with registers is compared from a clock
    of reset on, by induction over time: what holds through `steps` clocks in a row from any state at all holds in the
    next, and it holds in the first `steps` after the reset.

    Args:
        sources: the module's file and those of what it instantiates.
        module: its name.
        specification: a file with the module `specification`, of the same parameters and ports; a module with
            registers has an input `rst`.
        parameters: of both.
        steps: clocks of the induction; None for a module without registers.
        time_limit_s: seconds until the solver is ended.

    Raises:
        MismatchError: when they differ, with the inputs and outputs that show it.
        YosysError: when either can not be read, or the ports differ.
        YosysTimeoutError: when the solver needs longer.
    """
    overrides = "".join(f" -chparam {name} {value}" for name, value in (parameters or {}).items())
    script: list[str] = []
    for files, top, kept in ((sources, module, "gate"), ((specification,), "specification", "gold")):
        script += [f"read_verilog {quoted(source.resolve())}" for source in files]
        script += [f"hierarchy -check -top {top}{overrides}", "proc", "flatten", "opt_clean"]
        script += [f"rename -top {kept}", f"design -stash {kept}"]
    script += [f"design -copy-from {kept} {kept}" for kept in ("gate", "gold")]
    proof = "sat -verify -prove trigger 0 -show-ports"
    if steps is not None:
        proof += f" -tempinduct -seq {steps} -maxsteps {steps + 4} -set-at 1 in_rst 1 -set-def-inputs"
    script += ["miter -equiv -make_outputs -flatten gold gate miter", "hierarchy -top miter", "opt_clean", proof]
    try:
        run_yosys(script, time_limit_s=time_limit_s)
    except YosysError as error:
        if _REFUTED not in str(error):
            raise
        named = f"{module} {dict(parameters)}" if parameters else module
        raise MismatchError(
            f"{named} must equal its specification, not differ: {_counterexample(error.log)}"
        ) from error


def _counterexample(log: str) -> str:
    """Signals of the solver's table as `name=value`, in the last time step."""
    rows = re.findall(r"^ +(?:(\d+|init) +)?\\(\w+) +(\d+|--) +[0-9a-f-]+ +[01x-]+ *$", log, re.MULTILINE)
    return ", ".join(f"{name}={value}" for _, name, value in rows[-24:]) or "no table of signals was printed"
