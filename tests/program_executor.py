"""Runs a program in plain Python, from its descriptors, weight words and affine words alone: what the hardware must do.

Nothing here knows the network, the golden model or the order in which the hardware keeps its counters: windows are
coordinates, sums are written as their definitions, memories begin as noise, and every width is checked as it is used.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from rtl.descriptor import Descriptor, Flag
from rtl.program import Program


def fits(value: int, bits: int) -> int:
    """The value, which must be a signed number of so many bits."""
    assert -(1 << bits - 1) <= value < 1 << bits - 1, f"{value} needs more than {bits} bits"
    return value


def from_twos_complement(word: int, bits: int) -> int:
    return word - (1 << bits) if word >> bits - 1 else word


def multiplier(digits: int) -> int:
    """The number that signed digits of 7 bits {nonzero, negative, exponent} stand for."""
    total = 0
    while digits:
        if digits & 64:
            total += (-1 if digits & 32 else 1) << (digits & 31)
        digits >>= 7
    return total


@dataclass(frozen=True, slots=True)
class Place:
    """One code of the activation buffer."""

    address: int
    lane: int


class Executor:
    """The memories of one accelerator and what its descriptors do to them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.size = program.parameters
        rng = random.Random(0)
        shape = (1 << self.size["ACTIVATION_ADDRESS_BITS"], self.size["IN_LANES"])
        self.memory = [[rng.getrandbits(self.size["CODE_BITS"]) for _ in range(shape[1])] for _ in range(shape[0])]
        assert self.size["ACTIVATION_DEPTH"] <= shape[0]
        self.stream: list[int] = []
        self.owed = 0  # values that the open stream still takes

    def run(self, image: Sequence[int]) -> list[list[int]]:
        """Values that each layer's descriptor produces, in the order of the stream."""
        first, *others = self.program.descriptors
        assert first.flags == Flag.LOAD
        assert first.length == len(image)
        for step, value in enumerate(image):
            self.write(first, step, value)
        results = [list(self.layer(descriptor)) for descriptor in others]
        assert self.owed == 0
        return results

    def place(self, base: int, pixel_step: int, descriptor: Descriptor, step: int) -> Place:
        """Where value `step` of a channel slice lies."""
        pixel, channel = divmod(step, descriptor.out_channels)
        word, lane = divmod((descriptor.target & 0xFFFF) + channel, self.size["IN_LANES"])
        return Place(self.address(base + pixel * pixel_step + word), lane)

    def address(self, address: int) -> int:
        """An address that is really used, which lies in the buffer."""
        address %= len(self.memory)
        assert address < self.size["ACTIVATION_DEPTH"]
        return address

    def write(self, descriptor: Descriptor, step: int, value: int) -> None:
        """Write a value plane by plane."""
        bits = self.size["CODE_BITS"]
        planes = descriptor.target >> 28
        if descriptor.flags & (Flag.CLAMP | Flag.LOAD):  # nobody reads other values
            assert 0 <= value < 1 << bits * planes, f"{value} needs more than {planes} planes"
        place = self.place(descriptor.target_base, descriptor.target_pixel_step, descriptor, step)
        for plane in range(planes):
            address = self.address(place.address + plane * descriptor.target_plane_step)
            self.memory[address][place.lane] = value >> bits * plane & (1 << bits) - 1

    def layer(self, descriptor: Descriptor) -> Iterator[int]:
        """Compute value after value and write or send it."""
        lanes = self.size["IN_LANES"] if Flag.POOL in descriptor.flags else self.size["OUT_LANES"]
        step = 0
        if Flag.TO_STREAM in descriptor.flags and descriptor.length:
            assert self.owed == 0
            self.owed = descriptor.length
        for row, column in product(range(descriptor.out_height), range(descriptor.out_width)):
            sums: list[int] = []
            for group in range(-(-descriptor.out_channels // lanes)):
                sums += self.sweep(descriptor, row, column, group)
            for channel, total in enumerate(sums[: descriptor.out_channels]):
                result = self.affine(descriptor, step, channel, fits(total, self.size["ACC_BITS"]))
                if Flag.TO_STREAM in descriptor.flags:
                    self.stream.append(result)
                    self.owed -= 1
                else:
                    self.write(descriptor, step, result)
                step += 1
                yield result

    def taps(self, descriptor: Descriptor, row: int, column: int, group: int) -> Iterator[list[int]]:
        """Operands of each tap of a window; lanes that carry no channel of the layer are 0."""
        first_lane, last_lane = descriptor.lanes & 0xFFFF, descriptor.lanes >> 16
        planes, words = range(descriptor.source_planes), range(descriptor.source_words)
        window = product(range(descriptor.kernel_height), range(descriptor.kernel_width), planes, words)
        for kernel_row, kernel_column, plane, word in window:
            y = row * descriptor.stride_y + kernel_row - descriptor.pad_y
            x = column * descriptor.stride_x + kernel_column - descriptor.pad_x
            if 0 <= y < descriptor.source_height and 0 <= x < descriptor.source_width:
                # The origin is the padded corner; the map's own first pixel lies this much further on.
                corner = descriptor.source_origin
                corner += descriptor.pad_y * descriptor.row_step + descriptor.pad_x * descriptor.pixel_step
                address = corner + y * descriptor.row_step + x * descriptor.pixel_step + plane * descriptor.plane_step
                codes = self.memory[self.address(address + word + (group if Flag.POOL in descriptor.flags else 0))]
            else:
                bits = self.size["CODE_BITS"]
                codes = [descriptor.pad_value >> plane * bits & (1 << bits) - 1] * self.size["IN_LANES"]
            low = first_lane if word == 0 else 0
            high = last_lane if word == words[-1] else self.size["IN_LANES"] - 1
            yield [code if low <= lane <= high else 0 for lane, code in enumerate(codes)]

    def sweep(self, descriptor: Descriptor, row: int, column: int, group: int) -> list[int]:
        """Sums of one group of output channels; a pool's group is a word of channels."""
        taps = np.array(list(self.taps(descriptor, row, column, group)), np.int64)
        if Flag.POOL in descriptor.flags:
            return [int(total) for total in (taps.sum(0) if Flag.POOL_SUM in descriptor.flags else taps.max(0))]
        digits = descriptor.digit_words
        first = descriptor.weight_base + group * digits * len(taps)
        shape = (digits, len(taps), self.size["OUT_LANES"], self.size["IN_LANES"])
        weights = self.program.weights[first : first + digits * len(taps)].astype(np.int64).reshape(shape)
        if Flag.DOT in descriptor.flags:
            bits = descriptor.top_bit + 1 + (digits - 1) * self.size["CODE_BITS"]
            raw = np.zeros(shape[1:], np.int64)
            for digit in weights:
                raw = (raw << self.size["CODE_BITS"]) + digit
            signed = (raw & (1 << bits) - 1) - ((raw >> bits - 1 & 1) << bits)
            return [int(total) for total in (taps[:, None] * signed).sum((0, 2))]
        distance = np.abs(taps[:, None] - weights[0]).sum((0, 2))
        # The minimum form leaves the sum of the weights to the affine constants.
        offset = weights[0].sum((0, 2)) if self.size["MIN_FORM"] else 0
        return [int(total) for total in offset - distance]

    def affine(self, descriptor: Descriptor, step: int, channel: int, total: int) -> int:
        """A sum's code."""
        word = self.program.affine[descriptor.affine_base + channel]
        const_bits = self.size["CONST_BITS"]
        value = total * multiplier(word >> const_bits) + from_twos_complement(word % (1 << const_bits), const_bits)
        if Flag.SHORTCUT in descriptor.flags:
            place = self.place(descriptor.shortcut_base, descriptor.shortcut_pixel_step, descriptor, step)
            factor = multiplier(descriptor.shortcut_digits_low | descriptor.shortcut_digits_high << 32)
            value += self.memory[place.address][place.lane] * factor
        value += 1 << descriptor.shift - 1 if descriptor.shift else 0
        value = fits(value, self.size["AFFINE_BITS"]) >> descriptor.shift
        if Flag.CLAMP in descriptor.flags:
            value = min(max(value, 0), descriptor.clamp_max)
        return fits(value, self.size["OUT_BITS"])


def run_program(program: Program, image: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Values of every layer's descriptor and of the output stream for one image, all in the order of the stream."""
    executor = Executor(program)
    return executor.run(image), executor.stream
