"""The runner: what it reports of a bench that passes, fails, stops or hangs, from any folder, two at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from quant.errors import BadInputError, MismatchError, MissingToolError
from rtl.library import library_sources, module_source
from sim.runner import PROJECT_ROOT, BenchRun, run_bench


def lane_run(folder: Path) -> BenchRun:
    return BenchRun(
        top="minimum_lane",
        bench_module="sim.benches.bench_minimum_lane",
        sources=[module_source("minimum_lane")],
        parameters={"CODE_BITS": 2},
        build_folder=folder,
    )


def edited(folder: Path, old: str, new: str) -> Path:
    text = module_source("minimum_lane").read_text(encoding="utf-8")
    assert old in text
    source = folder / "minimum_lane.v"
    source.write_text(text.replace(old, new), encoding="utf-8")
    return source


def test_two_runs_at_once_pass_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [Path("one"), Path("two")]
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(run_bench, map(lane_run, folders)))
    for folder, result in zip(folders, results, strict=True):
        assert result.passed == 1
        assert result.results_path == tmp_path / folder / "results.xml"
        assert result.waveform_path is None
        assert "minimum_of_every_pair" in result.log_path.read_text(encoding="utf-8")
    assert capfd.readouterr() == ("", "")


def test_bench_finds_the_project_from_a_foreign_folder_and_outside_pytest(tmp_path: Path) -> None:
    # The folder's own `sim` must not hide the project's from the simulator's Python.
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__init__.py").write_text("", encoding="ascii")
    program = (
        f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r})\n"
        "from pathlib import Path\n"
        "from rtl.library import module_source\n"
        "from sim.runner import BenchRun, run_bench\n"
        "run = BenchRun(top='minimum_lane', bench_module='sim.benches.bench_minimum_lane',\n"
        "    sources=[module_source('minimum_lane')], build_folder=Path('build'), parameters={'CODE_BITS': 3})\n"
        "print(run_bench(run).passed)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


def test_waveform_is_kept_when_asked_for(tmp_path: Path) -> None:
    waveform_path = run_bench(replace(lane_run(tmp_path), waves=True)).waveform_path
    assert waveform_path == tmp_path / "minimum_lane.fst"
    assert waveform_path.stat().st_size > 0


def test_failed_bench_is_a_mismatch_with_its_text_and_waveform(tmp_path: Path) -> None:
    source = edited(tmp_path, "(x < w) ? x : w", "(x < w) ? w : x")
    with pytest.raises(MismatchError) as caught:
        run_bench(replace(lane_run(tmp_path), sources=[source], waves=True))
    assert str(caught.value) == (
        "bench sim.benches.bench_minimum_lane must pass on minimum_lane, not fail with:\n"
        "minimum_of_every_pair: value must be 0, not 1; inputs {'x': 0, 'w': 1}\n"
        "assert 1 == 0\n"  # cocotb's own reading of the bench's assertion
        f"waveform: {tmp_path / 'minimum_lane.fst'}"
    )


def test_a_second_run_in_a_folder_sees_its_own_parameters_and_results(tmp_path: Path) -> None:
    run_bench(lane_run(tmp_path))
    source = edited(tmp_path, "x < w", "x > w")
    with pytest.raises(MismatchError):
        run_bench(replace(lane_run(tmp_path), sources=[source]))
    with pytest.raises(BadInputError):
        run_bench(replace(lane_run(tmp_path), parameters={"CODE_BITS": 9}))


def test_design_that_does_not_compile_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        run_bench(replace(lane_run(tmp_path), parameters={"CODE_BITS": 9}))
    assert str(caught.value).startswith("design minimum_lane must compile, not fail with:\n")
    assert "Unknown module type: CODE_BITS_must_be_2_to_8" in str(caught.value)


def test_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        run_bench(replace(lane_run(tmp_path), sources=[tmp_path / "absent.v"]))
    assert str(caught.value) == (
        f"Verilog source of minimum_lane must be an existing file, not missing: {tmp_path / 'absent.v'}"
    )


def test_bench_that_stops_early_is_a_mismatch(tmp_path: Path) -> None:
    source = edited(tmp_path, "endmodule", "    initial #2 $finish;\nendmodule")
    with pytest.raises(MismatchError, match=r"^bench sim\.benches\.bench_minimum_lane must "):
        run_bench(replace(lane_run(tmp_path), sources=[source]))


def test_bench_that_cannot_be_loaded_is_a_mismatch(tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match=r"No module named 'sim\.benches\.bench_absent'"):
        run_bench(replace(lane_run(tmp_path), bench_module="sim.benches.bench_absent"))


def test_logic_that_never_settles_runs_into_the_time_limit(tmp_path: Path) -> None:
    source = edited(tmp_path, "endmodule", "    reg a = 0;\n    always @(a) a <= ~a;\n    initial a <= 1;\nendmodule")
    with pytest.raises(MismatchError) as caught:
        run_bench(replace(lane_run(tmp_path), sources=[source], timeout_s=2))
    assert str(caught.value) == "bench sim.benches.bench_minimum_lane must end within 2 s, not run on"


def test_missing_simulator_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match="simulator Icarus Verilog must be installed"):
        run_bench(lane_run(tmp_path))


def test_text_and_environment_reach_the_design_and_the_bench(tmp_path: Path) -> None:
    bench = tmp_path / "bench_echo.py"
    bench.write_text(
        "import os\nimport cocotb\n\n\n@cocotb.test()\nasync def echo(dut):\n"
        "    assert dut.INIT_FILE.value == b'' and os.environ['ECHO'] == 'heard'\n",
        encoding="ascii",
    )
    run = BenchRun(
        top="ram",
        bench_module="bench_echo",
        sources=library_sources(),
        parameters={"INIT_FILE": ""},
        build_folder=tmp_path,  # the simulator runs here and finds the bench beside it
        environment={"ECHO": "heard"},
    )
    assert run_bench(run).passed == 1
