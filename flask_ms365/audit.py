"""The audit log: what happened, who did it, and by which door they came in. It is only ever added to."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timezone
from typing import Any, Literal

from flask import current_app, g
from sqlalchemy import ColumnElement, Row, or_, select

from flask_ms365 import signals
from flask_ms365.models import AuditEvent
from flask_ms365.models.base import AnySession, after_commit

Door = Literal["page", "cli", "code"]

PAGE = 50
_BATCH = 500


def came_in_by(door: Door, *, ip: str | None = None) -> None:
    """Remember, for the rest of this app context, how whoever acts in it came in. Unless told it is the host's code."""
    g.ms365_door, g.ms365_ip = door, ip


def command_line_user() -> str | None:
    """Return who runs this process, as the operating system knows them; None where it does not."""
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's number without a name; Windows without USERNAME
        return None


def record(
    session: AnySession, action: str, *, at: datetime, actor: str | None, target: str | None = None, **detail: Any
) -> None:
    """Write one event with the transaction under way; hosts hear of it after the commit.

    ``action`` is ``area.what``, such as ``mailbox.connected``. No secret may be among ``detail``.
    """
    event: dict[str, Any] = {
        "at": at,
        "actor": actor,
        "door": g.get("ms365_door", "code"),
        "ip": g.get("ms365_ip"),
        "action": action,
        "target": target,
        "detail": detail,
    }
    session.add(AuditEvent(**event))
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    after_commit(session, lambda: signals.audit_event.send(app, **event))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which events: between two days (UTC, both included), of actors whose name has ``who`` in it, of some areas."""

    since: date | None = None
    until: date | None = None
    who: str = ""
    areas: tuple[str, ...] = ()

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """What a query has to ask for."""
        conditions: list[ColumnElement[bool]] = []
        if self.since:
            conditions.append(AuditEvent.at >= datetime.combine(self.since, time.min, timezone.utc))
        if self.until:
            conditions.append(AuditEvent.at <= datetime.combine(self.until, time.max, timezone.utc))
        if self.who:
            conditions.append(AuditEvent.actor.icontains(self.who, autoescape=True))
        if self.areas:
            conditions.append(or_(*(AuditEvent.action.startswith(f"{area}.") for area in self.areas)))
        return conditions


@dataclass(frozen=True, kw_only=True)
class EventList:
    """One page of events, newest first; each has the columns of :class:`AuditEvent`."""

    events: Sequence[Row[Any]]
    has_newer: bool
    has_older: bool


# rows, not objects: what is only read need not burden the host's session
_COLUMNS = tuple(getattr(AuditEvent, column.key) for column in AuditEvent.__table__.columns)


def list_events(
    session: AnySession, wanted: Wanted, *, before: int | None = None, after: int | None = None
) -> EventList:
    """Return the events next to the event ``before`` or ``after``, or the newest; one statement."""
    page = select(*_COLUMNS).where(*wanted.conditions).limit(PAGE + 1)
    if after is not None:
        rows = session.execute(page.where(AuditEvent.id > after).order_by(AuditEvent.id)).all()
        return EventList(events=rows[:PAGE][::-1], has_newer=len(rows) > PAGE, has_older=True)
    older = page.where(AuditEvent.id < before) if before is not None else page
    rows = session.execute(older.order_by(AuditEvent.id.desc())).all()
    return EventList(events=rows[:PAGE], has_newer=before is not None, has_older=len(rows) > PAGE)


def all_events(session: AnySession, wanted: Wanted) -> Iterator[Row[Any]]:
    """Yield events, newest first, a batch at a time: a slow reader holds neither a transaction nor much memory."""
    page = select(*_COLUMNS).where(*wanted.conditions).order_by(AuditEvent.id.desc()).limit(_BATCH)
    rows = session.execute(page).all()
    while rows:
        session.commit()
        yield from rows
        rows = session.execute(page.where(AuditEvent.id < rows[-1].id)).all() if len(rows) == _BATCH else ()
