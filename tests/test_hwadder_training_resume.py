"""Training stopped, killed or out of disk space at any moment goes on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import errno
import math
import multiprocessing
import random
import time
from pathlib import Path

import pytest
import torch
from torch import nn
from training_runs import SHORT, Small, bars, quietly, train_bars

from hwadder.checkpoint import read_archive
from hwadder.train_config import FloatFormat
from hwadder.training import train
from hwadder.training_log import EpochRecord
from quant.errors import BadInputError

SUFFIXES = ("", ".csv", ".last", ".png")


def assert_same_results(one: Path, other: Path) -> None:
    """Checkpoint and log in every byte, the resume file in every value, and no file besides."""
    for out in (one, other):
        assert sorted(path.name for path in out.parent.iterdir()) == [out.name + suffix for suffix in SUFFIXES]
    for suffix in ("", ".csv"):
        files = [out.with_name(out.name + suffix) for out in (one, other)]
        assert files[0].read_bytes() == files[1].read_bytes()
    # Pickling one string twice or once gives other bytes, so the resume files are compared by what they hold.
    states = [read_archive(out.with_name(out.name + ".last")) for out in (one, other)]
    for key in ("state_dict", "momenta", "sums"):
        torch.testing.assert_close(states[0].pop(key), states[1].pop(key), rtol=0, atol=0)
    assert states[0] == states[1]


@pytest.mark.parametrize("precision", [FloatFormat.FP32, FloatFormat.FP16])
def test_a_run_stopped_after_every_step_equals_one_never_stopped(precision: FloatFormat, tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole" / "a.pt", tmp_path / "stopped" / "a.pt"
    config = dataclasses.replace(SHORT, precision=precision)
    expected = train(config, bars(), Small(), quietly(whole))
    runs = 0
    finished = False
    while not finished:
        # A model of other weights, which the resume file replaces.
        model = Small(seed=runs)
        result = train(config, bars(), model, quietly(stopped, resume=runs > 0, stop_after_steps=1))
        finished, runs = result.finished, runs + 1
    # Four epochs of three steps, and one more run finds the last epoch's validation undone.
    assert runs == 13
    assert result.log == expected.log
    assert_same_results(whole, stopped)


def test_a_run_killed_at_any_moment_equals_one_left_alone(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole" / "a.pt", tmp_path / "killed" / "a.pt"
    train_bars(whole)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hwadder.training"])  # torch is imported once
    moments = random.Random(0)
    last = killed.with_name("a.pt.last")
    for _ in range(4):
        process = context.Process(target=train_bars, args=(killed, last.exists()))
        before = last.stat().st_mtime_ns if last.exists() else 0
        process.start()
        while process.is_alive() and (not last.exists() or last.stat().st_mtime_ns == before):
            time.sleep(0.001)
        # A resume file is written after every step, so that many of these moments fall into the writing.
        process.join(moments.uniform(0, 0.03))
        process.kill()
        process.join()
    train_bars(killed, last.exists())
    assert_same_results(whole, killed)


def test_a_full_disk_keeps_the_last_good_state(tmp_path: Path) -> None:
    whole, out = tmp_path / "whole" / "a.pt", tmp_path / "full" / "a.pt"
    train(SHORT, bars(), Small(), quietly(whole))
    written = 0
    write_bytes = Path.write_bytes

    def until_full(path: Path, data: bytes) -> int:
        nonlocal written
        written += ".last" in path.name
        if written == 3:
            write_bytes(path, data[:100])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_bytes", until_full)
        with pytest.raises(BadInputError) as error:
            train(SHORT, bars(), Small(), quietly(out))
    assert str(error.value) == (
        f"output {out}.last must be writable, not refused by the system (No space left on device); the state of "
        "training before is kept, make room and go on with --resume"
    )
    assert len(read_archive(out.with_name("a.pt.last"))["log"]) == 1
    train(SHORT, bars(), Small(), quietly(out, resume=True))
    assert_same_results(whole, out)


def test_what_does_not_change_the_weights_may_change(tmp_path: Path) -> None:
    out = tmp_path / "a.pt"
    train(SHORT, bars(), Small(), quietly(out, stop_after_steps=1))
    config = dataclasses.replace(SHORT, checkpoint_minutes=0.0, workers=1)
    assert train(config, bars(), Small(), quietly(out, resume=True)).finished


def test_resume_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    out, last = tmp_path / "a.pt", tmp_path / "a.pt.last"
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), quietly(out, resume=True))
    assert str(error.value) == f"checkpoint must be an existing file, not missing: {last}"
    train(SHORT, bars(), Small(), quietly(out))
    with pytest.raises(BadInputError) as error:
        train(dataclasses.replace(SHORT, epochs=9, seed=4), bars(), Small(), quietly(out, resume=True))
    assert str(error.value) == (
        f"resumed training must keep its configuration, not take epochs 9 instead of 4, seed 4 instead of 0: {last}"
    )
    wider = Small()
    wider.fc = nn.Linear(4, 3)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), wider, quietly(out, resume=True))
    assert str(error.value) == f"resume file must match Small, not another model: {last}"
    torch.save(read_archive(out), last)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), quietly(out, resume=True))
    assert str(error.value) == f"resume file must be one that training wrote, not another checkpoint: {last}"


def test_an_unfinished_run_is_not_replaced_and_a_finished_one_is(tmp_path: Path) -> None:
    out, last = tmp_path / "a.pt", tmp_path / "a.pt.last"
    train(SHORT, bars(), Small(), quietly(out, stop_after_steps=1))
    before = last.read_bytes()
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), quietly(out))
    assert str(error.value) == (
        f"output {out} must be free of unfinished training, not in epoch 1 of 4: go on with --resume, or remove {last}"
    )
    assert last.read_bytes() == before
    train(SHORT, bars(), Small(), quietly(out, resume=True))
    assert train(dataclasses.replace(SHORT, seed=1), bars(), Small(), quietly(out)).finished


def test_a_run_that_failed_in_its_first_step_is_replaced(tmp_path: Path) -> None:
    broken = Small()
    broken.fc.weight.data.fill_(math.nan)
    with pytest.raises(BadInputError):
        train(SHORT, bars(), broken, quietly(tmp_path / "a.pt"))
    assert (tmp_path / "a.pt.last").exists()
    assert train(SHORT, bars(), Small(), quietly(tmp_path / "a.pt")).finished


def test_other_images_or_labels_are_refused(tmp_path: Path) -> None:
    out, data = tmp_path / "a.pt", bars()
    train(SHORT, data, Small(), quietly(out, stop_after_steps=1))
    for other in (
        dataclasses.replace(data, x_train=255 - data.x_train[:]),
        dataclasses.replace(data, y_train=1 - data.y_train),
    ):
        with pytest.raises(BadInputError) as error:
            train(SHORT, other, Small(), quietly(out, resume=True))
        assert str(error.value) == (
            f"resumed training must keep its images and labels, not take others from bars: {out}.last"
        )
    # The test split has no part in training.
    other = dataclasses.replace(data, x_test=255 - data.x_test[:])
    assert train(SHORT, other, Small(), quietly(out, resume=True)).finished


@pytest.mark.parametrize("epoch", [2, 4])
def test_a_run_killed_between_its_resume_file_and_its_log_completes_the_log(
    epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, killed = tmp_path / "whole" / "a.pt", tmp_path / "killed" / "a.pt"
    train(SHORT, bars(), Small(), quietly(whole))

    def interrupt(_out: Path, log: list[EpochRecord]) -> None:
        if len(log) == epoch:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("hwadder.training.write_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(SHORT, bars(), Small(), quietly(killed))
    train(SHORT, bars(), Small(), quietly(killed, resume=True))
    assert_same_results(whole, killed)


RECORD = dataclasses.asdict(EpochRecord(1, 0.05, 0.7, 0.5, 0.7, 0.5))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state_dict", {"conv.adder": 1}),
        ("momenta", [1]),
        ("momenta", {"conv.adder": torch.zeros(2)}),
        ("momenta", {"other": torch.zeros(2)}),
        ("scaler", {"scale": 1.0}),
        ("scaler", {"scale": "x"}),
        ("config", []),
        ("data", 3),
        ("log", [{}]),
        ("log", [RECORD | {"epoch": 2}]),
        ("log", [RECORD | {"train_loss": "x"}]),
        ("log", [RECORD | {"validation_loss": None}]),
        ("log", [RECORD | {"epoch": epoch} for epoch in range(1, 6)]),
        ("step", "x"),
        ("step", -1),
        ("step", 10**9),
        ("sums", 3),
        ("sums", torch.zeros(2)),
    ],
)
def test_a_resume_file_of_other_contents_is_named(name: str, value: object, tmp_path: Path) -> None:
    out, last = tmp_path / "a.pt", tmp_path / "a.pt.last"
    train(SHORT, bars(), Small(), quietly(out, stop_after_steps=1))
    torch.save(read_archive(last) | {name: value}, last)
    with pytest.raises(BadInputError) as error:
        train(SHORT, bars(), Small(), quietly(out, resume=True))
    assert str(error.value) == f"resume file must be as training wrote it, not with another {name}: {last}"
