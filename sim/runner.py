"""Building a design and running one cocotb bench on it, on either simulator: the only way that a bench is started.

Everything a run writes lies in its build folder (compiled design, logs, results.xml, waveform), so runs in different
folders do not meet. The simulator's embedded Python sees this project's packages wherever the caller stands.
"""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from cocotb.types import LogicArray
from cocotb_tools.runner import Icarus, Runner, Verilator, as_sv_literal

from quant.errors import BadInputError, MismatchError
from quant.files import require_file
from rtl.lint import verilator_command
from sim.process import MEMORY_BYTES, log_tail, run_logged
from sim.tools import Simulator, require_simulator
from sim.verilator.build import MAKE_VARIABLES

PROJECT_ROOT = Path(__file__).resolve().parent.parent
_TIMESCALE = ("1ns", "1ps")  # without one, cocotb's Timer rejects nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRun:
    """One bench on one design: what to compile, with which parameters, and where."""

    top: str
    """Module to simulate."""
    bench_module: str
    """Dotted name of the Python module that holds the cocotb tests, `sim.benches.bench_<module>`."""
    sources: Sequence[Path]
    """Verilog files; they may stand in any order and hold more modules than `top` needs."""
    build_folder: Path
    """Folder for everything the run writes; created when missing."""
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    """Parameters of `top` by name; those left out keep their default."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Further environment variables for the bench."""
    waves: bool = False
    """Keep a waveform."""
    timeout_s: float = 600.0
    """Wall-clock limit of the compilation and of the simulation each: broken logic may oscillate for ever."""
    memory_bytes: int = MEMORY_BYTES
    """Address space of the compiler and of the simulator each."""


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A bench that passed."""

    passed: int
    """Number of cocotb tests, all of which passed."""
    results_path: Path
    """JUnit results.xml of the run."""
    log_path: Path
    """What cocotb and the simulator printed."""
    waveform_path: Path | None
    """Waveform, when one was asked for: FST from Icarus, VCD from Verilator."""


class _FolderRunner(Runner):
    """cocotb's runner with its programs' output in a file, a time limit, and this project first on the path."""

    def __init__(self, run: BenchRun) -> None:
        super().__init__()
        self.log.setLevel(logging.CRITICAL)  # its errors are raised below, with their reason
        self._run = run
        self._log_path = Path()
        self._tool_environment: Mapping[str, str] = {}

    def log_to(self, log_path: Path) -> None:
        """Write what the next programs print to `log_path`, from its beginning."""
        log_path.parent.mkdir(parents=True, exist_ok=True)
        log_path.write_bytes(b"")
        self._log_path = log_path

    def _execute(self, cmds: Sequence[list[str]], cwd: os.PathLike[str] | str) -> None:
        # The runner's own environment lets the caller's variables win and knows sys.path only, which need not hold the
        # project (console script, `python -c` from another folder).
        path = os.pathsep.join((str(PROJECT_ROOT), self.env["PYTHONPATH"]))
        environment = {**self.env, **self._tool_environment, **self._run.environment, "PYTHONPATH": path}
        for command in cmds:
            run_logged(
                command,
                folder=cwd,
                environment=environment,
                log_path=self._log_path,
                timeout_s=self._run.timeout_s,
                memory_bytes=self._run.memory_bytes,
            )


class _FolderIcarus(_FolderRunner, Icarus):
    """Icarus Verilog of the system."""

    def options(self) -> list[str]:
        """What the compiler is told besides the design."""
        # cocotb's waveform module needs a type of SystemVerilog; without it the language stays Verilog.
        return ["-g2012" if self._run.waves else "-g2005", "-Wall"]

    def waveform_name(self) -> str:
        """The file of a waveform in the build folder."""
        return f"{self._run.top}.fst"


class _FolderVerilator(_FolderRunner, Verilator):
    """Verilator of the Python package, past its launcher in Perl."""

    def _simulator_in_path_build_only(self) -> None:
        verilator = verilator_command()
        self.executable = str(verilator.program)
        self._tool_environment = verilator.environment

    def _build_command(self) -> list[list[str]]:
        translate, compile_all = super()._build_command()
        return [translate, [*compile_all, *(f"{name}={value}" for name, value in MAKE_VARIABLES.items())]]

    def options(self) -> list[str]:
        """What the compiler is told besides the design."""
        return ["-Wno-fatal", "--x-initial", "unique"]

    def waveform_name(self) -> str:
        """The file of a waveform in the build folder."""
        return "dump.vcd"


def _failures(results_path: Path) -> tuple[int, list[str]]:
    """Number of tests in a results.xml, and `test: what went wrong` for each that did not pass."""
    cases = list(ElementTree.parse(results_path).iter("testcase"))
    failures = []
    for case in cases:
        for outcome in (*case.findall("failure"), *case.findall("error")):
            text = outcome.get("message") or (outcome.text or "").strip()
            kind = outcome.get("error_type") or outcome.get("type")
            failures.append(f"{case.get('name')}: {text if text else kind}")
    return len(cases), failures


def _literal(value: int | str) -> str:
    """A parameter as Verilog. Verilator makes a decimal of more than 32 bits another number, so those get a size."""
    if isinstance(value, int) and value >> 32 > 0:
        return str(as_sv_literal(LogicArray.from_unsigned(value, value.bit_length())))
    return str(as_sv_literal(value))


def _build(runner: _FolderIcarus | _FolderVerilator, run: BenchRun) -> None:
    log_path = run.build_folder / "build.log"
    runner.log_to(log_path)
    try:
        runner.build(
            sources=list(run.sources),
            hdl_toplevel=run.top,
            parameters={name: _literal(value) for name, value in run.parameters.items()},
            build_args=runner.options(),
            build_dir=run.build_folder,
            timescale=_TIMESCALE,
            waves=run.waves,
            always=True,  # the runner compares dates of files only, and parameters have none
        )
    except subprocess.CalledProcessError as error:
        raise BadInputError(f"design {run.top} must compile, not fail with:\n{log_tail(log_path)}") from error
    except subprocess.TimeoutExpired as error:
        raise BadInputError(f"design {run.top} must compile within {run.timeout_s:g} s, not take longer") from error


def run_bench(run: BenchRun, simulator: Simulator = Simulator.ICARUS) -> BenchResult:
    """Compile `run.top` and play its bench on a simulator.

    Raises MissingToolError without a simulator; BadInputError when a source is missing or the design does not compile;
    MismatchError, with the text of every failed cocotb test, when the bench fails, stops early or does not end.
    """
    require_simulator(simulator)
    for source in run.sources:
        require_file(source, f"Verilog source of {run.top}")
    folder = run.build_folder.resolve()
    log_path, results_path = folder / "bench.log", folder / "results.xml"
    runner = _FolderIcarus(run) if simulator is Simulator.ICARUS else _FolderVerilator(run)
    waveform_path = folder / runner.waveform_name() if run.waves else None
    _build(runner, run)
    runner.log_to(log_path)
    problem = ""
    try:
        runner.test(
            test_module=run.bench_module,
            hdl_toplevel=run.top,
            hdl_toplevel_lang="verilog",
            build_dir=folder,
            results_xml=str(results_path),
            waves=run.waves,
        )
    except subprocess.TimeoutExpired:
        problem = f"bench {run.bench_module} must end within {run.timeout_s:g} s, not run on"
    except (subprocess.CalledProcessError, SystemExit):
        # A failed test, or a simulator that stopped: the results say which, as far as there are any.
        pass
    if not problem and not results_path.is_file():
        problem = f"bench {run.bench_module} must run to its end, not stop with:\n{log_tail(log_path)}"
    passed, failures = (0, []) if problem else _failures(results_path)
    if failures:
        problem = "\n".join((f"bench {run.bench_module} must pass on {run.top}, not fail with:", *failures))
    elif not problem and passed == 0:
        problem = f"bench {run.bench_module} must hold a cocotb test, not none"
    if problem:
        raise MismatchError(f"{problem}\nwaveform: {waveform_path}" if waveform_path else problem)
    return BenchResult(passed, results_path, log_path, waveform_path)
