"""Mutation run: does the bench of a module notice when the module is broken?

A mutant is caught when a bench fails on it, or does not end in time: broken handshakes hang. One that does not compile
is no mutant. A module with a bench of its own is judged by that alone, at the bench's MUTATION_PARAMETERS; any other
module by the whole-network bench on a printed design, and where the design's folder holds a second network that fits it
(`other.hwn`) also by the bench that uses registers and loads memories. `run_mutant` itself works on any top that has a
bench.

`python -m sim.mutation --all --design DIR --json` runs every mutant of the library, which takes long; without --all it
is a sample. Several designs judge together: what one network never uses, another may.
"""

from __future__ import annotations

import argparse
import enum
import importlib
import importlib.util
import json
import os
import random
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from quant.errors import BadInputError, MismatchError
from quant.files import replacing_file
from rtl.design import load_design
from rtl.library import LIBRARY_MODULES, library_sources, module_source
from rtl.lint import lint_with_verilator
from sim.equivalent_mutants import EQUIVALENT_MUTANTS, EquivalentMutant
from sim.mutation_sites import Mutant, mutants
from sim.runner import BenchRun, run_bench

BENCH_TIMEOUT_S = 30.0
"""Far above what any of these benches takes on the unbroken module."""
SYSTEM_TIMEOUT_S = 180.0
"""Above what the bench of registers and packets takes, which is many small simulations in one."""
NETWORK_BENCH = "sim.benches.bench_accelerator"
SYSTEM_BENCH = "sim.benches.bench_axi_accelerator"
OTHER_NETWORK = "other.hwn"


class Outcome(enum.StrEnum):
    """What became of a mutant."""

    CAUGHT = "caught"
    """A bench failed."""
    LINTED = "caught (lint)"
    """Verilator's -Wall, under which the library is silent, has something to say."""
    TIMED_OUT = "caught (did not end)"
    """A bench did not end in time, which counts as caught."""
    SURVIVED = "survived"
    """Every bench passed."""
    NOT_COMPILED = "not compiled"
    """It is no Verilog, so it says nothing about a bench."""

    @property
    def is_caught(self) -> bool:
        """Whether a bench noticed."""
        return self in (Outcome.CAUGHT, Outcome.LINTED, Outcome.TIMED_OUT)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A mutant and what became of it."""

    mutant: Mutant
    outcome: Outcome


def has_bench(module: str) -> bool:
    """Return whether a library module is judged by a bench of its own."""
    name = f"sim.benches.bench_{module}"
    return importlib.util.find_spec(name) is not None and hasattr(importlib.import_module(name), "MUTATION_PARAMETERS")


def bench_runs(module: str, folder: Path) -> tuple[BenchRun, ...]:
    """Return the runs of the module's own bench, one for each set of its MUTATION_PARAMETERS, below `folder`.

    The bench's MUTATION_FILES (text by name, memory images) are written where the design reads them.
    """
    name = f"sim.benches.bench_{module}"
    bench = importlib.import_module(name)
    files: Mapping[str, str] = getattr(bench, "MUTATION_FILES", {})
    runs = []
    for number, parameters in enumerate(bench.MUTATION_PARAMETERS):
        run_folder = folder / f"parameters{number}"
        run_folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (run_folder / file).write_text(text, encoding="ascii")
        runs.append(
            BenchRun(
                top=module,
                bench_module=name,
                sources=library_sources(),
                build_folder=run_folder,
                parameters=parameters,
                timeout_s=BENCH_TIMEOUT_S,
            )
        )
    return tuple(runs)


def network_run(design_folder: Path, folder: Path) -> BenchRun:
    """Return the run of the whole-network bench on a printed design, below `folder`: two images of random codes."""
    design, network = load_design(design_folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(design_folder / "memory", folder / "memory")
    codes = np.random.default_rng(1).integers(0, network.input.grid.top + 1, (2, *network.input.shape))
    np.save(folder / "codes.npy", codes)
    job = {
        "design": str(design_folder.resolve()),
        "codes": str(folder / "codes.npy"),
        "gap_percent": 60,
        "reset_after": 150,
        "first_image": 0,
        "result": str(folder / "result.json"),
        "progress": str(folder / "progress"),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="ascii")
    return BenchRun(
        top=design.top,
        bench_module=NETWORK_BENCH,
        sources=design.source_files,
        build_folder=folder,
        environment={"HWADDER_JOB": str(folder / "job.json")},
        timeout_s=BENCH_TIMEOUT_S,
    )


def system_run(design_folder: Path, folder: Path) -> BenchRun:
    """Return the run of the bench of registers and packets on a design whose folder holds a second network."""
    design, network = load_design(design_folder)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(design_folder / "memory", folder / "memory")
    codes = np.random.default_rng(2).integers(0, network.input.grid.top + 1, (3, *network.input.shape))
    np.save(folder / "codes.npy", codes)
    job = {
        "design": str(design_folder.resolve()),
        "codes": str(folder / "codes.npy"),
        "other": str((design_folder / OTHER_NETWORK).resolve()),
    }
    (folder / "job.json").write_text(json.dumps(job), encoding="ascii")
    return BenchRun(
        top=design.top,
        bench_module=SYSTEM_BENCH,
        sources=design.source_files,
        build_folder=folder,
        environment={"HWADDER_JOB": str(folder / "job.json")},
        timeout_s=SYSTEM_TIMEOUT_S,
    )


def design_runs(designs: Sequence[Path], folder: Path) -> tuple[BenchRun, ...]:
    """Return the runs of whole designs, the quicker benches first."""
    networks = [network_run(design, folder / f"design{number}") for number, design in enumerate(designs)]
    systems = [
        system_run(design, folder / f"system{number}")
        for number, design in enumerate(designs)
        if (design / OTHER_NETWORK).is_file()
    ]
    return (*networks, *systems)


def run_mutant(mutant: Mutant, runs: Sequence[BenchRun]) -> Verdict:
    """Play each run with the mutant in place of its module, until one fails.

    Args:
        mutant: a change to a module whose file `<module>.v` is among the sources of every run.
        runs: benches of the module, or of a top above it, each of which passes on the unbroken module.
    """
    for run in runs:
        sources = _with(mutant, run)
        try:
            run_bench(replace(run, sources=sources))
        except MismatchError as error:
            hangs = "must end within" in str(error)
            return Verdict(mutant, Outcome.TIMED_OUT if hangs else Outcome.CAUGHT)
        except BadInputError:
            return Verdict(mutant, Outcome.NOT_COMPILED)
    return Verdict(mutant, Outcome.SURVIVED)


def proof_of(mutant: Mutant) -> EquivalentMutant | None:
    """Return the entry of the table of equivalent mutants that names this one."""
    named = (mutant.module, mutant.site, mutant.after)
    return next((entry for entry in EQUIVALENT_MUTANTS if (entry.module, entry.site, entry.after) == named), None)


def stale_entries() -> list[EquivalentMutant]:
    """Return the entries of the table of equivalent mutants that name no mutant of today's library."""
    modules = {entry.module for entry in EQUIVALENT_MUTANTS}
    existing = {
        (mutant.module, mutant.site, mutant.after) for module in modules for mutant in mutants(module_source(module))
    }
    return [entry for entry in EQUIVALENT_MUTANTS if (entry.module, entry.site, entry.after) not in existing]


def _linted(mutant: Mutant, runs: Sequence[BenchRun]) -> bool:
    """Whether the front end warns of a mutant that whole networks judge; it is silent on the unbroken design."""
    run = runs[0]
    if run.bench_module != NETWORK_BENCH:
        return False
    return bool(lint_with_verilator(_with(mutant, run), run.top))


def _with(mutant: Mutant, run: BenchRun) -> list[Path]:
    """The sources of a run with the mutant in place of its module, which is written into the run's folder."""
    (source,) = (path for path in run.sources if path.stem == mutant.module)
    changed = run.build_folder / "mutant" / source.name
    changed.parent.mkdir(parents=True, exist_ok=True)
    changed.write_text(mutant.text(source), encoding="utf-8")
    return [changed if path == source else path for path in run.sources]


def judged(module: str, chosen: Iterable[Mutant], folder: Path, designs: Sequence[Path]) -> Iterable[Verdict]:
    """Yield the verdict on each mutant of a module as it is asked for, those that do not compile left out.

    Raises BadInputError when the module has no bench of its own and there is no design.
    """
    if has_bench(module):
        runs = bench_runs(module, folder)
    elif designs:
        runs = design_runs(designs, folder)
    else:
        raise BadInputError(f"mutants of {module} must have a printed design to run in, not none: --design DIR")
    for mutant in chosen:
        # What a bench of its own shows in a second takes whole networks; a port of the wrong width shows at once.
        verdict = Verdict(mutant, Outcome.LINTED) if _linted(mutant, runs) else run_mutant(mutant, runs)
        if verdict.outcome is not Outcome.NOT_COMPILED:
            yield verdict


def sample(module: str, seed: int, count: int, folder: Path, designs: Sequence[Path] = ()) -> tuple[Verdict, ...]:
    """Return the verdicts on `count` mutants of a library module, chosen by `seed`, none of them known equivalent."""
    candidates = [mutant for mutant in mutants(module_source(module)) if proof_of(mutant) is None]
    random.Random(f"{seed} {module}").shuffle(candidates)
    return tuple(islice(judged(module, candidates, folder, designs), count))


def every_mutant(
    modules: Sequence[str], designs: Sequence[Path], seed: int = 0, network_count: int | None = None
) -> tuple[Verdict, ...]:
    """Return the verdict on every mutant of the modules; as many simulators run at once as there are processors.

    Of the modules that designs judge, which is slow, only `network_count` are tried where that is given, by `seed`.
    """

    def judge(mutant: Mutant) -> list[Verdict]:
        with tempfile.TemporaryDirectory() as folder:
            return list(judged(mutant.module, [mutant], Path(folder), designs))

    chosen: list[Mutant] = []
    for module in modules:
        candidates = list(mutants(module_source(module)))
        if network_count is not None and not has_bench(module):
            candidates = random.Random(f"{seed} {module}").sample(candidates, min(network_count, len(candidates)))
        chosen += sorted(candidates, key=lambda mutant: mutant.line)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return tuple(verdict for verdicts in pool.map(judge, chosen) for verdict in verdicts)


def table(verdicts: Sequence[Verdict], command: str) -> str:
    """Return the verdicts as a Markdown page: a line per module, then every equivalent mutant with its reason.

    Args:
        verdicts: in the order of the modules.
        command: what the page says it is remade with.
    """
    lines = [
        "# Mutation run",
        "",
        f"Automatically generated by `{command}`; do not edit.",
        "",
        "Each mutant is one small change to one module of the library. It is caught when the bench fails, or does not",
        f"end within {BENCH_TIMEOUT_S:g} s. Mutants that do not compile are not counted. Judge: the module's own",
        "bench, or `network`: Verilator's -Wall, then the whole-network bench on printed designs, then the bench of",
        "registers, counters and packets on one of them.",
        "",
        "| module | judge | mutants | caught | of these did not end | equivalent | survived |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for module in dict.fromkeys(verdict.mutant.module for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.mutant.module == module]
        lines.append(
            f"| {module} | {'own' if has_bench(module) else 'network'} | {' | '.join(map(str, _counts(own)))} |"
        )
    lines.append(f"| **all** | | {' | '.join(map(str, _counts(verdicts)))} |")
    lines += ["", "## Equivalent mutants", "", "| module | change | reason |", "|---|---|---|"]
    for verdict in verdicts:
        proof = proof_of(verdict.mutant)
        if proof is not None:
            lines.append(f"| {proof.module} | {_cell(proof.site)} to {_cell(proof.after)} | {proof.reason} |")
    lines += ["", "## Survivors", ""]
    survivors = _survivors(verdicts)
    lines += [f"- {verdict.mutant.module}:{verdict.mutant.line} {_shown(verdict.mutant)}" for verdict in survivors]
    return "\n".join([*lines, *([] if survivors else ["None."]), ""])


def _cell(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else "nothing"


def _shown(mutant: Mutant) -> str:
    return f"{_cell(mutant.site)} to {_cell(mutant.after)}"


def _survivors(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if v.outcome is Outcome.SURVIVED and proof_of(v.mutant) is None]


def _counts(verdicts: Sequence[Verdict]) -> tuple[int, int, int, int, int]:
    """Mutants, caught, caught because they did not end, equivalent, survived."""
    caught = sum(verdict.outcome.is_caught for verdict in verdicts)
    hung = sum(verdict.outcome is Outcome.TIMED_OUT for verdict in verdicts)
    survived = len(_survivors(verdicts))
    return len(verdicts), caught, hung, len(verdicts) - caught - survived, survived


def _samples(modules: Sequence[str], options: argparse.Namespace) -> tuple[Verdict, ...]:
    with tempfile.TemporaryDirectory() as folder:
        samples = (sample(m, options.seed, options.count, Path(folder) / m, options.design) for m in modules)
        return tuple(verdict for verdicts in samples for verdict in verdicts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants of the library; exit code 1 when one survives, or is listed as equivalent and was caught; 2 for
    bad input.
    """
    parser = argparse.ArgumentParser(prog="python -m sim.mutation", description="Run the mutants of the library.")
    parser.add_argument("--all", action="store_true", help="every mutant instead of a sample")
    parser.add_argument("--module", action="append", choices=LIBRARY_MODULES, help="only this module (repeatable)")
    parser.add_argument(
        "--design",
        action="append",
        type=Path,
        default=[],
        help="printed design for the modules without a bench of their own (repeatable)",
    )
    parser.add_argument("--seed", type=int, default=1, help="choice of the sample")
    parser.add_argument("--count", type=int, default=3, help="mutants per module in the sample")
    parser.add_argument(
        "--network-count", type=int, help="with --all: no more than this of each module that designs judge"
    )
    parser.add_argument("--table", type=Path, help="write the verdicts as a Markdown page")
    parser.add_argument("--json", action="store_true", help="print one object on stdout")
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    modules = options.module or [m for m in LIBRARY_MODULES if options.design or has_bench(m)]
    try:
        if options.all:
            verdicts = every_mutant(modules, options.design, options.seed, options.network_count)
        else:
            verdicts = _samples(modules, options)
    except BadInputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    survivors = _survivors(verdicts)
    refuted = [v for v in verdicts if v.outcome.is_caught and proof_of(v.mutant) is not None]
    if options.table is not None:
        with replacing_file(options.table) as path:
            path.write_text(table(verdicts, shlex.join(["python", "-m", "sim.mutation", *arguments])), encoding="utf-8")
    for verdict in (*survivors, *refuted):
        what = "survived" if verdict in survivors else "is listed as equivalent, but was caught"
        sys.stderr.write(f"{verdict.mutant.module}:{verdict.mutant.line} {_shown(verdict.mutant)} {what}\n")
    if options.json:
        names = ("mutants", "caught", "did_not_end", "equivalent", "survived")
        sys.stdout.write(json.dumps(dict(zip(names, _counts(verdicts), strict=True))) + "\n")
    return int(bool(survivors or refuted))


if __name__ == "__main__":
    raise SystemExit(main())
