"""The network file: the same bytes always, and nothing damaged or hostile ever loads."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from networks import every_node_network, quantized, small_lenet, small_resnet
from odd_networks import ODD_NETWORKS
from strategies import input_node

from quant.errors import BadInputError
from quant.float_network import FloatNetwork
from quant.golden import encode, trace
from quant.integer_network import Affine, Conv2d, Grid, IntegerNetwork, Linear, SumPool
from quant.network_file import FORMAT, digest, load, save, serialise

Header = dict[str, Any]


def members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("build", [small_resnet, small_lenet, every_node_network, *ODD_NETWORKS.values()])
def test_a_network_comes_back_the_same(tmp_path: Path, build: Callable[[], FloatNetwork]) -> None:
    network = quantized(build(), 5)
    save(network, tmp_path / "a.net")
    loaded = load(tmp_path / "a.net")
    assert serialise(loaded) == serialise(network) == (tmp_path / "a.net").read_bytes()
    images = np.random.default_rng(1).integers(0, 256, (3, *network.input.shape)).astype(np.uint8)
    ours, theirs = (trace(each, encode(each, images)) for each in (network, loaded))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)
    assert (loaded.shapes, loaded.grids) == (network.shapes, network.grids)


def test_the_same_network_gives_the_same_bytes_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    content = serialise(quantized(small_lenet()))
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert serialise(quantized(small_lenet())) == content


def test_the_order_in_memory_leaves_no_trace(tmp_path: Path) -> None:
    network = quantized(small_lenet())
    turned = tuple(
        replace(node, weight=np.asfortranarray(node.weight)) if isinstance(node, Conv2d | Linear) else node
        for node in network
    )
    save(IntegerNetwork(network.name, turned), tmp_path / "a.net")
    assert digest(load(tmp_path / "a.net")) == digest(network)


def test_another_weight_gives_another_digest(tmp_path: Path) -> None:
    network = quantized(small_lenet())
    parts = members(serialise(network))
    array = bytearray(parts["conv1.weight.npy"])
    array[-1] ^= 1
    assert digest(load(write(tmp_path / "a.net", parts | {"conv1.weight.npy": bytes(array)}))) != digest(network)


def test_every_byte_of_the_container_is_the_documented_one() -> None:
    image = input_node((1, 1, 1), Grid(1, 0.5))
    content = serialise(IntegerNetwork("n", (image,)))
    header = b"""{
 "format": "hwadder integer network",
 "version": 1,
 "name": "n",
 "nodes": [
  {
   "type": "Input",
   "name": "image",
   "shape": [
    1,
    1,
    1
   ],
   "grid": {
    "bits": 1,
    "scale": 0.5,
    "zero": 0,
    "signed": false
   },
   "table": {
    "array": "image.table.npy"
   }
  }
 ]
}"""
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 256), }"
    table = b"\x93NUMPY\x01\x00\x76\x00" + text.ljust(117) + b"\n" + b"\x00" + b"\x01" * 255
    expected, directory = b"", b""
    for name, member in ((b"network.json", header), (b"image.table.npy", table)):
        # No flags, method 0, midnight of 1980-01-01, CRC-32, size twice, length of the name, nothing extra.
        common = struct.pack("<HHHHHIIIH", 20, 0, 0, 0, 0x21, zlib.crc32(member), len(member), len(member), len(name))
        # Made by version 2.0 on Unix; rights 0600 in the upper half of the external attributes.
        ends = struct.pack("<HHHHII", 0, 0, 0, 0, 0o600 << 16, len(expected))
        directory += b"PK\x01\x02" + struct.pack("<H", 3 << 8 | 20) + common
        directory += ends + name
        expected += b"PK\x03\x04" + common + struct.pack("<H", 0) + name + member
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 2, 2, len(directory), len(expected), 0)
    assert content == expected + directory + end


def test_the_layout_is_the_documented_one() -> None:
    content = serialise(quantized(every_node_network()))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        header = json.loads(archive.read("network.json"))
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.create_system for entry in entries} == {3}

    def arrays(value: object) -> list[str]:
        if isinstance(value, dict):
            return (
                [value["array"]] if value.keys() == {"array"} else [n for part in value.values() for n in arrays(part)]
            )
        return [name for part in value for name in arrays(part)] if isinstance(value, list) else []

    assert [entry.filename for entry in entries] == ["network.json", *arrays(header["nodes"])]
    assert list(header) == ["format", "version", "name", "nodes"]
    grouped = next(node for node in header["nodes"] if node["name"] == "grouped")
    assert list(grouped) == [
        *("type", "name", "source", "kind", "weight", "weight_bits", "affine", "grid"),
        *("stride", "padding", "groups", "shortcut"),
    ]
    assert (grouped["type"], grouped["kind"], grouped["stride"]) == ("Conv2d", "adder", [2, 1])
    assert list(grouped["affine"]) == ["multiplier", "constant", "shift", "clamp_max", "shortcut_multiplier"]
    assert list(grouped["grid"]) == ["bits", "scale", "zero", "signed"]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0, 255], "|u1"), ([-128, 127], "|i1"), ([0, 256], "<i2"), ([-40000, 0], "<i4"), ([0, 2**40], "<i8")],
)
def test_arrays_take_the_first_type_that_holds_them(values: list[int], dtype: str) -> None:
    affine = Affine(np.array([1, 1]), np.array(values), 31, 255)
    pool = SumPool("pool", "image", (1, 1), (1, 1), Grid(8, 1.0), affine=affine)
    network = IntegerNetwork("types", (input_node((2, 1, 1), Grid(8, 1.0)), pool))
    array = np.load(io.BytesIO(members(serialise(network))["pool.affine.constant.npy"]))
    assert (array.dtype.str, array.tolist()) == (dtype, values)


@pytest.fixture(scope="module")
def content() -> bytes:
    return serialise(quantized(small_lenet()))


def identical_or_refused(path: Path, damaged: bytes, content: bytes) -> bool:
    """Whether damaged bytes were refused; they may otherwise only load as the very same network."""
    path.write_bytes(damaged)
    try:
        network = load(path)
    except BadInputError:
        return True
    assert serialise(network) == content
    return False


def test_no_truncated_file_loads(tmp_path: Path, content: bytes) -> None:
    cuts = {*range(0, len(content), 97), *range(60), *(len(content) - back for back in range(1, 60))}
    assert all(identical_or_refused(tmp_path / "a.net", content[:cut], content) for cut in cuts)


def test_no_flipped_bit_changes_the_network(tmp_path: Path, content: bytes) -> None:
    path, refused = tmp_path / "a.net", 0
    places = range(0, len(content), 23)
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        refused += identical_or_refused(path, bytes(damaged), content)
    # What is not refused are dates and attributes of the zip's own directory.
    assert refused > 0.8 * len(places)


def changed(content: bytes, path: Path, change: Callable[[Header], object]) -> Path:
    parts = members(content)
    header = json.loads(parts["network.json"])
    change(header)
    return write(path, parts | {"network.json": json.dumps(header).encode()})


def set_to(*keys: str | int, value: object) -> Callable[[Header], object]:
    def change(header: Header) -> None:
        target: Any = header
        for key in keys[:-1]:
            target = target[key]
        target[keys[-1]] = value

    return change


CONV = ("nodes", 1)
HOSTILE: list[tuple[str, Callable[[Header], object], str]] = [
    (
        "format",
        set_to("format", value="zip"),
        f"network file must be of format '{FORMAT}' version 1, not 'zip' version 1",
    ),
    (
        "version",
        set_to("version", value=2),
        f"network file must be of format '{FORMAT}' version 1, not '{FORMAT}' version 2",
    ),
    ("name", set_to("name", value=3), "name must be str, not 3"),
    (
        "type",
        set_to(*CONV, "type", value="Upsample"),
        "node type must be one of Input, Conv2d, Linear, MaxPool, SumPool, Flatten, Argmax, not Upsample",
    ),
    (
        "no type",
        lambda h: h["nodes"][1].pop("type"),
        "node type must be one of Input, Conv2d, Linear, MaxPool, SumPool, Flatten, Argmax, not None",
    ),
    ("bool", set_to(*CONV, "groups", value=True), "conv1.groups must be int, not true"),
    ("float stride", set_to(*CONV, "stride", value=[1.5, 1]), "conv1.stride must be int, not 1.5"),
    ("three strides", set_to(*CONV, "stride", value=[1, 1, 1]), "conv1.stride must be tuple, not [1, 1, 1]"),
    ("text scale", set_to(*CONV, "grid", "scale", value="1"), 'conv1.grid.scale must be float, not "1"'),
    (
        "infinite scale",
        set_to(*CONV, "grid", "scale", value=float("inf")),
        "grid scale must be positive and finite, not inf",
    ),
    (
        "NaN scale",
        set_to(*CONV, "grid", "scale", value=float("nan")),
        "grid scale must be positive and finite, not nan",
    ),
    ("kind", set_to(*CONV, "kind", value="xnor"), 'conv1.kind must be Kind, not "xnor"'),
    ("null kind", set_to(*CONV, "kind", value=None), "conv1.kind must be Kind, not null"),
    ("null source", set_to(*CONV, "source", value=None), "conv1.source must be str, not null"),
    ("unknown source", set_to(*CONV, "source", value="x"), "source of conv1 must be an earlier node, not x"),
    ("own source", set_to(*CONV, "source", value="conv1"), "source of conv1 must be an earlier node, not conv1"),
    ("list for array", set_to(*CONV, "weight", value=[1, 2]), "conv1.weight must be ndarray, not [1, 2]"),
    ("shift", set_to(*CONV, "affine", "shift", value=64), "affine shift must be 1 to 31, not 64"),
    (
        "huge groups",
        set_to(*CONV, "groups", value=10**9),
        "weights of conv1 must match 1 input channels in 1000000000 groups, not be of shape (3, 1, 3, 3)",
    ),
    (
        "huge padding",
        set_to(*CONV, "padding", value=[10**9, 0]),
        "padding of conv1 must be smaller than its kernel (3, 3), not (1000000000, 0)",
    ),
    ("bits", set_to(*CONV, "grid", "bits", value=99), "grid bits must be 1 to 32, not 99"),
    (
        "clamp",
        set_to(*CONV, "affine", "clamp_max", value=7),
        "clamp of conv1 must be its grid's largest code 255, not 7",
    ),
    (
        "weight bits",
        set_to(*CONV, "weight_bits", value=7),
        "weight bits of adder layer conv1 must be its input's 8, not 7",
    ),
    (
        "unknown key",
        set_to(*CONV, "dilation", value=2),
        "conv1 must have the keys name, source, kind, weight, weight_bits, affine, grid, stride, padding, groups, "
        "shortcut, "
        "not name, source, kind, weight, weight_bits, affine, grid, stride, padding, groups, shortcut, dilation",
    ),
    (
        "missing key",
        lambda h: h["nodes"][1]["grid"].pop("zero"),
        "conv1.grid must have the keys bits, scale, zero, signed, not bits, scale, signed",
    ),
    ("twice", lambda h: h["nodes"].insert(2, h["nodes"][1]), "node names must be unique, not conv1 twice"),
    (
        "two inputs",
        lambda h: h["nodes"].insert(2, h["nodes"][0] | {"name": "b"}),
        "network small lenet must have one input, not b too",
    ),
    ("no nodes", set_to("nodes", value=[]), "network small lenet must start with its input"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_header_that_breaks_a_rule_is_refused(
    tmp_path: Path, content: bytes, change: Callable[[Header], object], message: str
) -> None:
    path = changed(content, tmp_path / "a.net", change)
    with pytest.raises(BadInputError) as raised:
        load(path)
    assert str(raised.value) == f"{message}: {path}"


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "missing.npy", "network.json", 7, None, ["a"]])
def test_an_array_is_only_ever_a_member_of_the_file(tmp_path: Path, content: bytes, name: object) -> None:
    with pytest.raises(BadInputError, match=r": .*a\.net$"):
        load(changed(content, tmp_path / "a.net", set_to(*CONV, "weight", value={"array": name})))


@pytest.mark.parametrize("header", [b"", b"[]", b"{", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_header_that_is_none_is_refused(tmp_path: Path, content: bytes, header: bytes) -> None:
    path = write(tmp_path / "a.net", members(content) | {"network.json": header})
    with pytest.raises(BadInputError, match=r"^network file must be undamaged, not unreadable \(.*a\.net$"):
        load(path)


class Trap:
    """What a hostile pickle runs when it is loaded."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (pytest.fail, ("the pickle ran",))


def npy(dtype: str, shape: str, content: bytes) -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (
            npy("'|O'", "(1,)", pickle.dumps(Trap())),
            "array conv1.weight.npy must hold integers in row order, not object",
        ),
        (npy("'<f8'", "(1,)", bytes(8)), "array conv1.weight.npy must hold integers in row order, not float64"),
        (
            npy("'|u1'", "(1000000, 1000000, 1000000)", bytes(8)),
            "array conv1.weight.npy must hold (1000000, 1000000, 1000000) values of uint8, not 8 bytes",
        ),
        (npy("'|u1'", "(-1,)", bytes(8)), "array conv1.weight.npy must hold (-1,) values of uint8, not 8 bytes"),
        (
            npy("'|u1'", "(3, 1, 3, 3)", bytes(28)),
            "array conv1.weight.npy must hold (3, 1, 3, 3) values of uint8, not 28 bytes",
        ),
        (b"\x93NUMPY\x02\x00" + bytes(99), "array conv1.weight.npy must be an .npy of version 1.0, not another"),
        (npy("'<i2'", "(3, 1, 3, 3)", b"\x00\x01" * 27), "weights of conv1 must be codes of 0 to 255, not 256 to 256"),
    ],
)
def test_a_hostile_array_is_refused(tmp_path: Path, content: bytes, array: bytes, message: str) -> None:
    path = write(tmp_path / "a.net", members(content) | {"conv1.weight.npy": array})
    with pytest.raises(BadInputError) as raised:
        load(path)
    assert str(raised.value) == f"{message}: {path}"


@pytest.mark.parametrize("array", [b"", b"\x80\x04.", npy("__import__('os')", "(1,)", b""), npy("'|u1'", "10**9", b"")])
def test_an_array_that_is_none_is_refused(tmp_path: Path, content: bytes, array: bytes) -> None:
    path = write(tmp_path / "a.net", members(content) | {"conv1.weight.npy": array})
    with pytest.raises(BadInputError, match=r"^network file must be undamaged, not unreadable \(.*a\.net$"):
        load(path)


def test_a_compressed_member_is_refused(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path / "a.net", members(content) | {"bomb": bytes(10**7)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInputError) as raised:
        load(path)
    assert str(raised.value) == f"network file must be a zip of stored members, not of compressed ones: {path}"


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"torch", pickle.dumps(Trap())])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.net"
    path.write_bytes(content)
    with pytest.raises(BadInputError) as raised:
        load(path)
    message = f"network file must be what `hwadder quantize` writes, not another or half a file: {path}"
    assert str(raised.value) == message


def test_a_zip_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "checkpoint.pt", {"archive/data.pkl": pickle.dumps(Trap())})
    with pytest.raises(BadInputError) as raised:
        load(path)
    message = f"network file must be what `hwadder quantize` writes, not another or half a file: {path}"
    assert str(raised.value) == message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        BadInputError, match=rf"^network file must be an existing file, not missing: {tmp_path}/a\.net$"
    ):
        load(tmp_path / "a.net")
    with pytest.raises(BadInputError, match=rf"^network file must be an existing file, not a folder: {tmp_path}$"):
        load(tmp_path)
