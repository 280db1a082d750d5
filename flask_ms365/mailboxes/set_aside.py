"""Messages that could not be read or stored: why, in plain words, and how they are tried again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update

from flask_ms365.models import SetAside, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
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
    return _REASONS.get(code, UNKNOWN)


def count_set_aside(session: AnySession, mailbox_ids: Sequence[int]) -> dict[int, int]:
    """Return how many messages of each mailbox are set aside, where there are any; one statement."""
    counted = select(SetAside.mailbox_id, func.count()).where(SetAside.mailbox_id.in_(mailbox_ids))
    return {row[0]: row[1] for row in session.execute(counted.group_by(SetAside.mailbox_id))}


def list_set_aside(session: AnySession, mailbox_id: int) -> Sequence[SetAside]:
    """Return the messages of a mailbox that are set aside, those first that are tried next."""
    wanted = select(SetAside).where(SetAside.mailbox_id == mailbox_id)
    return session.scalars(wanted.order_by(SetAside.next_try_at, SetAside.id).limit(SHOWN)).all()


def try_again(session: AnySession, mailbox_id: int, *, now: datetime) -> int:
    """Let the next sync try all of them again; return how many there are."""
    with write_transaction(session):
        # the mailbox before what belongs to it: a sync under way locks them in this order
        hurry(session, mailbox_id, now)
        due = update(SetAside).where(SetAside.mailbox_id == mailbox_id)
        return rows_changed(session, due.values(next_try_at=now))
