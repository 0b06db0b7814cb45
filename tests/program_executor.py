"""Runs a program in plain Python, from its descriptors, weight words and affine words alone: what the hardware must do.

Nothing here knows the network, the golden model or the order in which the hardware keeps its counters: windows are
coordinates, sums are written as their definitions, memories begin as noise, and every width is checked as it is used.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from rtl.descriptor import Buffer, Descriptor, Flag, Place
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


class Executor:
    """The memories of one accelerator and what its descriptors do to them."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.size = program.parameters
        self.lanes = self.size["IN_LANES"]
        rng = random.Random(0)
        depths = {Buffer.IMAGE: "IMAGE_DEPTH", Buffer.A: "BUFFER_A_DEPTH", Buffer.B: "BUFFER_B_DEPTH"}
        assert all(self.size[depth] <= 1 << self.size["ACTIVATION_ADDRESS_BITS"] for depth in depths.values())
        # Code number n of a buffer is in bank n % lanes of row n // lanes.
        self.memory = {
            buffer: [rng.getrandbits(self.size["CODE_BITS"]) for _ in range(self.size[depth] * self.lanes)]
            for buffer, depth in depths.items()
        }
        self.stream: list[int] = []
        self.owed = 0  # values that the open stream still takes

    def run(self, image: Sequence[int]) -> list[list[int]]:
        """Values that each layer's descriptor produces, in the order of the stream."""
        first, *others = self.program.descriptors
        assert first.load_length == len(image)
        for step, value in enumerate(image):
            line, code = divmod(step, first.out_channels)
            self.write(first, Buffer.IMAGE, line * self.codes(first.target_line_step) + code, value)
        results = [list(self.layer(descriptor)) for descriptor in others]
        assert self.owed == 0
        return results

    def codes(self, place: Place) -> int:
        """A place, or a distance, as a number of codes."""
        assert 0 <= place.bank < self.lanes
        return place.row * self.lanes + place.bank

    def number(self, place: Place) -> int:
        """The code number of a place in the hardware's address space, where rows wrap around."""
        rows = 1 << self.size["ACTIVATION_ADDRESS_BITS"]
        return place.row % rows * self.lanes + place.bank

    def write(self, descriptor: Descriptor, buffer: Buffer, code: int, value: int) -> None:
        """Write a value plane by plane, `code` codes behind the target's origin."""
        bits = self.size["CODE_BITS"]
        planes = descriptor.target_planes
        if descriptor.flags & Flag.CLAMP or descriptor.load_length:  # nobody reads other values
            assert 0 <= value < 1 << bits * planes, f"{value} needs more than {planes} planes"
        for plane in range(planes):
            distance = plane * descriptor.target_plane_rows * self.lanes
            place = self.codes(descriptor.target_origin) + code + distance
            self.memory[buffer][place] = value >> bits * plane & (1 << bits) - 1

    def layer(self, descriptor: Descriptor) -> Iterator[int]:
        """Compute value after value and write or send it."""
        lanes = min(self.lanes, self.size["OUT_LANES"]) if Flag.POOL in descriptor.flags else self.size["OUT_LANES"]
        if Flag.TO_STREAM in descriptor.flags and descriptor.length:
            assert self.owed == 0
            self.owed = descriptor.length
        source, shortcut = Buffer(descriptor.buffers & 3), Buffer(descriptor.buffers >> 2 & 3)
        if Flag.SHORTCUT in descriptor.flags and source == shortcut:
            assert Flag.SERIAL in descriptor.flags, "a buffer has one read port"
        target = Buffer.B if descriptor.buffers >> 4 else Buffer.A
        for row, column in product(range(descriptor.out_height), range(descriptor.out_width)):
            sums: list[int] = []
            for group in range(-(-descriptor.out_channels // lanes)):
                sums += self.sweep(descriptor, row, column, group * lanes)
            for channel, total in enumerate(sums[: descriptor.out_channels]):
                fits(total, self.size["ACC_BITS"])
                result = self.affine(descriptor, row, column, channel, total, lanes)
                if Flag.TO_STREAM in descriptor.flags:
                    self.stream.append(result)
                    self.owed -= 1
                else:
                    code = row * self.codes(descriptor.target_line_step)
                    code += column * self.codes(descriptor.target_pixel_step) + channel
                    self.write(descriptor, target, code, result)
                yield result

    def runs(self, descriptor: Descriptor, first_channel: int) -> list[list[tuple[int, int]]]:
        """Codes of a window as (line, code of that line), run by run."""
        height, codes = descriptor.kernel_height, descriptor.kernel_codes
        if Flag.SPAN in descriptor.flags:
            assert descriptor.segment_codes == height * codes
            # The next line begins in the bank behind the last code.
            assert height == 1 or codes + descriptor.crossing_rows * self.lanes == self.codes(descriptor.line_step)
            return [list(product(range(height), range(codes)))]
        length = descriptor.segment_codes
        if Flag.POOL in descriptor.flags:
            length = min(self.lanes, self.size["OUT_LANES"], descriptor.out_channels - first_channel)
        assert descriptor.segments == 1 or self.codes(descriptor.segment_step) == descriptor.segment_step_codes
        starts = [
            descriptor.first_code + first_channel + n * descriptor.segment_step_codes
            for n in range(descriptor.segments)
        ]
        return [[(line, start + code) for code in range(length)] for line in range(height) for start in starts]

    def words(self, descriptor: Descriptor, row: int, column: int, first_channel: int, plane: int) -> list[list[int]]:
        """Operands of each word of a window; lanes behind the end of a run are 0."""
        bits = self.size["CODE_BITS"]
        memory = self.memory[Buffer(descriptor.buffers & 3)]
        rows = 1 << self.size["ACTIVATION_ADDRESS_BITS"]
        # The origin is the padded corner, moved by the slice's first code; the map begins this much further on.
        line_step = self.codes(descriptor.line_step)
        corner = self.number(descriptor.source_origin) - descriptor.first_code
        corner += descriptor.pad_y * line_step + descriptor.pad_codes
        assert self.codes(descriptor.window_column_step) == descriptor.column_codes
        assert self.codes(descriptor.window_line_step) == descriptor.stride_y * line_step
        result = []
        for run in self.runs(descriptor, first_channel):
            operands = []
            for line, code in run:
                y = row * descriptor.stride_y - descriptor.pad_y + line
                x = column * descriptor.column_codes - descriptor.pad_codes + code
                if 0 <= y < descriptor.source_height and 0 <= x < descriptor.line_codes:
                    place = corner + y * line_step + x + plane * descriptor.plane_rows * self.lanes
                    operands.append(memory[place % (rows * self.lanes)])
                else:
                    operands.append(descriptor.pad_value >> plane * bits & (1 << bits) - 1)
            operands += [0] * (-len(operands) % self.lanes)
            result += [operands[start : start + self.lanes] for start in range(0, len(operands), self.lanes)]
        return result

    def sweep(self, descriptor: Descriptor, row: int, column: int, first_channel: int) -> list[int]:
        """Sums of one group of output channels."""
        if Flag.POOL in descriptor.flags:
            taps = np.array(self.words(descriptor, row, column, first_channel, 0), np.int64)
            lanes = min(self.lanes, self.size["OUT_LANES"])
            return [int(total) for total in (taps.sum(0) if Flag.POOL_SUM in descriptor.flags else taps.max(0))][:lanes]
        planes = [self.words(descriptor, row, column, 0, plane) for plane in range(descriptor.source_planes)]
        codes = np.array(planes, np.int64)  # plane, word, lane
        digits, bits = descriptor.digit_words, self.size["CODE_BITS"]
        count = digits * codes.shape[0] * codes.shape[1]
        first = descriptor.weight_base + first_channel // self.size["OUT_LANES"] * count
        shape = (digits, *codes.shape[:2], self.size["OUT_LANES"], self.lanes)
        weights = self.program.weights[first : first + count].astype(np.int64).reshape(shape)
        if Flag.SPLIT in descriptor.flags:
            half, bits = self.lanes // 2, self.size["DOT_SPLIT"]
            assert descriptor.segment_codes <= half
            assert descriptor.top_bit == bits - 1
            low, high = weights[0, 0, 0, :, :half], weights[0, 0, 0, :, half : 2 * half]
            assert weights[0, 0, 0].max() < 1 << bits
            signed = low + ((high - (high >> bits - 1 << bits)) << bits)
            return [int(total) for total in (codes[0, 0, :half] * signed).sum(1)]
        if Flag.DOT in descriptor.flags:
            width = descriptor.top_bit + 1 + (digits - 1) * bits
            raw = np.zeros(shape[1:], np.int64)
            for digit in weights:
                raw = (raw << bits) + digit
            signed = (raw & (1 << width) - 1) - ((raw >> width - 1 & 1) << width)
            return [int(total) for total in (codes[:, :, None] * signed).sum((0, 1, 3))]
        assert len(planes) == 1
        distance = np.abs(codes[0][:, None] - weights[0, 0]).sum((0, 2))
        # The minimum form leaves the sum of the weights to the affine constants.
        offset = weights[0, 0].sum((0, 2)) if self.size["MIN_FORM"] else 0
        return [int(total) for total in offset - distance]

    def record(self, descriptor: Descriptor, channel: int, group: int) -> int:
        """A channel's multiplier and constant: some channels of a sweep share a word."""
        values = 1 if Flag.TO_STREAM in descriptor.flags else self.size["DRAIN_LANES"]
        sweep, within = divmod(channel, group)
        word, position = divmod(within, values)
        address = descriptor.affine_base + sweep * -(-group // values) + word
        record_bits = self.size["CONST_BITS"] + 7 * self.size["DIGITS"]
        return self.program.affine[address] >> position * record_bits & (1 << record_bits) - 1

    def affine(self, descriptor: Descriptor, row: int, column: int, channel: int, total: int, group: int) -> int:
        """A sum's code."""
        word = self.record(descriptor, channel, group)
        const_bits = self.size["CONST_BITS"]
        value = total * multiplier(word >> const_bits) + from_twos_complement(word % (1 << const_bits), const_bits)
        if Flag.SHORTCUT in descriptor.flags:
            place = self.codes(descriptor.shortcut_origin) + row * self.codes(descriptor.shortcut_line_step)
            place += column * self.codes(descriptor.shortcut_pixel_step) + channel
            factor = multiplier(descriptor.shortcut_digits_low | descriptor.shortcut_digits_high << 32)
            value += self.memory[Buffer(descriptor.buffers >> 2 & 3)][place] * factor
        value += 1 << descriptor.shift - 1 if descriptor.shift else 0
        value = fits(value, self.size["AFFINE_BITS"]) >> descriptor.shift
        if Flag.CLAMP in descriptor.flags:
            value = min(max(value, 0), descriptor.clamp_max)
        return fits(value, self.size["OUT_BITS"])


def run_program(program: Program, image: Sequence[int]) -> tuple[list[list[int]], list[int]]:
    """Values of every layer's descriptor and of the output stream for one image, all in the order of the stream."""
    executor = Executor(program)
    return executor.run(image), executor.stream
