"""Writing results so that a crash or a full disk never leaves half of one behind: write beside, then rename."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from quant.errors import BadInputError


def _sentence(path: Path, error: OSError) -> BadInputError:
    return BadInputError(f"output {path} must be writable, not refused by the system ({error.strerror or error})")


def require_file(path: Path, what: str) -> None:
    """Raise BadInputError unless `path` is an existing regular file."""
    if not path.is_file():
        state = "a folder" if path.is_dir() else "missing"
        raise BadInputError(f"{what} must be an existing file, not {state}: {path}")


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; on success it replaces `path`, on any error it is removed.

    Raises BadInputError when the system refuses to write (read-only folder, full disk).
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _sentence(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp creates files readable by the owner only; a result follows the umask like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    except OSError as error:
        raise _sentence(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; on success it takes the place of `path`, on any error it is removed.

    Raises BadInputError when `path` exists and is a file, or when the system refuses to write.
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
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        if path.exists():
            retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.old.", dir=path.parent))
            os.replace(path, retired / path.name)
            os.replace(temporary, path)
            shutil.rmtree(retired)
        else:
            os.replace(temporary, path)
    except OSError as error:
        raise _sentence(path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
