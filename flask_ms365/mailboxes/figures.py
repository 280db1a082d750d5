"""What a mailbox's page tells of its folders and its runs, in figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from flask_ms365.mailboxes.progress import Reading, chosen_readings
from flask_ms365.mailboxes.status import MailboxStatus
from flask_ms365.models import SyncRun
from flask_ms365.models.base import AnySession

RUNS = 20


@dataclass(frozen=True, kw_only=True)
class FolderFigures:
    """A folder: whether it is read, how many messages of it are stored, and how far a reading from the start is."""

    name: str
    well_known_name: str | None
    is_read: bool
    stored: int
    # as Microsoft counts; None where only newer mail is wanted, which nobody has counted
    total: int | None
    reading: Reading | None
    read_at: datetime | None
    error_code: str | None


def folder_figures(status: MailboxStatus) -> list[FolderFigures]:
    """Return the folders that are read, the inbox first, and then the others that are there or hold mail."""
    read = chosen_readings(list(status.folders))
    ids = {reading.folder.id for reading in read}
    rest = [row for row in status.folders if row.id not in ids and (not row.removed_at or status.stored.get(row.id))]
    others = sorted(rest, key=lambda row: (row.well_known_name is None, row.name.casefold()))
    return [_figures(reading.folder, reading, status) for reading in read] + [
        _figures(row, None, status) for row in others
    ]


def _figures(folder: Any, reading: Reading | None, status: MailboxStatus) -> FolderFigures:
    return FolderFigures(
        name=folder.name,
        well_known_name=folder.well_known_name,
        is_read=reading is not None,
        stored=status.stored.get(folder.id, 0),
        total=reading.total if reading else folder.total_count,
        reading=reading,
        read_at=folder.synced_at,
        error_code=folder.error_code if reading else None,
    )


@dataclass(frozen=True, kw_only=True)
class RunList:
    """One page of a mailbox's runs, newest first, with the columns of :class:`SyncRun`."""

    runs: Sequence[Row[Any]]
    has_newer: bool
    has_older: bool


def list_runs(session: AnySession, mailbox_id: int, *, before: int | None = None, after: int | None = None) -> RunList:
    """Return the runs next to the run ``before`` or ``after``, or the newest; one statement."""
    columns = (getattr(SyncRun, column.key) for column in SyncRun.__table__.columns)
    page = select(*columns).where(SyncRun.mailbox_id == mailbox_id).limit(RUNS + 1)
    if after is not None:
        rows = session.execute(page.where(SyncRun.id > after).order_by(SyncRun.id)).all()
        return RunList(runs=rows[:RUNS][::-1], has_newer=len(rows) > RUNS, has_older=True)
    older = page.where(SyncRun.id < before) if before is not None else page
    rows = session.execute(older.order_by(SyncRun.id.desc())).all()
    return RunList(runs=rows[:RUNS], has_newer=before is not None, has_older=len(rows) > RUNS)
