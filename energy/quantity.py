"""How counts, energies and ratios are written for people: enough digits to compare, units always shown."""

from __future__ import annotations

from fractions import Fraction

_ENERGY_UNITS = ((Fraction(10**9), "mJ"), (Fraction(10**6), "µJ"), (Fraction(10**3), "nJ"), (Fraction(1), "pJ"))
_COUNT_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "K"))


def own_unit(energy_pj: Fraction) -> tuple[Fraction, str]:
    """The unit that leaves one to three digits before the point: picojoules in it, and its name."""
    return next((unit for unit in _ENERGY_UNITS if energy_pj >= unit[0]), _ENERGY_UNITS[-1])


def energy_text(energy_pj: Fraction) -> str:
    """Picojoules in their own unit: 187740646.4 is 187.74 µJ."""
    scale, unit = own_unit(energy_pj)
    return f"{float(energy_pj / scale):,.2f} {unit}"


def table_unit(total_pj: Fraction) -> tuple[Fraction, str]:
    """Unit of a column of parts and their total, one step below the total's own: picojoules in it, and its name."""
    below = _ENERGY_UNITS.index(own_unit(total_pj)) + 1
    return _ENERGY_UNITS[min(below, len(_ENERGY_UNITS) - 1)]


def in_unit(energy_pj: Fraction, scale_pj: Fraction) -> str:
    """The bare number of a column whose heading names the unit."""
    return f"{float(energy_pj / scale_pj):,.2f}"


def count_text(count: int) -> str:
    """A count to four digits: 40813184 is 40.81M."""
    for scale, name in _COUNT_UNITS:
        if count >= scale:
            return f"{count / scale:.2f}{name}"
    return str(count)


def ratio_text(ratio: Fraction | None, decimals: int = 2) -> str:
    """As `2.51×`, or a dash where there is none."""
    return "–" if ratio is None else f"{float(ratio):.{decimals}f}×"


def range_text(low_pj: Fraction, high_pj: Fraction, scale_pj: Fraction) -> str:
    """The bare numbers of a range, as `62.57–304.67`; one where both ends are the same."""
    ends = (in_unit(low_pj, scale_pj), in_unit(high_pj, scale_pj))
    return ends[0] if ends[0] == ends[1] else "–".join(ends)


def capacity_text(capacity_bytes: Fraction | int) -> str:
    """As `8 KB` or `1 MB`, in powers of 1024."""
    for unit, name in ((1 << 20, "MB"), (1 << 10, "KB")):
        if capacity_bytes >= unit:
            return f"{float(Fraction(capacity_bytes) / unit):.4g} {name}"
    return f"{float(capacity_bytes):.4g} B"
