"""AXI4-Lite for benches: what a subordinate owes its channels, a manager that talks at random, the standard's rules."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SLVERR = 2
_WRITE_INPUTS = ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready")
_READ_INPUTS = ("araddr", "arvalid", "rready")
QUIET = dict.fromkeys((f"s_axil_{name}" for name in (*_WRITE_INPUTS, *_READ_INPUTS)), 0)


@dataclass(frozen=True, slots=True)
class Word:
    """Data of a write."""

    data: int
    strobe: int


@dataclass(slots=True)
class Read:
    """A read under way."""

    address: int
    age: int
    """Clocks since its address was accepted, from 1 on."""


class PortModel:
    """A queue of at most one entry for each of addresses, data and responses; the read with its age."""

    def __init__(self, read_clocks: int) -> None:
        self.read_clocks = read_clocks
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.addresses: deque[int] = deque()
        self.words: deque[Word] = deque()
        self.answers: deque[int] = deque()  # BRESP
        self.reads: deque[Read] = deque()
        self.read_answers: deque[tuple[int, int]] = deque()  # RDATA, RRESP
        self.accepted = {"aw": False, "w": False, "ar": False}

    @property
    def write(self) -> tuple[int, Word] | None:
        """The write that is done in this clock."""
        return (self.addresses[0], self.words[0]) if self.addresses and self.words and not self.answers else None

    @property
    def read(self) -> int | None:
        """The address that begins to be read in this clock."""
        return self.reads[0].address if self.reads and self.reads[0].age == 1 else None

    @property
    def asks_for_data(self) -> bool:
        """Whether the data of a read are taken in this clock."""
        return bool(self.reads) and self.reads[0].age == 1 + self.read_clocks

    def bus_outputs(self) -> dict[str, int]:
        """Return the five channels, as far as they say anything."""
        outputs = {
            "s_axil_awready": int(not self.addresses),
            "s_axil_wready": int(not self.words),
            "s_axil_bvalid": int(bool(self.answers)),
            "s_axil_arready": int(not self.reads and not self.read_answers),
            "s_axil_rvalid": int(bool(self.read_answers)),
        }
        if self.answers:
            outputs["s_axil_bresp"] = self.answers[0]
        if self.read_answers:
            outputs["s_axil_rdata"], outputs["s_axil_rresp"] = self.read_answers[0]
        return outputs

    def clock(self, inputs: Mapping[str, int], *, write_known: bool, read_data: int | None) -> None:
        """Answer and accept; `write_known` is of the write of this clock, `read_data` None where nothing is."""
        if inputs["rst"]:
            self.reset()
            return
        ready = self.bus_outputs()
        self.accepted = {
            channel: bool(inputs[f"s_axil_{channel}valid"] and ready[f"s_axil_{channel}ready"])
            for channel in self.accepted
        }
        written = self.write is not None
        if self.answers and inputs["s_axil_bready"]:
            self.answers.popleft()
        if written:
            self.addresses.popleft()
            self.words.popleft()
            self.answers.append(0 if write_known else SLVERR)
        if self.read_answers and inputs["s_axil_rready"]:
            self.read_answers.popleft()
        if self.asks_for_data:
            self.reads.popleft()
            self.read_answers.append((0, SLVERR) if read_data is None else (read_data, 0))
        for read in self.reads:
            read.age += 1
        if self.accepted["aw"]:
            self.addresses.append(inputs["s_axil_awaddr"])
        if self.accepted["w"]:
            self.words.append(Word(inputs["s_axil_wdata"], inputs["s_axil_wstrb"]))
        if self.accepted["ar"]:
            self.reads.append(Read(inputs["s_axil_araddr"], 1))


class ResponseRules:
    """The standard's rule for who answers: valid, once up, stays up with the same payload until ready."""

    CHANNELS: Mapping[str, Sequence[str]] = {"b": ("bresp",), "r": ("rdata", "rresp")}

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.owed: dict[str, list[int]] = {}

    def check(self, inputs: Mapping[str, int]) -> None:
        """Look at both response channels in this clock; raise AssertionError when one breaks the rule."""
        for channel, payload in self.CHANNELS.items():
            valid = bool(self.dut[f"s_axil_{channel}valid"].value)
            shown = [int(self.dut[f"s_axil_{name}"].value) for name in payload] if valid else []
            owed = self.owed.pop(channel, None)
            assert owed is None or owed == shown, f"channel {channel} must stand with {owed} until taken, not {shown}"
            if valid and not inputs["rst"] and not inputs[f"s_axil_{channel}ready"]:
                self.owed[channel] = shown


class Manager:
    """Sends writes and reads, each channel at its own pace; what is offered stays until it is accepted."""

    def __init__(self, rng: random.Random, port: PortModel, address_bits: int) -> None:
        self.rng = rng
        self.port = port
        self.address_bits = address_bits
        self.writes: dict[str, deque[dict[str, int]]] = {"aw": deque(), "w": deque()}
        self.reads: deque[dict[str, int]] = deque()
        self.offered = {"aw": False, "w": False, "ar": False}

    def queue(self, channel: str) -> deque[dict[str, int]]:
        """Return what waits for a channel."""
        return self.reads if channel == "ar" else self.writes[channel]

    def send_write(self, address: int, data: int, strobe: int = 15) -> None:
        """Queue a write."""
        self.writes["aw"].append({"s_axil_awaddr": address})
        self.writes["w"].append({"s_axil_wdata": data, "s_axil_wstrb": strobe})

    def send_read(self, address: int) -> None:
        """Queue a read."""
        self.reads.append({"s_axil_araddr": address})

    @property
    def is_done(self) -> bool:
        """Whether nothing waits, is under way or unanswered."""
        port = self.port
        queued = any(self.queue(channel) for channel in self.offered)
        return not (queued or port.addresses or port.words or port.answers or port.reads or port.read_answers)

    def clocks(self, offered_share: Mapping[str, float], ready_share: Mapping[str, float]) -> Iterator[dict[str, int]]:
        """Yield the bus inputs of clock after clock until all is answered; what does not count is noise."""
        rng = self.rng
        while not self.is_done:
            for channel in self.offered:
                waits = bool(self.queue(channel))
                self.offered[channel] = waits and (self.offered[channel] or rng.random() < offered_share[channel])
            inputs = {
                "rst": 0,
                "s_axil_awaddr": rng.getrandbits(self.address_bits),
                "s_axil_wdata": rng.getrandbits(32),
                "s_axil_wstrb": rng.getrandbits(4),
                "s_axil_araddr": rng.getrandbits(self.address_bits),
                "s_axil_bready": int(rng.random() < ready_share["b"]),
                "s_axil_rready": int(rng.random() < ready_share["r"]),
            }
            for channel, offered in self.offered.items():
                inputs |= {f"s_axil_{channel}valid": int(offered), **(self.queue(channel)[0] if offered else {})}
            yield inputs
            for channel, accepted in self.port.accepted.items():
                if accepted:
                    self.queue(channel).popleft()
                    self.offered[channel] = False

    def drop(self) -> None:
        """Forget what waits, as behind a reset."""
        for channel in self.offered:
            self.queue(channel).clear()
            self.offered[channel] = False


def paces(rng: random.Random) -> tuple[dict[str, float], dict[str, float]]:
    """Return how often each channel is offered, and each response taken: always, half of the time, or seldom."""
    share = [1.0, 1.0, 0.5, 0.15]
    return {name: rng.choice(share) for name in ("aw", "w", "ar")}, {name: rng.choice(share) for name in ("b", "r")}
