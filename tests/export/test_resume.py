"""An export that ended too soon goes on, however it ended: no message twice, none missing, none in halves."""

from __future__ import annotations

import errno
import json
import os
import random
import signal
import stat
import sys
import time
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from flask_ms365.export import output
from tests.conftest import Host
from tests.export.conftest import ADDRESS, deliver, export, lines, read_mbox
from tests.jobs.worker_process import start
from tests.sync.conftest import Synced

MESSAGES = 400


@pytest.fixture
def full(synced: Synced) -> Synced:
    """Return a mailbox of messages of all sizes."""
    if synced.host.db is not None:
        pytest.skip("one database is enough: what is read is the same on each")
    dice = random.Random(7)
    for number in range(MESSAGES):
        synced.mailbox.deliver(subject=f"Message {number}", text="From me\n" * dice.randrange(1, 3000))
    synced.sync()
    return synced


def whole(host: Host, folder: Path, *options: str) -> bytes:
    """Return an export that nothing interrupted."""
    assert export(host, "--output", str(folder / "whole"), *options).exit_code == 0
    return (folder / "whole").read_bytes()


def interrupt(host: Host, path: Path, *options: str, by: signal.Signals = signal.SIGKILL) -> int:
    """Begin or go on with an export in a process of its own, and end it amid; return its exit code."""
    size = path.stat().st_size if path.exists() else 0
    with start(host, "export", ADDRESS, "--output", str(path), *options, stderr=PIPE) as process:
        while process.poll() is None and (not path.exists() or path.stat().st_size <= size + 100_000):
            time.sleep(0.001)
        process.send_signal(by)
        return process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--format", "mbox")], ids=["jsonl", "mbox"])
def test_a_process_that_is_killed_again_and_again(full: Synced, tmp_path: Path, options: tuple[str, ...]) -> None:
    expected, path = whole(full.host, tmp_path, *options), tmp_path / "mail"
    assert interrupt(full.host, path, *options) == -signal.SIGKILL
    for _ in range(2):
        interrupt(full.host, path, *options, "--resume")
    result = export(full.host, "--output", str(path), *options, "--resume")
    assert result.exit_code == 0, result.output
    assert path.read_bytes() == expected
    assert not output.beside(path).exists()


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(full: Synced, tmp_path: Path) -> None:
    expected, path = whole(full.host, tmp_path), tmp_path / "mail"
    with start(full.host, "export", ADDRESS, "--output", str(path), stderr=PIPE) as process:
        while not path.exists() or not path.stat().st_size:
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
    assert (process.returncode, "Interrupted. Go on with --resume." in told) == (1, True), told
    assert export(full.host, "--output", str(path), "--resume").exit_code == 0
    assert path.read_bytes() == expected


@pytest.mark.slow
def test_whoever_reads_a_pipe_may_stop(full: Synced) -> None:
    with start(full.host, "export", ADDRESS, stderr=PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert json.loads(process.stdout.readline())["subject"] == "Message 0"
        process.stdout.close()
        told = process.stderr.read()
        process.wait(timeout=30)
    assert told == ""


@pytest.mark.parametrize("options", [(), ("--resume",)])
def test_of_two_exports_to_one_file_the_second_is_refused(
    full: Synced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    expected, path, write = whole(full.host, tmp_path), tmp_path / "mail", output.ToFile.write
    second: list[Any] = []

    def write_and_begin_another(target: output.ToFile, message_id: int, *args: Any, **values: Any) -> None:
        if not second:
            second.append(export(full.host, "--output", str(path), *options))
        write(target, message_id, *args, **values)

    monkeypatch.setattr(output.ToFile, "write", write_and_begin_another)
    assert export(full.host, "--output", str(path)).exit_code == 0
    assert second[0].exit_code == 2
    assert path.read_bytes() == expected


class Stop(Exception):
    """Ends an export within this process, as nothing of ours expects."""


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int, by: Exception | None = None) -> None:
    """Let the export end amid the message that follows so many."""
    write = output.ToFile.write

    def stopping(self: output.ToFile, message_id: int, chunks: Any, **given: Any) -> None:
        if self.done.count == count:
            chunks = iter(chunks)
            self._file.write(next(chunks)[:10])
            raise by or Stop
        write(self, message_id, chunks, **given)

    monkeypatch.setattr(output.ToFile, "write", stopping)
    monkeypatch.setattr(output, "_EVERY", 0.0)


@pytest.fixture
def interrupted(synced: Synced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of an export that ended amid the third of five messages."""
    deliver(synced, *"abcde")
    path = tmp_path / "mail.jsonl"
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert isinstance(export(synced.host, "--output", str(path)).exception, Stop)
    assert [line["subject"] for line in lines(path.read_bytes().rpartition(b"\n")[0])] == ["a", "b"]
    return path


def test_a_full_disk_is_told_and_it_goes_on_once_there_is_room(
    synced: Synced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(synced, *"abc")
    path = tmp_path / "mail.jsonl"
    with monkeypatch.context() as patch:
        stop_after(patch, 2, OSError(errno.ENOSPC, "No space left on device"))
        result = export(synced.host, "--output", str(path))
    assert (result.exit_code, "No space left on device. Go on with --resume." in result.stderr) == (1, True)
    assert export(synced.host, "--output", str(path), "--resume").exit_code == 0
    assert [line["subject"] for line in lines(path.read_bytes())] == list("abc")


def test_it_goes_on_where_it_ended(synced: Synced, interrupted: Path) -> None:
    result = export(synced.host, "--output", str(interrupted), "--resume")
    assert (result.exit_code, result.stderr) == (0, f"{ADDRESS}: 5 message(s) exported.\n")
    assert [line["subject"] for line in lines(interrupted.read_bytes())] == list("abcde")


def test_mail_that_came_since_is_in_it(synced: Synced, interrupted: Path) -> None:
    deliver(synced, "f")
    export(synced.host, "--output", str(interrupted), "--resume")
    assert [line["subject"] for line in lines(interrupted.read_bytes())] == list("abcdef")


def test_mail_that_moved_since_is_in_it_once(synced: Synced, interrupted: Path) -> None:
    for record in synced.mailbox.messages():
        synced.mailbox.move(record.id, "archive")
    synced.sync()
    export(synced.host, "--output", str(interrupted), "--resume")
    assert [line["subject"] for line in lines(interrupted.read_bytes())] == list("abcde")


def test_without_resume_it_is_refused_and_nothing_is_lost(synced: Synced, interrupted: Path) -> None:
    before = interrupted.read_bytes()
    result = export(synced.host, "--output", str(interrupted))
    assert (result.exit_code, "go on with --resume" in result.stderr) == (2, True)
    assert interrupted.read_bytes() == before


@pytest.mark.parametrize(
    "options", [("--format", "mbox"), ("--folder", "inbox"), ("--include-removed",), ("--format", "mbox", "--mime")]
)
def test_an_export_of_something_else_is_refused(synced: Synced, interrupted: Path, options: tuple[str, ...]) -> None:
    result = export(synced.host, "--output", str(interrupted), "--resume", *options)
    assert (result.exit_code, "other mail, or in another format" in result.stderr) == (2, True)


@pytest.mark.parametrize("noted", ["", "[]", "{}", '{"done": {"where": 1}}', "not JSON"])
def test_a_note_that_says_nothing_is_refused(synced: Synced, interrupted: Path, noted: str) -> None:
    output.beside(interrupted).write_text(noted, encoding="utf-8")
    result = export(synced.host, "--output", str(interrupted), "--resume")
    assert (result.exit_code, "cannot be read" in result.stderr) == (2, True), result.stderr


def test_a_file_that_lost_its_end_is_refused(synced: Synced, interrupted: Path) -> None:
    os.truncate(interrupted, 10)
    result = export(synced.host, "--output", str(interrupted), "--resume")
    assert (result.exit_code, "shorter than it was" in result.stderr) == (2, True)


def test_where_nothing_was_begun_resume_begins(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "a")
    assert export(synced.host, "--output", str(tmp_path / "mail"), "--resume").exit_code == 0
    assert len(lines((tmp_path / "mail").read_bytes())) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_the_note_is_for_its_owner_alone_and_holds_no_mail(interrupted: Path) -> None:
    beside = output.beside(interrupted)
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert json.loads(beside.read_text(encoding="utf-8")).keys() == {
        "mailbox",
        "format",
        "mime",
        "folders",
        "include_removed",
        "done",
    }


def test_an_mbox_goes_on_where_it_ended(synced: Synced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(synced, *"abc", html="From me")
    path = tmp_path / "mail.mbox"
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        export(synced.host, "--format", "mbox", "--output", str(path))
    assert export(synced.host, "--format", "mbox", "--output", str(path), "--resume").exit_code == 0
    assert [mime["Subject"] for mime in read_mbox(path)] == list("abc")
