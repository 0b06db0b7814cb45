"""Bench of image_loader: images into two halves under gaps, late releases and resets, each code told by its place."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import cocotb

from sim.benches.lockstep import parameter, run_lockstep

MUTATION_PARAMETERS = (
    {"LANES": 3, "CODE_BITS": 3, "DATA_BITS": 16, "ADDRESS_BITS": 5, "COUNT_BITS": 4},
    {"LANES": 4, "CODE_BITS": 8, "DATA_BITS": 8, "ADDRESS_BITS": 3, "COUNT_BITS": 3},
    {"LANES": 1, "CODE_BITS": 2, "DATA_BITS": 8, "ADDRESS_BITS": 4, "COUNT_BITS": 3},
)
MOST_PLANES = 8
DESCRIPTION = ("length", "line_step", "line_codes", "planes", "plane_rows")
Write = tuple[int, int, int]  # bank, row, code


class LoaderModel:
    """Where each value is on its way into the half whose turn it is."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        names = ("LANES", "CODE_BITS", "DATA_BITS", "ADDRESS_BITS")
        self.lanes, self.code_bits, self.data_bits, self.address_bits = (parameter(dut, name) for name in names)
        self.bank_bits = max(1, (self.lanes - 1).bit_length())
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.image: Mapping[str, int] | None = None
        self.owed = 0  # values that the image lacks
        self.waiting: int | None = None  # a value behind the port
        self.writes: deque[Write] = deque()  # of the value behind that one; one a clock
        self.written = 0  # values that went to the writer
        self.loading = False
        self.wholly_written = False
        self.full = [False, False]
        self.write_half = 0
        self.read_half = 0
        self.tlast_error = False
        self.accepted = False

    @property
    def port_is_open(self) -> bool:
        """Whether a value is taken if one is there."""
        return self.owed > 0 and (self.waiting is None or len(self.writes) <= 1)

    @property
    def had(self) -> int:
        """Values of the image that is on its way which were accepted."""
        return self.image["length"] - self.owed if self.loading and self.image is not None else 0

    def outputs(self, _inputs: Mapping[str, int]) -> Mapping[str, int]:
        """Return the handshakes and the banks that are written; check row and code of that bank."""
        outputs = {
            "s_axis_tready": int(self.port_is_open),
            "tlast_error": int(self.tlast_error),
            "mid_image": int(self.had > 0 and self.owed > 0),
            "empty": int(not any(self.full) and self.had == 0),
            "ready": int(self.full[self.read_half]),
            "read_half": self.read_half,
            "write_enable": 1 << self.writes[0][0] if self.writes else 0,
        }
        if self.writes:
            outputs["write_half"] = self.write_half
            bank, row, code = self.writes[0]
            write = self.lane("write_rows", bank, self.address_bits), self.lane("write_data", bank, self.code_bits)
            assert write == (row, code), f"row and code of bank {bank} must be {(row, code)}, not {write}"
        return outputs

    def lane(self, name: str, index: int, bits: int) -> int:
        """Return the bits of one lane of an output."""
        return int(self.dut[name].value) >> index * bits & ((1 << bits) - 1)

    def codes(self, value: int) -> Iterator[Write]:
        """Yield the codes of the next value by the definition of its place, low plane first."""
        assert self.image is not None
        line, code = divmod(self.written, self.image["line_codes"])
        step_row, step_bank = divmod(self.image["line_step"], 1 << self.bank_bits)
        row, bank = divmod(line * (step_row * self.lanes + step_bank) + code, self.lanes)
        for plane in range(self.image["planes"]):
            plane_row = (row + plane * self.image["plane_rows"]) % (1 << self.address_bits)
            yield bank, plane_row, value >> plane * self.code_bits & ((1 << self.code_bits) - 1)

    def clock(self, inputs: Mapping[str, int]) -> None:
        """Move every value on."""
        self.accepted = bool(inputs["s_axis_tvalid"] and self.port_is_open)
        if inputs["rst"]:
            self.reset()
            return
        opens = self.image is not None and not self.loading and not self.full[self.write_half]
        if self.wholly_written:
            self.wholly_written, self.loading = False, False
            self.full[self.write_half] = True
            self.write_half ^= 1
        if inputs["release_image"]:
            self.full[self.read_half] = False
            self.read_half ^= 1
        if self.writes:
            self.writes.popleft()
            self.wholly_written = not self.writes and self.waiting is None and self.owed == 0
        if self.waiting is not None and not self.writes:
            self.writes.extend(self.codes(self.waiting))
            self.written += 1
            self.waiting = None
        if self.accepted:
            self.waiting = inputs["s_axis_tdata"]
            self.tlast_error |= bool(inputs["s_axis_tlast"]) != (self.owed == 1)
            self.owed -= 1
        if opens:
            assert self.image is not None
            self.loading, self.owed, self.written = True, self.image["length"], 0
        if inputs["configure"]:
            self.image = {name: inputs[name] for name in DESCRIPTION}


def description(rng: random.Random, model: LoaderModel, count_bits: int) -> dict[str, int]:
    """Return an image of whole lines or not; steps need not fit together for places to be defined."""
    line_codes = rng.choice([1, 2, rng.randint(1, (1 << count_bits) - 1)])
    length = rng.choice([line_codes, line_codes * rng.randint(1, 4), rng.randint(1, 20)])
    return {
        "length": length,
        "line_step": rng.getrandbits(model.address_bits) << model.bank_bits | rng.randrange(model.lanes),
        "line_codes": line_codes,
        "planes": rng.choice([1, 1, 1, 2, 3, MOST_PLANES]),
        "plane_rows": rng.getrandbits(model.address_bits),
    }


def session(
    rng: random.Random, model: LoaderModel, image: Mapping[str, int], clocks: int, *, false_marks: bool
) -> Iterator[dict[str, int]]:
    """Yield a reset, a configuration, then images offered and released at some pace; what does not count is noise."""
    offered_share, release_share = rng.choice([1.0, 1.0, 0.4]), rng.choice([1.0, 0.3, 0.03])
    offered = False
    value = 0
    configure_at = rng.randint(2, 5)
    for clock in range(clocks):
        if not offered:
            value = rng.getrandbits(model.data_bits)
        offered = offered or rng.random() < offered_share
        noise = {name: rng.getrandbits(3) for name in DESCRIPTION}
        about = dict(image) if clock == configure_at else noise
        last = int(model.owed == 1)
        if false_marks and rng.random() < 0.1:
            last ^= 1
        yield about | {
            "rst": int(clock == 0),
            "configure": int(clock in (0, configure_at)),
            "s_axis_tvalid": int(offered),
            "s_axis_tdata": value,
            "s_axis_tlast": last if offered else rng.randrange(2),
            "release_image": int(model.full[model.read_half] and rng.random() < release_share),
        }
        if model.accepted:
            offered = False


@cocotb.test()
async def images_in_turn(dut: Any) -> None:
    """Every code of every image in its place and half, each half free before it is written, and no error."""
    rng, model = random.Random(1), LoaderModel(dut)
    count_bits = parameter(dut, "COUNT_BITS")

    def stimulus() -> Iterator[dict[str, int]]:
        for _ in range(14):
            image = description(rng, model, count_bits)
            yield from session(rng, model, image, rng.choice([20, 120, 200]), false_marks=False)

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def false_last_marks(dut: Any) -> None:
    """A false tlast raises the error until rst and changes nothing else."""
    rng, model = random.Random(2), LoaderModel(dut)

    def stimulus() -> Iterator[dict[str, int]]:
        for _ in range(6):
            yield from session(rng, model, description(rng, model, 3), 80, false_marks=True)

    await run_lockstep(dut, model, stimulus())


@cocotb.test()
async def endless_image(dut: Any) -> None:
    """An image as long as can be told is never complete."""
    rng, model = random.Random(3), LoaderModel(dut)
    image = description(rng, model, 3) | {"length": 1 << 31, "planes": 1}
    await run_lockstep(dut, model, session(rng, model, image, 80, false_marks=False))
