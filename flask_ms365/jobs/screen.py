"""A terminal: lines that stay, and below them one that says what is under way and is drawn anew every second."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from flask_ms365.mailboxes.progress import Progress, progress_of
from flask_ms365.state import State
from flask_ms365.sync.report import RunReport
from flask_ms365.words import visible

_EVERY = 1.0  # seconds between two drawings
_TURN = 5.0  # seconds that each part stands first, where not all fit
_ERASE = "\r\x1b[K"
_BAR = 10  # characters


class Screen:
    """One line only: what others write to the terminal meanwhile is not erased with it.

    :param parts: says what is under way, a short text for each; called by a thread of its own
    """

    def __init__(self, parts: Callable[[], Sequence[str]]) -> None:
        self._parts = parts
        self._writing = threading.Lock()
        self._is_over = threading.Event()

    def print(self, line: str) -> None:
        """Print a line that stays; any thread may."""
        with self._writing:
            click.echo(f"{_ERASE}{line}")

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Draw for the length of the block."""
        threading.Thread(target=self._draw_on, name="ms365-screen", daemon=True).start()
        try:
            yield
        finally:
            with self._writing:
                self._is_over.set()
                click.echo(_ERASE, nl=False)

    def _draw_on(self) -> None:
        while not self._is_over.wait(_EVERY):
            with suppress(SQLAlchemyError, OSError):  # what runs meets the database's trouble, too, and says so
                self._draw(self._parts())

    def _draw(self, parts: Sequence[str]) -> None:
        first = int(time.monotonic() / _TURN) % max(len(parts), 1)
        text = "  ".join([*parts[first:], *parts[:first]])
        width = shutil.get_terminal_size().columns - 1
        with self._writing:
            if not self._is_over.is_set():
                click.echo(f"{_ERASE}{text[:width]}", nl=False)


def under_way(app: Flask, state: State) -> list[str]:
    """Return how far each mailbox is that this process reads now; one statement, where there is any."""
    reports = list(state.runner.under_way.values())
    if not reports:
        return []
    with app.app_context():
        progress = progress_of(state.session, [report.mailbox_id for report in reports])
    return [visible(f"{report.address} {_how_far(report, progress[report.mailbox_id])}") for report in reports]


def _how_far(report: RunReport, progress: Progress) -> str:
    """Return n of m for a reading from the start, and what a run has brought else."""
    if not progress.is_under_way:
        return f"{sum(report.changes.values()):,} messages"
    rate = f", {progress.rate:,.0f}/s" if progress.rate else ""
    left = f", {progress.time_left}" if progress.time_left else ""
    if progress.total is None:
        return f"{progress.read:,} messages{rate}"
    return f"{_bar(progress.read, progress.total)} {progress.read:,} of {progress.total:,}{rate}{left}"


def _bar(read: int, total: int) -> str:
    done = _BAR * read // total if total else 0
    return f"[{'#' * done}{'-' * (_BAR - done)}]"
