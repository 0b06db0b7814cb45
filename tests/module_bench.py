"""One run of a library module's own bench on Icarus, which the tests of the modules share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rtl.library import library_sources
from sim.runner import BenchResult, BenchRun, run_bench


def run_module_bench(module: str, folder: Path, parameters: Mapping[str, int | str]) -> BenchResult:
    """Build `module` with `parameters` in `folder` and play `sim/benches/bench_<module>.py` on it.

    Raises BadInputError when it does not compile, MismatchError when the bench fails.
    """
    return run_bench(
        BenchRun(
            top=module,
            bench_module=f"sim.benches.bench_{module}",
            sources=library_sources(),
            build_folder=folder,
            parameters=parameters,
        )
    )


def parameters_id(parameters: Mapping[str, int | str]) -> str:
    """Return what pytest calls the test at these parameters."""
    return "-".join(map(str, parameters.values()))
