"""Messages that could not be read or stored: why, in plain words, how they are tried again, and how given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update

from flask_ms365 import audit
from flask_ms365.models import Mailbox, SetAside, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.processes.process import process_of
from flask_ms365.sync.lease import hurry
from flask_ms365.words import Words

# of more than these a page tells only the number
SHOWN = 50

ABSENT = Words("Microsoft listed it, and then did not find it.")
UNKNOWN = Words("Microsoft answered with an error.")
_REASONS = {
    "ErrorCorruptData": Words("Microsoft says that it is damaged."),
    "ErrorCannotOpenFileAttachment": Words("Microsoft cannot open what is attached to it."),
    "ErrorItemNotFound": ABSENT,
    "tooLarge": Words("It is too large."),
    "refusedByDatabase": Words("The database of this app refused it. The log has the details."),
    "handlerFailed": Words("This app failed when it handled it. The log has the details."),
    "idTooLong": Words("Microsoft gave it an ID that is too long to be stored."),
}


def reason(code: str) -> Words:
    """Return what ``code`` means."""
    if process := process_of(code):
        return Words("The process %(process)s failed over it. The log has the details.", process=process)
    return _REASONS.get(code, UNKNOWN)


def list_set_aside(session: AnySession, mailbox_id: int) -> Sequence[SetAside]:
    """Return the messages of a mailbox that are set aside: first those that are tried next, last the skipped."""
    wanted = select(SetAside).where(SetAside.mailbox_id == mailbox_id)
    in_order = wanted.order_by(SetAside.skipped_at.is_not(None), SetAside.next_try_at, SetAside.id)
    return session.scalars(in_order.limit(SHOWN)).all()


def try_again(session: AnySession, mailbox_id: int, *, now: datetime, row_id: int | None = None) -> int:
    """Let the next sync try all of them again but the skipped ones, or the one with ``row_id``; return how many."""
    which = SetAside.skipped_at.is_(None) if row_id is None else SetAside.id == row_id
    with write_transaction(session):
        # the mailbox before what belongs to it: a sync under way locks them in this order
        hurry(session, mailbox_id, now)
        due = update(SetAside).where(SetAside.mailbox_id == mailbox_id, which)
        return rows_changed(session, due.values(next_try_at=now, skipped_at=None))


def skip(session: AnySession, mailbox: Mailbox, row_id: int, *, now: datetime, actor: str | None) -> int:
    """Give a message up: it is not tried again unless it changes at Microsoft, or somebody asks; return 1, or 0.

    That is in the audit log, without a word of the message.
    """
    mailbox_id, address = mailbox.id, mailbox.address
    given_up = update(SetAside).where(
        SetAside.mailbox_id == mailbox_id, SetAside.id == row_id, SetAside.skipped_at.is_(None)
    )
    with write_transaction(session):
        met = rows_changed(session, given_up.values(skipped_at=now))
        if met:
            detail = {"mailbox_id": mailbox_id, "set_aside_id": row_id}
            audit.record(session, "mailbox.message_skipped", at=now, actor=actor, target=address, **detail)
    return met
