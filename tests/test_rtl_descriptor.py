"""The descriptor's words stand where the accelerator looks for them: read out of its Verilog text."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from rtl.descriptor import DESCRIPTOR_WORDS, Buffer, Descriptor, Flag, Place, place_of
from rtl.library import module_source

NAMES = [field.name for field in fields(Descriptor)]
# What an instance calls a field that it does not know by the descriptor's name.
OTHER_NAMES = {
    ("u_loader", "line_step"): "target_line_step",
    ("u_loader", "line_codes"): "out_channels",
    ("u_loader", "planes"): "target_planes",
    ("u_loader", "plane_rows"): "target_plane_rows",
    ("u_loader", "length"): "load_length",
    ("u_drain", "planes"): "target_planes",
    ("u_shortcut_cursor", "origin"): "shortcut_origin",
    ("u_shortcut_cursor", "channels"): "out_channels",
    ("u_shortcut_cursor", "width"): "out_width",
    ("u_shortcut_cursor", "pixel_step"): "shortcut_pixel_step",
    ("u_shortcut_cursor", "line_step"): "shortcut_line_step",
    ("u_requantizer", "in_shift"): "shift",
    ("u_requantizer", "in_clamp_max"): "clamp_max",
    ("u_writer", "origin"): "target_origin",
    ("u_writer", "channels"): "out_channels",
    ("u_writer", "width"): "out_width",
    ("u_writer", "pixel_step"): "target_pixel_step",
    ("u_writer", "line_step"): "target_line_step",
    ("u_writer", "planes"): "target_planes",
    ("u_writer", "plane_rows"): "target_plane_rows",
    ("u_output", "start"): "length",
    ("u_check", "layer_pool"): "flags",
    ("u_check", "source_buffer"): "buffers",
    ("u_check", "shortcut_buffer"): "buffers",
}
PLACES = {field.name for field in fields(Descriptor) if field.type == "Place"}


@pytest.fixture(scope="module")
def accelerator() -> str:
    return module_source("accelerator").read_text()


def field_uses(text: str) -> set[tuple[str, str, str]]:
    """(descriptor field, `field` or `place`, word) of every use of either array by an instance's port."""
    uses = set()
    for instance, ports in re.findall(r"\) (u_\w+) \(\n(.*?)\n *\);", text, re.DOTALL):
        for port, connection in re.findall(r"\.(\w+)\s*\((.*)\)", ports):
            name = OTHER_NAMES.get((instance, port), port)
            uses |= {(name, *use) for use in re.findall(r"\b(?:next_)?(field|place)\[([A-Z_]+)\]", connection)}
    return uses


def test_every_word_is_the_field_of_its_name(accelerator: str) -> None:
    begin = accelerator.index("// Words of a descriptor.")
    block = accelerator[begin : accelerator.index("generate", begin)]
    words = re.findall(r"localparam ([A-Z_]+) = (\d+);", block)
    assert [(name.lower(), int(word)) for name, word in words] == list(zip(NAMES, range(len(NAMES)), strict=True))


def test_every_port_reads_the_word_of_its_field_as_what_it_is(accelerator: str) -> None:
    uses = field_uses(accelerator)
    assert {name for name, _, word in uses if name != word.lower()} == set()
    assert {name for name, kind, _ in uses if kind == "place"} == PLACES
    assert {name for name, kind, _ in uses if kind == "field"} == (
        set(NAMES) - PLACES - {"shortcut_digits_low", "shortcut_digits_high"}
    )


def test_the_shortcut_digits_are_put_together(accelerator: str) -> None:
    assert "assign shortcut_digits = {field[SHORTCUT_DIGITS_HIGH], field[SHORTCUT_DIGITS_LOW]};" in accelerator


def test_every_flag_is_the_bit_of_its_name(accelerator: str) -> None:
    found = re.findall(r"assign (?:layer_)(\w+) = field\[FLAGS\]\[(\d+)\]", accelerator)
    assert {name: 1 << int(bit) for name, bit in found} == {flag.name.lower(): flag.value for flag in Flag if flag.name}


def test_the_accelerator_reads_as_many_words(accelerator: str) -> None:
    assert f"localparam DESCRIPTOR_WORDS = {DESCRIPTOR_WORDS};" in accelerator
    assert len(NAMES) + 1 == DESCRIPTOR_WORDS


def test_words_are_the_fields_in_twos_complement() -> None:
    values = {name: Place(-3, 5) if name in PLACES else 1000 + index for index, name in enumerate(NAMES)}
    descriptor = Descriptor(**{**values, "flags": Flag.DOT | Flag.LAST, "crossing_rows": -2})  # type: ignore[arg-type]
    expected = [0xFFFFFD05 if name in PLACES else 1000 + index for index, name in enumerate(NAMES)]
    expected[0], expected[NAMES.index("crossing_rows")] = 0b1000001, 2**32 - 2
    assert list(descriptor.words(0))[:-1] == expected


@pytest.mark.parametrize("signature", [0, 1, 0x89ABCDEF])
def test_the_last_word_makes_the_sum_the_signature(signature: int) -> None:
    words = Descriptor(flags=Flag.LAST, source_origin=Place(-1, 2), out_channels=7).words(signature)
    assert sum(words) % 2**32 == signature
    assert max(words) < 2**32


def test_a_place_is_a_code_number_by_lanes() -> None:
    assert [place_of(code, 3) for code in (-4, -3, -1, 0, 5)] == [
        Place(-2, 2),
        Place(-1, 0),
        Place(-1, 2),
        Place(0, 0),
        Place(1, 2),
    ]


def test_buffers_are_what_the_accelerator_compares_with(accelerator: str) -> None:
    assert "// Which memory: 0 the image, 2 buffer A, 3 buffer B." in accelerator
    assert (Buffer.IMAGE, Buffer.A, Buffer.B) == (0, 2, 3)
