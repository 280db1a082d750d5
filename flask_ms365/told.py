"""Who was told what, so that nobody is told twice. The user '' stands for the host, which is told by a signal."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from flask_ms365.models import Told, write_transaction
from flask_ms365.models.base import AnySession, rows_changed


def is_told(session: AnySession, subject: str, *, user_id: str = "") -> bool:
    """Tell whether ``user_id`` knows of ``subject``; one statement."""
    return session.get(Told, (subject, user_id)) is not None


def tell(session: AnySession, subject: str, *, at: datetime, user_id: str = "") -> bool:
    """Write down that ``user_id`` knows of ``subject``; False where that was written before, by any process."""
    if is_told(session, subject, user_id=user_id):
        return False
    try:
        # nothing was read in this transaction: MariaDB refuses what collides with an older reading in its own way
        with write_transaction(session):
            session.execute(insert(Told).values(subject=subject, user_id=user_id, at=at))
    except IntegrityError:  # another process was first
        return False
    return True


def told_of(session: AnySession, subjects: Collection[str]) -> set[tuple[str, str]]:
    """Return subject and user of whoever knows of any of ``subjects``; one statement."""
    known = select(Told.subject, Told.user_id).where(Told.subject.in_(subjects))
    return {(row.subject, row.user_id) for row in session.execute(known)}


def forget(session: AnySession, subject: str, *, user_id: str = "") -> bool:
    """Let it be told anew; False where that was written before, by any process."""
    with write_transaction(session):
        gone = delete(Told).where(Told.subject == subject, Told.user_id == user_id)
        return rows_changed(session, gone) == 1
