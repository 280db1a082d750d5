"""Where an export goes: a file that says beside it how far it is whole, or what stands at the other end of a pipe."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_EVERY = 1.0  # seconds between two notes of how far it is
_MOST_LISTED = 100


class Refused(Exception):
    """What was asked for cannot be done with this file."""


@dataclass(kw_only=True)
class Done:
    """How far an export has come: all messages up to the id ``after``, which are ``offset`` bytes."""

    after: int = 0
    offset: int = 0
    count: int = 0
    # how many messages Microsoft did not give, and the ids of the first ones
    missing: int = 0
    missing_ids: list[int] = field(default_factory=list)


class Output(Protocol):
    """Takes whole messages."""

    done: Done

    def write(self, message_id: int, chunks: Iterable[bytes], *, is_missing: bool) -> None:
        """Take a message."""
        ...

    def finish(self) -> None:
        """Take note that there are no more."""
        ...

    def close(self) -> None:
        """Let go, whatever the reason."""
        ...


class ToStream:
    """Standard output: what it was given is gone."""

    def __init__(self) -> None:
        self.done = Done()
        self._stream: IO[bytes] = sys.stdout.buffer

    def write(self, message_id: int, chunks: Iterable[bytes], *, is_missing: bool) -> None:
        """Write a message."""
        for chunk in chunks:
            self._stream.write(chunk)
        _count(self.done, message_id, is_missing=is_missing)

    def finish(self) -> None:
        """Write what waits to be written."""
        self._stream.flush()

    def close(self) -> None:
        """Leave it to whoever opened it."""


class ToFile:
    """A file that only its owner may read, and beside it, until it is whole, one that says how far it is.

    The second names bytes that are on the disk for sure. What lies beyond them is cut off before an export goes on, and
    comes again: so it has no message twice and none in halves, however it ended.
    """

    def __init__(self, path: Path, what: dict[str, Any], *, is_resumed: bool) -> None:
        self._path, self._beside, self._what = path, beside(path), what
        is_begun = self._beside.exists()
        if is_begun and not is_resumed:
            raise Refused(f"An export to {path} was interrupted: go on with --resume, or delete {self._beside}.")
        if path.exists() and not is_begun:
            raise Refused(f"{path} exists already.")
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600), "r+b")
        try:
            self._hold()
            self.done = _read(self._beside, what) if is_begun else Done()
            self._cut()
        except BaseException:
            self._file.close()
            raise
        self._noted_at = time.monotonic()
        self._note()

    def write(self, message_id: int, chunks: Iterable[bytes], *, is_missing: bool) -> None:
        """Write a message; note how far it is once in a while."""
        for chunk in chunks:
            self._file.write(chunk)
        _count(self.done, message_id, is_missing=is_missing)
        if time.monotonic() - self._noted_at > _EVERY:
            self._note()

    def finish(self) -> None:
        """Make sure of all of it."""
        self._note()
        self._beside.unlink()

    def close(self) -> None:
        """Close the file; what waits to be written may not fit, and counts no more."""
        with suppress(OSError):
            self._file.close()

    def _hold(self) -> None:
        """Keep other exports away until the file is closed; what was noted is read only then, since it may move."""
        if fcntl is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Refused(f"Another export to {self._path} is under way.") from None

    def _cut(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        if size < self.done.offset:
            raise Refused(f"{self._path} is shorter than it was when its export was interrupted.")
        self._file.truncate(self.done.offset)
        self._file.seek(self.done.offset)

    def _note(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self.done.offset = self._file.tell()
        fresh = self._beside.with_name(f"{self._beside.name}.new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as note:
            json.dump({**self._what, "done": asdict(self.done)}, note)
            note.flush()
            os.fsync(note.fileno())
        os.replace(fresh, self._beside)
        self._noted_at = time.monotonic()


def beside(path: Path) -> Path:
    """Return where it is noted how far an export to ``path`` is."""
    return path.with_name(f"{path.name}.resume")


def _count(done: Done, message_id: int, *, is_missing: bool) -> None:
    done.after = message_id
    done.count += 1
    if is_missing:
        done.missing += 1
        done.missing_ids = [*done.missing_ids, message_id][:_MOST_LISTED]


def _read(path: Path, what: dict[str, Any]) -> Done:
    """Return how far an export of the same was; raise :exc:`Refused` where it was one of something else."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        done = Done(**noted.pop("done"))
    except FileNotFoundError:  # another one went on with it, to its end
        raise Refused(f"{path.with_suffix('')} exists already.") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Refused(f"{path} cannot be read. Delete it and the export, and begin anew.") from None
    if noted != what:
        raise Refused(f"{path} is of an export of other mail, or in another format.")
    return done
