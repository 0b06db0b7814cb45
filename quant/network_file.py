"""One file for one integer network: a stored zip with a readable JSON header and one .npy per array.

The same network gives the same bytes (fixed order, dates and dtypes), so the file's SHA-256 names the network. Loading
uses no pickle, takes only values of a field's own type, and checks everything that `IntegerNetwork` checks.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import types
import typing
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
_ANOTHER_FILE = "network file must be what `hwadder quantize` writes, not another or half a file"
_NODE_TYPES: dict[str, type[qn.IntegerNode]] = {
    node.__name__: node for node in (qn.Input, qn.Conv2d, qn.Linear, qn.MaxPool, qn.SumPool, qn.Flatten, qn.Argmax)
}


def _smallest_dtype(array: qn.IntArray) -> np.dtype[Any]:
    low, high = int(array.min()), int(array.max())
    names = ("|u1", "|i1", "<i2", "<i4", "<i8")
    return np.dtype(next(name for name in names if np.iinfo(name).min <= low and high <= np.iinfo(name).max))


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
    members = {_HEADER: json.dumps(header, indent=1).encode()}
    for name, array in arrays.items():
        member = io.BytesIO()
        np.lib.format.write_array(member, array.astype(_smallest_dtype(array)), version=(1, 0), allow_pickle=False)
        members[f"{name}.npy"] = member.getvalue()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name)
            entry.create_system = 3  # Unix, wherever it is written: the bytes must not depend on the system
            archive.writestr(entry, content)
    return buffer.getvalue()


def digest(network: qn.IntegerNetwork) -> str:
    """SHA-256 of the network's file, in hexadecimal."""
    return hashlib.sha256(serialise(network)).hexdigest()


def save(network: qn.IntegerNetwork, path: Path) -> None:
    """Write a network to one file; raises BadInputError when the system refuses."""
    with replacing_file(path) as temporary:
        temporary.write_bytes(serialise(network))


def _array(name: str, archive: zipfile.ZipFile) -> qn.IntArray:
    """An array whose promised size is compared with the bytes that are there before any memory is taken."""
    member = io.BytesIO(archive.read(name))
    if np.lib.format.read_magic(member) != (1, 0):
        raise BadInputError(f"array {name} must be an .npy of version 1.0, not another")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(member)
    if dtype.kind not in "iu" or fortran_order:
        raise BadInputError(f"array {name} must hold integers in row order, not {dtype}")
    content = member.read()
    if math.prod(shape) * dtype.itemsize != len(content):
        raise BadInputError(f"array {name} must hold {shape} values of {dtype}, not {len(content)} bytes")
    return np.frombuffer(content, dtype).reshape(shape).astype(np.int64)


def _decode(value: Any, hint: Any, where: str, archive: zipfile.ZipFile) -> Any:
    """`value` of the header as the type that the field `where` declares."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        if value is None:
            return None
        (hint,) = (option for option in typing.get_args(hint) if option is not types.NoneType)
    if hint == qn.IntArray and isinstance(value, dict) and value.keys() == {"array"}:
        return _array(value["array"], archive)
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, dict):
        return _record(value, hint, where, archive)
    if typing.get_origin(hint) is tuple and isinstance(value, list) and len(value) == len(typing.get_args(hint)):
        return tuple(_decode(part, int, where, archive) for part in value)
    if hint is Kind and value in list(Kind):
        return Kind(value)
    if type(value) is hint or (hint is float and type(value) is int):
        return value
    raise BadInputError(f"{where} must be {getattr(hint, '__name__', hint)}, not {json.dumps(value)[:40]}")


def _record(entry: dict[str, Any], record: type, where: str, archive: zipfile.ZipFile) -> Any:
    names = [part.name for part in fields(record)]
    if sorted(entry) != sorted(names):
        raise BadInputError(f"{where} must have the keys {', '.join(names)}, not {', '.join(entry)}")
    hints = typing.get_type_hints(record)
    return record(**{name: _decode(entry[name], hints[name], f"{where}.{name}", archive) for name in names})


def _node(entry: dict[str, Any], archive: zipfile.ZipFile) -> qn.IntegerNode:
    values = dict(entry)
    node_type = values.pop("type", None)
    if node_type not in _NODE_TYPES:
        raise BadInputError(f"node type must be one of {', '.join(_NODE_TYPES)}, not {node_type}")
    node: qn.IntegerNode = _record(values, _NODE_TYPES[node_type], str(values.get("name")), archive)
    return node


def _network(archive: zipfile.ZipFile) -> qn.IntegerNetwork:
    if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
        # A stored member is as large as its bytes in the file: no few bytes unfold to fill the memory.
        raise BadInputError("network file must be a zip of stored members, not of compressed ones")
    if _HEADER not in archive.namelist():  # a torch checkpoint, for example, is a zip of stored members too
        raise BadInputError(_ANOTHER_FILE)
    header = json.loads(archive.read(_HEADER))
    found, version = header.get("format"), header.get("version")
    if (found, version) != (FORMAT, VERSION):
        raise BadInputError(
            f"network file must be of format {FORMAT!r} version {VERSION}, not {found!r} version {version!r}"
        )
    name = _decode(header["name"], str, "name", archive)
    return qn.IntegerNetwork(name, tuple(_node(entry, archive) for entry in header["nodes"]))


def load(path: Path) -> qn.IntegerNetwork:
    """Read a network file; raises BadInputError when it is missing, damaged, of another format or breaks a rule."""
    require_file(path, "network file")
    if not zipfile.is_zipfile(path):
        raise BadInputError(f"{_ANOTHER_FILE}: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            return _network(archive)
    except BadInputError as error:
        raise BadInputError(f"{error}: {path}") from error
    except Exception as error:
        # Zip, JSON and .npy raise a dozen types on damaged bytes; all of them mean the same to the caller.
        raise BadInputError(
            f"network file must be undamaged, not unreadable ({type(error).__name__}: {error}): {path}"
        ) from error
