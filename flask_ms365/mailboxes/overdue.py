"""Mailboxes that have had no success for long: an alarm of its own, told once, and over by itself when mail comes.

A mailbox that stores page after page of a first reading is not overdue, however long that takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import ColumnElement, Row, and_, exists, func, or_, select, update

from flask_ms365 import signals
from flask_ms365.models import Heartbeat, Mailbox, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.sync.lease import RUNNABLE
from flask_ms365.sync.report import NEEDS_A_PERSON

_log = logging.getLogger(__name__)

_INTERVALS = 6
_LEAST = timedelta(minutes=30)
_AT_A_TICK = 100


def overdue_before(snapshot: Snapshot, now: datetime) -> datetime | None:
    """Return since when every mailbox must have had a success; None where the sync has not been on for so long."""
    limit = now - max(_LEAST, _INTERVALS * snapshot.sync_interval)
    toggle = snapshot.stored("email_sync")
    was_on = snapshot.is_sync_on and (toggle is None or toggle.changed_at < limit)
    return limit if was_on else None


def is_overdue(mailbox: Mailbox, limit: datetime | None) -> bool:
    """Tell whether a mailbox has had neither a success nor a page since ``limit``, though it was its turn."""
    if limit is None or mailbox.state not in RUNNABLE:
        return False
    signs = (mailbox.created_at, mailbox.last_success_at, mailbox.quota_at)
    return all(at is None or at < limit for at in signs) and (mailbox.fail_count > 0 or mailbox.next_due_at < limit)


def are_overdue(limit: Any) -> ColumnElement[bool]:
    """Return the same for the database, which has an index for either end."""
    return and_(
        # a failed one waits for its next attempt; one that nobody tries stays due
        or_(Mailbox.fail_count > 0, Mailbox.next_due_at < limit),
        Mailbox.state.in_(RUNNABLE),
        Mailbox.created_at < limit,
        or_(Mailbox.last_success_at.is_(None), Mailbox.last_success_at < limit),
        # written with every page
        or_(Mailbox.quota_at.is_(None), Mailbox.quota_at < limit),
    )


def has_ticked(engine: str, limit: datetime) -> ColumnElement[bool]:
    """Return the condition that somebody has ticked since ``limit``: before that no mailbox had its time."""
    return exists().where(Heartbeat.engine == engine, Heartbeat.since < limit)


def count_overdue(session: AnySession, limit: datetime) -> tuple[int, int]:
    """Return how many mailboxes are overdue, and where any is, how many there are to be read at all."""
    overdue = session.scalar(select(func.count()).where(are_overdue(limit))) or 0
    connected = select(func.count()).where(Mailbox.state.in_(RUNNABLE))
    return overdue, (session.scalar(connected) or 0) if overdue else 0


@dataclass(kw_only=True)
class OverdueAlarm:
    """Tells of overdue mailboxes by a signal: once for each, and again only where it needs a person by now."""

    app: Flask
    session: AnySession
    engine: Callable[[], str]
    clock: Callable[[], datetime]

    def tell(self, snapshot: Snapshot) -> None:
        """Send what is to be told; one small statement where nothing is."""
        limit = overdue_before(snapshot, self.clock())
        if limit is None or snapshot.missing_keys:  # what is locked is told of already, and stays as it is
            return
        rows = self.session.execute(self._untold(limit).limit(_AT_A_TICK)).all()
        self.session.commit()
        for row in rows:
            if self._is_first(row):
                self._send(row)

    def _untold(self, limit: datetime) -> Any:
        """Return how to find them. After a night in which nobody ticked all of them get their time first."""
        is_new = or_(Mailbox.overdue_at.is_(None), Mailbox.overdue_at < Mailbox.last_success_at)
        is_worse = and_(
            Mailbox.last_result.in_([str(result) for result in NEEDS_A_PERSON]),
            Mailbox.overdue_cause != Mailbox.last_result,
        )
        columns = (Mailbox.id, Mailbox.last_result, Mailbox.last_success_at, Mailbox.overdue_at, Mailbox.fail_count)
        return select(*columns).where(are_overdue(limit), has_ticked(self.engine(), limit), or_(is_new, is_worse))

    def _is_first(self, row: Row[Any]) -> bool:
        """Write down that it is told; of several processes one does."""
        seen = Mailbox.overdue_at.is_(None) if row.overdue_at is None else Mailbox.overdue_at == row.overdue_at
        told = update(Mailbox).where(Mailbox.id == row.id, seen)
        with write_transaction(self.session):
            return rows_changed(self.session, told.values(overdue_at=self.clock(), overdue_cause=_cause(row))) == 1

    def _send(self, row: Row[Any]) -> None:
        cause = _cause(row)
        told = {"event": "mailbox.overdue", "mailbox_id": row.id, "cause": cause}
        _log.warning("mailbox.overdue", extra=told)
        signals.mailbox_overdue.send(self.app, mailbox_id=row.id, cause=cause, last_success_at=row.last_success_at)


def _cause(row: Row[Any]) -> str:
    """Return how the last run failed; empty where none has come to an end."""
    return row.last_result or "" if row.fail_count else ""
