"""Writing results so that a crash or a full disk never leaves half of one behind: write beside, then rename."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quant.errors import BadInputError


def _sentence(path: Path, error: OSError) -> BadInputError:
    return BadInputError(f"output {path} must be writable, not refused by the system ({error.strerror or error})")


def _follow_umask(path: Path, mode: int) -> None:
    """The tempfile module makes things private; a result follows the umask like any other file."""
    umask = os.umask(0)
    os.umask(umask)
    path.chmod(mode & ~umask)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of `path` that a killed process left beside it."""
    # Eight characters are what tempfile adds to the prefix of `replacing_file`.
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.????????"):
        leftover.unlink(missing_ok=True)


def require_file(path: Path, what: str) -> None:
    """Raise BadInputError unless `path` is an existing regular file."""
    if not path.is_file():
        state = "a folder" if path.is_dir() else "missing"
        raise BadInputError(f"{what} must be an existing file, not {state}: {path}")


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; on success it replaces `path`, on any error it is removed.

    A link stays, and what it leads to is replaced. Raises BadInputError when `path` is a folder or a device, or when
    the system refuses to write (read-only folder, full disk).
    """
    if path.is_dir():
        raise BadInputError(f"output file must be a file, not an existing folder: {path}")
    if path.exists() and not path.is_file():
        raise BadInputError(f"output file must be a regular file, not a device or a pipe: {path}")
    if path.is_symlink():
        path = path.resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _sentence(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        _follow_umask(temporary, 0o666)
        temporary.replace(path)
    except OSError as error:
        raise _sentence(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def _require_earlier_output(path: Path, replacement: Path) -> None:
    """A folder that shares no file with its replacement was not written by us: deleting it would be a loss."""
    names = {entry.name for entry in path.iterdir()}
    if names and not any(entry.name in names for entry in replacement.iterdir() if entry.is_file()):
        raise BadInputError(f"output folder must be new, empty or an earlier output, not hold {min(names)}: {path}")


def _swap(temporary: Path, path: Path) -> None:
    """Put `temporary` in the place of the folder `path`, which comes back when that fails."""
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.old.", dir=path.parent) as retired:
        old = Path(retired) / "folder"
        path.replace(old)
        try:
            temporary.replace(path)
        except OSError:
            old.replace(path)
            raise


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on success it takes the place of `path`.

    On any error it is removed and an existing `path` stays as it was. Raises BadInputError when `path` is a file or a
    folder of other things, or when the system refuses to write.
    """
    if path.exists() and not path.is_dir():
        raise BadInputError(f"output folder must be a folder, not an existing file: {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _sentence(path, error) from error
    try:
        yield temporary
        _follow_umask(temporary, 0o777)
        if path.exists():
            _require_earlier_output(path, temporary)
            _swap(temporary, path)
        else:
            temporary.replace(path)
    except OSError as error:
        raise _sentence(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
