"""A printed design reads back as it was printed; anything missing, damaged or changed is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integer_networks import Chain

from quant import network_file
from quant.errors import BadInputError
from quant.float_network import Kind
from quant.integer_network import IntegerNetwork
from rtl.architecture import Architecture
from rtl.design import Design, load_design
from rtl.generator import print_design


def network(seed: int) -> IntegerNetwork:
    chain = Chain(seed, 4, (2, 3, 3))
    chain.conv("grouped", Kind.ADDER, 4, (2, 2), groups=2)
    chain.conv("end", Kind.DOT, 2, (2, 2), bits=None)
    return chain.network


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Design:
    folder = tmp_path_factory.mktemp("design") / "rtl"
    return print_design(network(1), Architecture(in_lanes=3, out_lanes=2), folder)


@pytest.fixture
def copied(printed: Design, tmp_path: Path) -> Path:
    return Path(shutil.copytree(printed.folder, tmp_path / "rtl"))


def refusal(folder: Path) -> str:
    with pytest.raises(BadInputError) as error:
        load_design(folder)
    return str(error.value)


def test_a_design_reads_back(printed: Design) -> None:
    design, loaded = load_design(printed.folder)
    assert design == printed
    assert network_file.digest(loaded) == network_file.digest(network(1)) == printed.digest
    assert all(path.is_file() for path in design.source_files)
    assert design.source_files[0].stem == design.top
    assert [(layer.index, layer.node, layer.first_channel, layer.channels) for layer in design.layers] == [
        (1, "grouped", 0, 2),
        (2, "grouped", 2, 2),
        (3, "end", 0, 2),
    ]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "no") == f"design folder must be an existing folder, not missing: {tmp_path / 'no'}"


def test_a_folder_of_other_things_is_no_design(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"design index must be an existing file, not missing: {tmp_path / 'design.json'}"


@pytest.mark.parametrize(
    "name", ["memory/weights.mem", "memory/affine.mem", "memory/descriptors.mem", "library/ram.v", "hwadder_chain.v"]
)
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    assert refusal(copied) == f"design file must be an existing file, not missing: {copied / name}"


def change_format(index: dict[str, Any]) -> None:
    index["format"] = "recipe"


def change_version(index: dict[str, Any]) -> None:
    index["version"] = 2


@pytest.mark.parametrize(
    ("change", "found"), [(change_format, "'recipe' version 1"), (change_version, "'hwadder design' version 2")]
)
def test_another_format_or_version_is_refused(
    copied: Path, change: Callable[[dict[str, Any]], None], found: str
) -> None:
    path = copied / "design.json"
    index = json.loads(path.read_text())
    change(index)
    path.write_text(json.dumps(index))
    assert refusal(copied) == f"design index must be of format 'hwadder design' version 1, not {found}: {path}"


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"format": "hwadder design", "version": 1}'])
def test_a_damaged_index_is_refused(copied: Path, text: str) -> None:
    path = copied / "design.json"
    path.write_text(text)
    message = refusal(copied)
    assert message.startswith("design index must be undamaged, not unreadable (")
    assert message.endswith(f"): {path}")


@pytest.mark.parametrize("key", ["top", "network_sha256", "sources", "parameters", "layers"])
@pytest.mark.parametrize("value", [None, 3, [3]])
def test_an_index_of_other_types_is_refused(copied: Path, key: str, value: object) -> None:
    path = copied / "design.json"
    index = json.loads(path.read_text())
    index[key] = value
    path.write_text(json.dumps(index))
    assert refusal(copied).startswith("design index must be undamaged, not unreadable (")


def test_a_changed_network_is_refused(copied: Path) -> None:
    network_file.save(network(2), copied / "network.hwn")
    assert refusal(copied) == f"network of design {copied} must be the one it was printed from, not a changed file"
