"""Any number of mailboxes beside those that are measured: rows that the database makes, and nobody reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import CTE, Connection, String, cast, func, insert, literal, select

from bench.databases import NOW
from flask_ms365 import models

_FIRST = 1_000_000  # ids below are free for others
_INTERVAL = timedelta(hours=1)


def add_crowd(connection: Connection, count: int, *, state: str = "connected", ahead: timedelta = _INTERVAL) -> None:
    """Add mailboxes that were read to their end, each with a sign-in and an inbox; ``ahead`` is when they are due."""
    last = connection.scalar(select(func.max(models.Mailbox.id))) or 0
    number = _numbers(max(last + 1, _FIRST), count).c.number
    name = literal("user") + cast(number, String)
    text = dict.fromkeys(("tid", "oid", "authority", "client_id"), literal("of nobody"))
    scopes: Any = literal([], models.Connection.__table__.c.scopes.type)
    moments = dict.fromkeys(("created_at", "expires_at", "renewed_at"), literal(NOW))
    _insert(connection, models.Connection, id=number, user_id=name, scopes=scopes, **text, **moments)
    place = {"address": name + "@contoso.example", "connection_id": number, "state": literal(state)}
    read = dict.fromkeys(("created_at", "last_success_at", "folders_listed_at"), literal(NOW))
    due = {"kind": literal("user"), "next_due_at": literal(NOW + ahead)}
    _insert(connection, models.Mailbox, id=number, **place, **read, **due)
    link = literal("of the inbox of ") + name
    _insert(connection, models.Folder, mailbox_id=number, graph_id=name, name=literal("Inbox"), delta_link=link)


def _numbers(start: int, count: int) -> CTE:
    numbers = select(literal(start).label("number")).cte(recursive=True)
    return numbers.union_all(select(numbers.c.number + 1).where(numbers.c.number < start + count - 1))


def _insert(connection: Connection, model: type[models.base.Base], **columns: Any) -> None:
    connection.execute(insert(model).from_select(list(columns), select(*columns.values())))
