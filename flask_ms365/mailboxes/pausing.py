"""Pause a mailbox, resume it, and have it read now.

Whether somebody paused it and whether it needs a sign-in are two things: a mailbox may be both, says the worse of the
two, and is still paused once somebody has signed in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from flask_ms365 import audit
from flask_ms365.errors import SignInNeeded
from flask_ms365.models import Connection, Mailbox, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import DISCONNECTED, RUNNABLE, hurry, take_away


def is_paused(mailbox: Mailbox) -> bool:
    """Tell whether somebody paused it, whatever else holds it up."""
    return mailbox.state == "paused" or mailbox.paused_at is not None


def pause(session: AnySession, mailbox_id: int, *, now: datetime, actor: str | None, **detail: Any) -> bool:
    """Pause a mailbox: a sync under way stores nothing more. Return False where there is nothing to pause.

    ``detail`` goes into the audit log.
    """
    with write_transaction(session):
        mailbox = locked(session, mailbox_id)
        if mailbox is None or is_paused(mailbox):
            return False
        state = mailbox.state if mailbox.state == "sign_in_needed" else "paused"
        take_away(session, mailbox.id, state=state, paused_at=now, paused_by=actor)
        record(session, "mailbox.paused", mailbox, at=now, actor=actor, **detail)
    return True


def resume(session: AnySession, mailbox_id: int, *, now: datetime, actor: str | None, **detail: Any) -> bool:
    """Let a mailbox run again, at once unless it waits after a failure. Return False where it was not paused."""
    with write_transaction(session):
        mailbox = locked(session, mailbox_id)
        if mailbox is None or not is_paused(mailbox):
            return False
        mailbox.paused_at = mailbox.paused_by = None
        if mailbox.state == "paused":
            mailbox.state = "connected"
            _tell_dead_sign_in(session, mailbox)
        session.flush()
        hurry(session, mailbox.id, now)
        record(session, "mailbox.resumed", mailbox, at=now, actor=actor, **detail)
    return True


def sync_now(session: AnySession, mailbox_id: int, *, now: datetime, actor: str | None) -> bool:
    """Let the next tick read a mailbox; return False where it waits: for a person, or after a failure."""
    with write_transaction(session):
        hurry(session, mailbox_id, now)
        runs = select(Mailbox).where(Mailbox.id == mailbox_id, Mailbox.state.in_(RUNNABLE), Mailbox.fail_count == 0)
        mailbox = session.scalar(runs)
        if mailbox is not None:
            record(session, "mailbox.sync_asked", mailbox, at=now, actor=actor)
    return mailbox is not None


def locked(session: AnySession, mailbox_id: int) -> Mailbox | None:
    """Within a transaction: return a mailbox that nobody else changes until the end, None where it is disconnected."""
    mailbox = session.get(Mailbox, mailbox_id, with_for_update=True, populate_existing=True)
    return None if mailbox is None or mailbox.state in DISCONNECTED else mailbox


def record(
    session: AnySession, action: str, mailbox: Mailbox, *, at: datetime, actor: str | None, **detail: Any
) -> None:
    """Within a transaction: write into the audit log what somebody did to a mailbox."""
    audit.record(session, action, at=at, actor=actor, target=mailbox.address, mailbox_id=mailbox.id, **detail)


def _tell_dead_sign_in(session: AnySession, mailbox: Mailbox) -> None:
    """Say that a sign-in is needed where it ended while nobody looked: no run would find out sooner than we know."""
    if mailbox.access == "application":
        return
    connection = session.get(Connection, mailbox.connection_id) if mailbox.connection_id else None
    if connection is not None and not connection.is_dead:
        return
    mailbox.state = "sign_in_needed"
    mailbox.last_error = (connection.error_text if connection else None) or str(SignInNeeded.message)
    mailbox.last_error_code = connection.error_code if connection else None
