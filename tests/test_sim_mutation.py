"""The benches are tested: a sample of mutants of every library module, each of which must be caught."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mutation_designs import print_designs

from quant.errors import BadInputError
from rtl.library import LIBRARY_MODULES, module_source
from sim.equivalent_mutants import EQUIVALENT_MUTANTS, EquivalentMutant
from sim.mutation import (
    Outcome,
    Verdict,
    bench_runs,
    has_bench,
    main,
    run_mutant,
    sample,
    stale_entries,
)
from sim.mutation_sites import Mutant, MutationKind, mutants

SEED = 20
WITH_BENCH = [module for module in LIBRARY_MODULES if has_bench(module)]
IN_NETWORK = [module for module in LIBRARY_MODULES if not has_bench(module)]
PER_BENCH, PER_NETWORK = 3, 2


@pytest.fixture(scope="session")
def designs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return print_designs(tmp_path_factory.mktemp("mutation"))


def survivors(verdicts: tuple[Verdict, ...]) -> list[str]:
    return [f"{v.mutant.site} to {v.mutant.after}" for v in verdicts if not v.outcome.is_caught]


def test_the_sample_is_large_and_spreads_over_the_library() -> None:
    known = {(entry.module, entry.site, entry.after) for entry in EQUIVALENT_MUTANTS}
    sizes = {
        module: len([m for m in mutants(module_source(module)) if (m.module, m.site, m.after) not in known])
        for module in LIBRARY_MODULES
    }
    assert min(sizes.values()) > 0
    assert sum(min(sizes[m], PER_BENCH) for m in WITH_BENCH) + sum(min(sizes[m], PER_NETWORK) for m in IN_NETWORK) >= 40


@pytest.mark.parametrize("module", WITH_BENCH)
def test_the_modules_own_bench_catches(tmp_path: Path, module: str) -> None:
    verdicts = sample(module, SEED, PER_BENCH, tmp_path)
    assert verdicts
    assert survivors(verdicts) == []


@pytest.mark.long
@pytest.mark.parametrize("module", IN_NETWORK)
def test_the_whole_network_bench_catches(tmp_path: Path, designs: tuple[Path, ...], module: str) -> None:
    verdicts = sample(module, SEED, PER_NETWORK, tmp_path / "run", designs)
    assert len(verdicts) == PER_NETWORK
    assert survivors(verdicts) == []


def test_no_entry_of_the_table_of_equivalent_mutants_is_stale(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stale_entries() == []
    assert all(entry.reason for entry in EQUIVALENT_MUTANTS)
    gone = EquivalentMutant("ram", "if («no_such_line»)", "1'b1", "because")
    monkeypatch.setattr("sim.mutation.EQUIVALENT_MUTANTS", (*EQUIVALENT_MUTANTS, gone))
    assert stale_entries() == [gone]


SITES = """module sites #(parameter N = 4) (
    input wire signed [N-1:0] a,
    input wire en,
    output reg [N-1:0] q
);
    generate
        if (N < 1) begin : gen_bad
            N_must_be_at_least_1 u_error ();
        end
    endgenerate
    localparam [3:0] FIVE = 4'd5;
    wire signed [N-1:0] b;  // a + b
    assign b = $signed({1'b0, a[N-1:1]}) + -a;
    integer i;
    always @(posedge en)
        if (en && !a[0])
            for (i = 0; i < N; i = i + 1) q <= b == FIVE ? {2{b[1:0]}} : a >>> 3;
    child u_child (.x (a), .y (1'b1), .w ('h0c), .z ());
endmodule
"""


def test_sites_come_from_the_syntax_tree(tmp_path: Path) -> None:
    source = tmp_path / "sites.v"
    source.write_text(SITES, encoding="ascii")
    found = mutants(source)
    assert [(m.line, m.kind, m.before, m.after) for m in found] == [
        (2, MutationKind.SIGN, "signed", ""),
        (11, MutationKind.CONSTANT, "4'd5", "4'd6"),
        (12, MutationKind.SIGN, "signed", ""),
        (12, MutationKind.WIDTH, "N-1", "N-1-1"),
        (13, MutationKind.SIGN, "$signed", ""),
        (13, MutationKind.CONSTANT, "1'b0", "1'b1"),
        (13, MutationKind.WIDTH, "N-1", "N-1-1"),
        (13, MutationKind.OPERATOR, "+", "-"),
        (13, MutationKind.OPERATOR, "-", ""),
        (16, MutationKind.ENABLE, "en && !a[0]", "1'b1"),
        (16, MutationKind.OPERATOR, "&&", "||"),
        (16, MutationKind.OPERATOR, "!", ""),
        (16, MutationKind.CONSTANT, "0", "1"),
        (17, MutationKind.CONSTANT, "0", "1"),
        (17, MutationKind.OPERATOR, "<", "<="),
        (17, MutationKind.OPERATOR, "b == FIVE ? {2{b[1:0]}} : a >>> 3", "b == FIVE ? a >>> 3 : {2{b[1:0]}}"),
        (17, MutationKind.OPERATOR, "==", "!="),
        (17, MutationKind.WIDTH, "2", "2-1"),
        (17, MutationKind.WIDTH, "1", "1-1"),
        (17, MutationKind.OPERATOR, ">>>", ">>"),
        (17, MutationKind.CONSTANT, "3", "4"),
        (18, MutationKind.CONNECTION, "a", "1'b0"),
        (18, MutationKind.CONSTANT, "1'b1", "1'b0"),
        (18, MutationKind.CONSTANT, "'h0c", "'hd"),
    ]
    operator = found[7]
    assert operator.site == "assign b = $signed({1'b0, a[N-1:1]}) «+» -a;"
    assert operator.text(source) == SITES.replace(") + -a", ") - -a")


def test_a_mutant_fits_its_own_text_only(tmp_path: Path) -> None:
    source = tmp_path / "sites.v"
    source.write_text(SITES, encoding="ascii")
    mutant = mutants(source)[0]
    source.write_text(SITES.replace(" signed", ""), encoding="ascii")
    with pytest.raises(BadInputError) as error:
        mutant.text(source)
    assert str(error.value) == f"mutants of sites must be applied to the text they come from, not to {source}"


def mutant_of(module: str, site: str) -> Mutant:
    return next(mutant for mutant in mutants(module_source(module)) if mutant.site == site)


def test_outcomes(tmp_path: Path) -> None:
    runs = [replace(run, timeout_s=3) for run in bench_runs("adder_tree", tmp_path)]
    sum_site = "assign sum = gen_node[1].total «+» {{(SUM_BITS-1){1'b0}}, in_carry[0]};"
    broken = mutant_of("adder_tree", sum_site)
    assert run_mutant(broken, runs) == Verdict(broken, Outcome.CAUGHT)
    elsewhere = mutant_of("minimum_lane", "assign value = «(x < w) ? x : w»;")
    assert run_mutant(elsewhere, runs).outcome is Outcome.SURVIVED
    no_verilog = replace(broken, after="(")
    assert run_mutant(no_verilog, runs).outcome is Outcome.NOT_COMPILED
    endless = replace(broken, after="; initial while (1); wire [99:0] rest = ")
    assert run_mutant(endless, runs).outcome is Outcome.TIMED_OUT


LANE_TABLE = """# Mutation run

Automatically generated by `python -m sim.mutation --all --module minimum_lane --json --table {page}`; do not edit.

Each mutant is one small change to one module of the library. It is caught when the bench fails, or does not
end within 30 s. Mutants that do not compile are not counted. Judge: the module's own
bench, or `network`: Verilator's -Wall, then the whole-network bench on printed designs, then the bench of
registers, counters and packets on one of them.

| module | judge | mutants | caught | of these did not end | equivalent | survived |
|---|---|---:|---:|---:|---:|---:|
| minimum_lane | own | 2 | 1 | 0 | 1 | 0 |
| **all** | | 2 | 1 | 0 | 1 | 0 |

## Equivalent mutants

| module | change | reason |
|---|---|---|
| minimum_lane | `assign value = (x «<» w) ? x : w;` to `<=` | for x = w both arms are the same |

## Survivors

None.
"""


def test_every_mutant_of_a_module_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "mutation.md"
    assert main(["--all", "--module", "minimum_lane", "--json", "--table", str(page)]) == 0
    printed = capsys.readouterr()
    expected = {"mutants": 2, "caught": 1, "did_not_end": 0, "equivalent": 1, "survived": 0}
    assert json.loads(printed.out) == expected
    assert printed.err == ""
    assert page.read_text(encoding="utf-8") == LANE_TABLE.format(page=page)


def test_a_survivor_fails_the_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.mutation.EQUIVALENT_MUTANTS", ())
    assert main(["--all", "--module", "minimum_lane"]) == 1
    assert capsys.readouterr().err == "minimum_lane:23 `assign value = (x «<» w) ? x : w;` to `<=` survived\n"


def test_a_wrong_proof_fails_the_run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    site = "assign value = «(x < w) ? x : w»;"
    wrong = EquivalentMutant("minimum_lane", site, "(x < w) ? w : x", "nobody looked")
    monkeypatch.setattr("sim.mutation.EQUIVALENT_MUTANTS", (*EQUIVALENT_MUTANTS, wrong))
    assert main(["--all", "--module", "minimum_lane"]) == 1
    sentence = f"minimum_lane:23 `{site}` to `(x < w) ? w : x` is listed as equivalent, but was caught\n"
    assert capsys.readouterr().err == sentence


def test_a_module_without_a_bench_needs_a_design(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--module", "accelerator"]) == 2
    sentence = "mutants of accelerator must have a printed design to run in, not none: --design DIR\n"
    assert capsys.readouterr().err == sentence
