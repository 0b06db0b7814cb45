"""Outputs appear whole or not at all, and nothing is left beside them."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from quant.errors import BadInputError
from quant.files import replacing_file, replacing_folder, require_file


def tree(path: Path) -> dict[str, str | None]:
    return {str(p.relative_to(path)): p.read_text() if p.is_file() else None for p in sorted(path.rglob("*"))}


def disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def write_half(path: Path, error: BaseException) -> None:
    path.write_text("half")
    raise error


def make_folder_instead(temporary: Path, path: Path) -> None:
    temporary.write_text("whole")
    path.mkdir()


def refused(path: Path, reason: str) -> str:
    return f"^{re.escape(f'output {path} must be writable, not refused by the system ({reason})')}$"


def test_a_file_appears_with_its_folders_and_the_usual_rights(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "a.txt"
    with replacing_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode
    assert tree(tmp_path / "new") == {"deep": None, "deep/a.txt": "whole"}


def test_a_link_stays_and_a_pipe_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("old")
    (tmp_path / "link").symlink_to("target")
    with replacing_file(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").readlink() == Path("target")
    assert tree(tmp_path) == {"link": "new", "target": "new"}
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(BadInputError) as caught, replacing_file(pipe):
        pass
    assert str(caught.value) == f"output file must be a regular file, not a device or a pipe: {pipe}"
    assert pipe.is_fifo()


@pytest.mark.parametrize("error", [ValueError("bug"), KeyboardInterrupt()])
def test_an_error_half_way_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), replacing_file(path) as temporary:
        write_half(temporary, error)
    assert tree(tmp_path) == {"a.txt": "old"}


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(BadInputError, match=refused(path, "No space left on device")),
        replacing_file(path) as temporary,
    ):
        write_half(temporary, disk_full())
    assert tree(tmp_path) == {"a.txt": "old"}


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    message = f"^output file must be a file, not an existing folder: {re.escape(str(tmp_path / 'a'))}$"
    with pytest.raises(BadInputError, match=message), replacing_file(tmp_path / "a"):
        pytest.fail("nothing may be computed for an output that cannot be written")
    assert tree(tmp_path) == {"a": None}


def test_a_rename_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(BadInputError, match=refused(tmp_path / "a", "Is a directory")),
        replacing_file(tmp_path / "a") as temporary,
    ):
        make_folder_instead(temporary, tmp_path / "a")
    assert tree(tmp_path) == {"a": None}


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_file_in_the_way_of_the_folder(tmp_path: Path, replacing: type) -> None:
    (tmp_path / "a").write_text("file")
    path = tmp_path / "a" / "b"
    with pytest.raises(BadInputError, match=refused(path, "File exists")), replacing(path):
        pytest.fail("nothing may be computed for an output that cannot be written")
    assert tree(tmp_path) == {"a": "file"}


@pytest.mark.parametrize("replacing", [replacing_file, replacing_folder])
def test_a_read_only_folder(tmp_path: Path, replacing: type, monkeypatch: pytest.MonkeyPatch) -> None:
    # Tests may run as root, whom no permission stops: the system's answer is put in instead.
    def answer(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("tempfile.mkstemp", answer)
    monkeypatch.setattr("tempfile.mkdtemp", answer)
    with (
        pytest.raises(BadInputError, match=refused(tmp_path / "a", "Read-only file system")),
        replacing(tmp_path / "a"),
    ):
        pytest.fail("nothing may be computed for an output that cannot be written")
    assert tree(tmp_path) == {}


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out"
    with replacing_folder(path) as temporary:
        (temporary / "a.txt").write_text("whole")
        assert not path.exists()
    plain = tmp_path / "plain"
    plain.mkdir()
    assert path.stat().st_mode == plain.stat().st_mode
    assert tree(tmp_path / "new") == {"out": None, "out/a.txt": "whole"}


def test_a_folder_takes_the_place_of_an_earlier_output(tmp_path: Path) -> None:
    path = tmp_path / "out"
    for text in ("old", "new"):
        with replacing_folder(path) as temporary:
            (temporary / "index").write_text(text)
            (temporary / f"{text}.v").write_text(text)
    assert tree(tmp_path) == {"out": None, "out/index": "new", "out/new.v": "new"}


def test_a_folder_may_replace_an_empty_one(tmp_path: Path) -> None:
    with replacing_folder(tmp_path / "out") as temporary:
        (tmp_path / "out").mkdir()
        (temporary / "index").write_text("new")
    assert tree(tmp_path) == {"out": None, "out/index": "new"}


def test_a_folder_of_other_things_is_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir()
    (path / "thesis.tex").write_text("years")
    message = f"^{re.escape(f'output folder must be new, empty or an earlier output, not hold thesis.tex: {path}')}$"
    with pytest.raises(BadInputError, match=message), replacing_folder(path) as temporary:
        (temporary / "index").write_text("new")
    assert tree(tmp_path) == {"home": None, "home/thesis.tex": "years"}


def test_an_error_half_way_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "index").write_text("old")
    with (
        pytest.raises(BadInputError, match=refused(path, "No space left on device")),
        replacing_folder(path) as temporary,
    ):
        write_half(temporary / "index", disk_full())
    assert tree(tmp_path) == {"out": None, "out/index": "old"}


def test_a_swap_that_fails_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out"
    path.mkdir()
    (path / "index").write_text("old")
    rename = Path.replace

    def full_at_the_second(source: Path, target: Path) -> Path:
        if target == path and source.name != "folder":
            raise disk_full()
        return rename(source, target)

    monkeypatch.setattr(Path, "replace", full_at_the_second)
    with (
        pytest.raises(BadInputError, match=refused(path, "No space left on device")),
        replacing_folder(path) as temporary,
    ):
        (temporary / "index").write_text("new")
    assert tree(tmp_path) == {"out": None, "out/index": "old"}


def test_an_output_folder_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("file")
    message = f"^{re.escape(f'output folder must be a folder, not an existing file: {path}')}$"
    with pytest.raises(BadInputError, match=message), replacing_folder(path):
        pytest.fail("nothing may be computed for an output that cannot be written")


def test_a_required_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    require_file(tmp_path / "a", "checkpoint")
    with pytest.raises(BadInputError, match=f"^checkpoint must be an existing file, not missing: {tmp_path}/b$"):
        require_file(tmp_path / "b", "checkpoint")
    with pytest.raises(BadInputError, match=f"^checkpoint must be an existing file, not a folder: {tmp_path}$"):
        require_file(tmp_path, "checkpoint")
