"""How counts, energies and ratios are written for people: enough digits to compare, units always shown."""

from __future__ import annotations

from fractions import Fraction

_ENERGY_UNITS = ((Fraction(10**9), "mJ"), (Fraction(10**6), "µJ"), (Fraction(10**3), "nJ"), (Fraction(1), "pJ"))
_COUNT_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "K"))


def energy_text(energy_pj: Fraction) -> str:
    """Picojoules in the unit that leaves one to three digits before the point: 187740646.4 is 187.74 µJ."""
    scale, unit = next((u for u in _ENERGY_UNITS if energy_pj >= u[0]), _ENERGY_UNITS[-1])
    return f"{float(energy_pj / scale):,.2f} {unit}"


def count_text(count: int) -> str:
    """A count to four digits: 40813184 is 40.81M."""
    for scale, name in _COUNT_UNITS:
        if count >= scale:
            return f"{count / scale:.2f}{name}"
    return str(count)


def ratio_text(ratio: Fraction | None, decimals: int = 2) -> str:
    """As `2.51×`, or a dash where there is none."""
    return "–" if ratio is None else f"{float(ratio):.{decimals}f}×"
