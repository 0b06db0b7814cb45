"""What a user chooses about the hardware, before any network is known."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from quant.errors import BadInputError

MAX_LANES = 64


class LaneForm(enum.StrEnum):
    """How a lane computes its share of `|x - w|`; both forms give the same sums."""

    MIN = "min"
    """`x + w - 2 * min(x, w)`: a minimum per lane, the smaller one on ASIC."""
    COMPLEMENT = "complement"
    """One's complement of the difference with its sign as a carry: the smaller one on FPGA carry chains."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Lanes of the accelerator: `in_lanes` codes of a window meet `out_lanes` filters in each clock.

    `drain_lanes` results leave in a clock, each through an affine step of its own. None stands for half the output
    lanes, as far as `in_lanes` allows. Layers whose windows take fewer than out_lanes / drain_lanes clocks wait for it.
    """

    in_lanes: int = 16
    out_lanes: int = 16
    lane_form: LaneForm = LaneForm.MIN
    drain_lanes: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("in lanes", self.in_lanes), ("out lanes", self.out_lanes)):
            if not 1 <= value <= MAX_LANES:
                raise BadInputError(f"{name} must be 1 to {MAX_LANES}, not {value}")
        most = min(self.in_lanes, self.out_lanes)
        if self.drain_lanes is not None and not 1 <= self.drain_lanes <= most:
            raise BadInputError(
                f"drain lanes must be 1 to {most}, the smaller of in lanes and out lanes, not {self.drain_lanes}"
            )

    @property
    def results_a_clock(self) -> int:
        """The drain lanes, chosen or derived."""
        return self.drain_lanes or min(self.in_lanes, -(-self.out_lanes // 2))
