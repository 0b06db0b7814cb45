"""What a user chooses about the hardware, before any network is known."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from quant.errors import BadInputError

MAX_LANES = 64
RESERVABLE = {
    "CODE_BITS": 8,
    "CROSSINGS": 7,
    "DOT_SPLIT": 4,
    "ACC_BITS": 63,
    "DIGITS": 9,
    "CONST_BITS": 63,
    "AFFINE_BITS": 63,
    "OUT_BITS": 32,
    "INPUT_BITS": 8,
    "IMAGE_DEPTH": 1 << 22,
    "BUFFER_A_DEPTH": 1 << 22,
    "BUFFER_B_DEPTH": 1 << 22,
    "WEIGHT_DEPTH": 1 << 30,
    "AFFINE_DEPTH": 1 << 30,
    "DESCRIPTOR_DEPTH": 1 << 18,
}
"""Parameters of the accelerator of which a design may have more than its network asks for, and the most of each."""
MAX_TREE_STAGES = 2


class LaneForm(enum.StrEnum):
    """How a lane computes its share of `|x - w|`; both forms give the same sums."""

    MIN = "min"
    """`x + w - 2 * min(x, w)`: a minimum per lane, the smaller one on ASIC."""
    COMPLEMENT = "complement"
    """One's complement of the difference with its sign as a carry: the smaller one on FPGA carry chains."""


class Counters(enum.StrEnum):
    """What the accelerator counts by layer."""

    NONE = "none"
    TRAFFIC = "traffic"
    """Clocks, memory accesses and busy lanes."""
    FULL = "full"
    """Effective taps too, which takes a detector of zeros in each lane."""

    @property
    def level(self) -> int:
        """The Verilog parameter."""
        return list(Counters).index(self)


class MemoryStyle(enum.StrEnum):
    """What an FPGA's synthesis makes every memory of; cell libraries and simulators do not look."""

    AUTO = "auto"
    """What synthesis finds best."""
    BLOCK = "block"
    """Block RAM."""
    DISTRIBUTED = "distributed"
    """LUT RAM."""

    @property
    def number(self) -> int:
        """Its value as the parameter MEMORY_STYLE."""
        return tuple(MemoryStyle).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """Lanes of the accelerator: `in_lanes` codes of a window meet `out_lanes` filters in each clock.

    `drain_lanes` results leave in a clock, each through an affine step of its own. None stands for half the output
    lanes, as far as `in_lanes` allows. Layers whose windows take fewer than out_lanes / drain_lanes clocks wait for it.

    `weight_register` puts a register behind the weight memory: shorter clocks where a memory is slow, no more of them.
    Block RAMs have it inside; elsewhere it is a flip-flop for each bit of a weight word.

    `run_at_reset` says whether images are taken up from reset on; without it the host sets the register CONTROL.run
    first, after it has loaded the memories. `split_dots` lets dot layers with small windows use the lanes twice a
    clock. `reserve` are widths and depths that the design has at least, by their Verilog parameter, so that other
    networks fit later.

    `tree_stages` levels of registers among those of the adder trees shorten the longest path, for as many clocks more a
    layer, or a sweep where a sweep waits for the one before.
    """

    in_lanes: int = 16
    out_lanes: int = 16
    lane_form: LaneForm = LaneForm.MIN
    drain_lanes: int | None = None
    counters: Counters = Counters.FULL
    run_at_reset: bool = True
    split_dots: bool = True
    reserve: Mapping[str, int] = field(default_factory=dict)
    tree_stages: int = 0
    memory_style: MemoryStyle = MemoryStyle.AUTO
    weight_register: bool = False

    def __post_init__(self) -> None:
        for name, value in (("in lanes", self.in_lanes), ("out lanes", self.out_lanes)):
            if not 1 <= value <= MAX_LANES:
                raise BadInputError(f"{name} must be 1 to {MAX_LANES}, not {value}")
        most = min(self.in_lanes, self.out_lanes)
        if self.drain_lanes is not None and not 1 <= self.drain_lanes <= most:
            raise BadInputError(
                f"drain lanes must be 1 to {most}, the smaller of in lanes and out lanes, not {self.drain_lanes}"
            )

        for name, value in self.reserve.items():
            if name not in RESERVABLE:
                raise BadInputError(f"reserved parameter must be one of {', '.join(RESERVABLE)}, not {name}")
            if not 1 <= value <= RESERVABLE[name]:
                raise BadInputError(f"reserved {name} must be 1 to {RESERVABLE[name]}, not {value}")
        if not 0 <= self.tree_stages <= MAX_TREE_STAGES:
            raise BadInputError(f"tree stages must be 0 to {MAX_TREE_STAGES}, not {self.tree_stages}")

    @property
    def results_a_clock(self) -> int:
        """The drain lanes, chosen or derived."""
        return self.drain_lanes or min(self.in_lanes, -(-self.out_lanes // 2))
