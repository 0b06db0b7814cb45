"""The descriptor's words stand where the accelerator looks for them: read out of its Verilog text."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from rtl.descriptor import DESCRIPTOR_WORDS, Descriptor, Flag
from rtl.library import module_source

NAMES = [field.name for field in fields(Descriptor)]
# What an instance calls a field that it does not know by the descriptor's name.
OTHER_NAMES = {
    ("u_gate", "first_lane"): "lanes",
    ("u_gate", "last_lane"): "lanes",
    ("u_shortcut_cursor", "base"): "shortcut_base",
    ("u_shortcut_cursor", "first_lane"): "target",
    ("u_shortcut_cursor", "channels"): "out_channels",
    ("u_shortcut_cursor", "pixel_stride"): "shortcut_pixel_step",
    ("u_requantizer", "in_shift"): "shift",
    ("u_requantizer", "in_clamp_max"): "clamp_max",
    ("u_writer", "base"): "target_base",
    ("u_writer", "first_lane"): "target",
    ("u_writer", "channels"): "out_channels",
    ("u_writer", "pixel_stride"): "target_pixel_step",
    ("u_writer", "plane_stride"): "target_plane_step",
    ("u_writer", "planes"): "target",
    ("u_output", "start"): "length",
}


@pytest.fixture(scope="module")
def accelerator() -> str:
    return module_source("accelerator").read_text()


def field_uses(text: str) -> set[tuple[str, int]]:
    """(descriptor field, word) of every use of `field[word]` by an instance's port."""
    uses = set()
    for instance, ports in re.findall(r"\) (u_\w+) \(\n(.*?)\n    \);", text, re.DOTALL):
        for port, connection in re.findall(r"\.(\w+)\s*\((.*)\)", ports):
            name = OTHER_NAMES.get((instance, port), port)
            uses |= {(name, int(word)) for word in re.findall(r"\bfield\[(\d+)\]", connection)}
    return uses


def test_every_port_reads_the_word_of_its_field(accelerator: str) -> None:
    uses = field_uses(accelerator)
    assert {name for name, word in uses if name not in NAMES or NAMES.index(name) != word} == set()
    flags_and_digits = {"flags", "shortcut_digits_low", "shortcut_digits_high"}
    assert {name for name, _ in uses} == set(NAMES) - flags_and_digits


def test_the_shortcut_digits_are_put_together(accelerator: str) -> None:
    assert "assign shortcut_digits = {field[35], field[34]};" in accelerator
    assert (NAMES[34], NAMES[35]) == ("shortcut_digits_low", "shortcut_digits_high")


def test_every_flag_is_the_bit_of_its_name(accelerator: str) -> None:
    bits = {name: 1 << int(bit) for name, bit in re.findall(r"assign layer_(\w+) = field\[0\]\[(\d+)\];", accelerator)}
    assert bits == {flag.name.lower(): flag.value for flag in Flag if flag.name}


def test_the_accelerator_reads_as_many_words(accelerator: str) -> None:
    assert f"localparam DESCRIPTOR_WORDS = {DESCRIPTOR_WORDS};" in accelerator
    assert len(NAMES) == DESCRIPTOR_WORDS


def test_words_are_the_fields_in_twos_complement() -> None:
    values = {name: 1000 + index for index, name in enumerate(NAMES)}
    descriptor = Descriptor(**{**values, "flags": Flag.DOT | Flag.LAST, "source_origin": -3})  # type: ignore[arg-type]
    expected = [0b1000001, 2**32 - 3, *range(1002, 1000 + DESCRIPTOR_WORDS)]
    assert list(descriptor.words()) == expected
