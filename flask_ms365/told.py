"""Who was told what, so that nobody is told twice. The user '' stands for the host, which is told by a signal."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError

from flask_ms365.models import Told, write_transaction
from flask_ms365.models.base import AnySession


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
