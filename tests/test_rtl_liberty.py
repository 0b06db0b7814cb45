"""Liberty files: units, tables between their entries, and refusals; the published library where it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from cell_library import LIBERTY, write_library

from quant.errors import BadInputError
from rtl.liberty import read_liberty

# Two slews in 10 ps, three loads in 0.1 pF; energies in 0.1 pF * (0.5 V)^2 = 25 fJ.
TABLES = r"""
/* a comment with { braces } */
library ("scaled.lib") { // and another
  capacitive_load_unit (0.1, pf);
  voltage_unit : "500mV"; nom_voltage : 3 ;
  time_unit : "10ps"; leakage_power_unit : 1uW
  default_input_pin_cap : 0.02;
  power_lut_template (both) {
    variable_1 : input_transition_time; variable_2 : total_output_net_capacitance;
    index_1 ("1, 3"); index_2 ("0, 1, 3");
  }
  power_lut_template (turned) {
    variable_1 : total_output_net_capacitance; variable_2 : input_transition_time;
    index_1 ("0, 1, 3"); index_2 ("1, 3");
  }
  cell (G) {
    area : 7.5;
    cell_leakage_power : 0.25;
    pin (A) { direction : "input"; }
    pin (Y) { direction : "output"; function : "A";
      internal_power () { related_pin : "A";
        rise_power (both) { values ("1, 2, 4", \
                                    "5, 7, 11"); }
        fall_power (turned) { values ("1, 5", "2, 7", "4, 11"); } }
      timing () { related_pin : "A"; timing_type : setup_rising; }
      timing () { related_pin : "A";
        cell_rise (scalar) { values ("4"); } cell_fall (scalar) { values ("8"); } } }
  }
}
"""


def test_units_of_the_file(tmp_path: Path) -> None:
    library = write_library(tmp_path, TABLES)
    cell = library.cells["G"]
    assert (library.voltage_v, cell.area_um2) == (1.5, 7.5)
    assert cell.leakage_nw == pytest.approx(250)
    assert cell.inputs["A"].capacitance_ff == pytest.approx(2)
    (delay,) = cell.outputs["Y"].delays
    assert delay.rise.at(9, 9) == pytest.approx(0.04)
    assert delay.fall.at(9, 9) == pytest.approx(0.08)


@pytest.mark.parametrize(
    ("slew", "load", "expected"),
    [
        (1, 0, Fraction(1)),
        (3, 3, Fraction(11)),
        (2, Fraction(1, 2), Fraction(3, 2) / 2 + Fraction(6) / 2),
        (Fraction(3, 2), 2, Fraction(3) * Fraction(3, 4) + Fraction(9) * Fraction(1, 4)),
        (0, 2, Fraction(3)),  # outside: the outermost row
        (9, 99, Fraction(11)),
    ],
)
def test_tables_between_their_entries(slew: Fraction, load: Fraction, expected: Fraction, tmp_path: Path) -> None:
    (arc,) = write_library(tmp_path, TABLES).cells["G"].outputs["Y"].energies
    where = (float(slew) * 0.01, float(load) * 100)
    assert arc.rise.at(*where) == pytest.approx(float(25 * expected), rel=1e-12)
    assert arc.fall.at(*where) == pytest.approx(float(25 * expected), rel=1e-12)


def test_a_flip_flop(tmp_path: Path) -> None:
    flip_flop = write_library(tmp_path).cells["DFFX"].flip_flop
    assert flip_flop is not None
    assert (flip_flop.clock, flip_flop.next_state.pins, flip_flop.state, flip_flop.asynchronous) == (
        "CK",
        ("D",),
        "IQ",
        (),
    )


def test_the_published_library(data_folder: Path) -> None:
    """Figures read off the file by eye: picowatts, picofarads, picojoules."""
    library = read_liberty(data_folder / "sg13g2_stdcell_typ_1p20V_25C.lib")
    nand = library.cells["sg13g2_nand2_1"]
    assert (len(library.cells), library.voltage_v, nand.area_um2) == (84, 1.2, 7.2576)
    assert nand.leakage_nw == pytest.approx(81.2456e-3)
    assert nand.inputs["B"].capacitance_ff == pytest.approx(2.97812)
    xor = library.cells["sg13g2_xor2_1"].outputs["X"]
    (arc,) = (each for each in xor.energies if each.related_pin == "A" and each.when and each.rise.at(0, 0) < 6)
    assert arc.rise.at(0.0966, 23.4) == pytest.approx(5.18086)
    assert library.has_delays
    assert library.has_energies


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not a library\n", "'not' is no statement"),
        ("library (a) {", "no whole group `library`"),
        ("}", "'}' is no statement"),
        (LIBERTY.replace("1nW", "1parsec"), "'parse'"),
        (LIBERTY.replace("capacitance : 4", "capacitance : four"), "could not convert string to float: 'four'"),
        (TABLES.replace('"1, 2, 4"', '"1, 2"'), "table of 5 values for 2 x 3 entries"),
        (LIBERTY.replace('next_state : "D";', ""), "'next_state'"),
    ],
)
def test_what_is_no_liberty_file(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        write_library(tmp_path, text)
    assert str(caught.value) == f"cell library must be a Liberty file, not unreadable ({reason}): {tmp_path}/five.lib"


def test_what_a_library_must_have(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        write_library(tmp_path, LIBERTY.replace("nom_voltage : 2;", ""))
    assert str(caught.value) == f"cell library must state its nom_voltage, not leave it out: {tmp_path}/five.lib"
    with pytest.raises(BadInputError) as caught:
        write_library(tmp_path, "library (none) { nom_voltage : 1; }")
    assert str(caught.value) == f"cell library must hold cells, not none: {tmp_path}/five.lib"
    with pytest.raises(BadInputError, match=r"^cell library must be an existing file, not missing: "):
        read_liberty(tmp_path / "absent.lib")
