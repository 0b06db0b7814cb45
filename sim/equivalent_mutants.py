"""Mutants that no bench can catch, because they compute the same: each with the reason, each checked to exist."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EquivalentMutant:
    """A mutant proven to be the same circuit as the module, by its names in `sim.mutation_sites.Mutant`."""

    module: str
    site: str
    """The line, blanks squeezed, no comment, with the changed text between « and »."""
    after: str
    reason: str


EQUIVALENT_MUTANTS: tuple[EquivalentMutant, ...] = ()
