"""What the tour prints: a line a step, a table of folders, and a bar while mail arrives."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import requests
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from sqlalchemy.exc import SQLAlchemyError

from demo.browser import JourneyError
from demo.letters import Letters

MOST_LINES = 40
MARKS = {True: "[green]✓[/]", False: "[red]✗[/]"}


class Printer:
    """Writes to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, text: str) -> None:
        """Print what follows is about."""
        self._console.print(f"\n[bold]{escape(text)}[/]\n")

    def step(self, label: str, take: Callable[[], str]) -> bool:
        """Take a step; print whether it went well, how long it took, and its remark."""
        started = time.perf_counter()
        is_good, remark = _outcome(take)
        took = time.perf_counter() - started
        self._console.print(f"{MARKS[is_good]} {label:<42}{took:7.2f} s   {escape(remark)}", soft_wrap=True)
        return is_good

    def folders(self, expected: Letters, actual: Letters) -> None:
        """Print how many messages each folder has, in the mailbox and in the database."""
        in_mailbox = Counter(letter.folder for letter in expected.values())
        in_database = Counter(letter.folder for letter in actual.values())
        table = Table("Folder", Column("Mailbox", justify="right"), Column("Database", justify="right"), "")
        for folder in sorted(in_mailbox | in_database):
            there, here = in_mailbox[folder], in_database[folder]
            table.add_row(escape(folder), f"{there:,}", f"{here:,}", MARKS[there == here])
        self._console.print(table)

    def problems(self, lines: list[str]) -> None:
        """Print what does not agree, a line each."""
        for line in lines[:MOST_LINES]:
            self._console.print(f"    {line}", style="red", markup=False, soft_wrap=True)
        if len(lines) > MOST_LINES:
            self._console.print(f"    and {len(lines) - MOST_LINES:,} more", style="red")

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[int], None]]:
        """Show a bar while the block runs; the block says how much is done."""
        columns = (TextColumn("  syncing"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        is_mute = not self._console.is_terminal
        with Progress(*columns, console=self._console, transient=True, disable=is_mute) as progress:
            task = progress.add_task("", total=total)
            yield lambda done: progress.update(task, completed=done)


def _outcome(take: Callable[[], str]) -> tuple[bool, str]:
    try:
        return True, take()
    except (JourneyError, requests.RequestException, SQLAlchemyError) as error:
        return False, str(error)
