"""One file for one integer network: a stored zip with a readable JSON header and one .npy per array.

The same network gives the same bytes (fixed order, dates and dtypes), so the file's SHA-256 names the network. Loading
uses no pickle and checks everything that `IntegerNetwork` checks.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from quant import integer_network as qn
from quant.errors import BadInputError
from quant.files import replacing_file, require_file
from quant.float_network import Kind

FORMAT = "hwadder integer network"
VERSION = 1
_HEADER = "network.json"
_NODE_TYPES: dict[str, type[qn.IntegerNode]] = {
    node.__name__: node for node in (qn.Input, qn.Conv2d, qn.Linear, qn.MaxPool, qn.SumPool, qn.Flatten, qn.Argmax)
}
_LARGEST_MEMBER_BYTES = 1 << 30
"""A header can promise any size; nothing larger than this is read."""


def _smallest_dtype(array: qn.IntArray) -> np.dtype[Any]:
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for name in ("|u1", "|i1", "<i2", "<i4", "<i8"):
        dtype = np.dtype(name)
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return dtype
    raise AssertionError("int64 holds every int64")


def _encode(value: Any, name: str, arrays: dict[str, qn.IntArray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": f"{name}.npy"}
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value):
        return {part.name: _encode(getattr(value, part.name), f"{name}.{part.name}", arrays) for part in fields(value)}
    if isinstance(value, tuple):
        return list(value)
    return value


def serialise(network: qn.IntegerNetwork) -> bytes:
    """The file's bytes."""
    arrays: dict[str, qn.IntArray] = {}
    nodes = [{"type": type(node).__name__, **_encode(node, node.name, arrays)} for node in network]
    header = {"format": FORMAT, "version": VERSION, "name": network.name, "nodes": nodes}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo(_HEADER), json.dumps(header, indent=1))
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array.astype(_smallest_dtype(array)), version=(1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue())
    return buffer.getvalue()


def digest(network: qn.IntegerNetwork) -> str:
    """SHA-256 of the network's file, in hexadecimal."""
    return hashlib.sha256(serialise(network)).hexdigest()


def save(network: qn.IntegerNetwork, path: Path) -> None:
    """Write a network to one file; raises BadInputError when the system refuses."""
    with replacing_file(path) as temporary:
        temporary.write_bytes(serialise(network))


def _decode(value: Any, field_name: str, archive: zipfile.ZipFile) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, dict):
        return Kind(value) if field_name == "kind" else value
    if "array" in value:
        with archive.open(value["array"]) as member:
            array = np.lib.format.read_array(io.BytesIO(member.read()), allow_pickle=False)
        if array.dtype.kind not in "iu":
            raise BadInputError(f"array {value['array']} must hold integers, not {array.dtype}")
        return array.astype(np.int64)
    parts = {name: _decode(part, name, archive) for name, part in value.items()}
    return qn.Grid(**parts) if field_name == "grid" else qn.Affine(**parts)


def _node(entry: dict[str, Any], archive: zipfile.ZipFile) -> qn.IntegerNode:
    values = dict(entry)
    node_type = values.pop("type")
    if node_type not in _NODE_TYPES:
        raise BadInputError(f"node type must be one of {', '.join(_NODE_TYPES)}, not {node_type}")
    return _NODE_TYPES[node_type](**{name: _decode(value, name, archive) for name, value in values.items()})


def load(path: Path) -> qn.IntegerNetwork:
    """Read a network file; raises BadInputError when it is missing, damaged, of another format or breaks a rule."""
    require_file(path, "network file")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(member.file_size > _LARGEST_MEMBER_BYTES for member in archive.infolist()):
                raise BadInputError(f"network file must be of a sane size, not hold a member above 1 GiB: {path}")
            header = json.loads(archive.read(_HEADER))
            if header.get("format") != FORMAT or header.get("version") != VERSION:
                raise BadInputError(
                    f"network file must be of format {FORMAT!r} version {VERSION}, "
                    f"not {header.get('format')!r} version {header.get('version')!r}: {path}"
                )
            return qn.IntegerNetwork(header["name"], tuple(_node(entry, archive) for entry in header["nodes"]))
    except BadInputError:
        raise
    except Exception as error:
        # Zip, JSON, .npy and constructors raise a dozen types on damaged bytes; all of them mean the same to the caller.
        raise BadInputError(
            f"network file must be undamaged, not unreadable ({type(error).__name__}: {error}): {path}"
        ) from error
