"""Try a process on mail that is stored already, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask_ms365.models import Mailbox, Message, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.processes.calling import call
from flask_ms365.processes.first import first_messages, own_addresses
from flask_ms365.processes.process import Process, Texts

MESSAGES = 20


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What a process would do with a message: its answer, where that is a text, or the kind of its error."""

    message_id: int
    subject: str | None
    sender: str | None
    received_at: datetime | None
    answer: str = ""
    error: str = ""


class _Undone(Exception):
    """Nothing of it is wanted."""


def try_on(session: AnySession, mailbox: Mailbox, process: Process, options: Texts | None) -> list[Trial]:
    """Call ``process`` for the newest messages that it would be called for had it always been on.

    All of it happens in one transaction, which is rolled back.
    """
    firsts = first_messages(mailbox.id, own_addresses(mailbox))
    newest = firsts.order_by(Message.received_at.desc(), Message.id.desc()).limit(MESSAGES)
    with _undone(session):
        trials = [_trial(session, row.id, process, options) for row in session.execute(newest).all()]
    return trials  # noqa: RET504  # what is returned within would be taken for whatever is raised there


@contextmanager
def _undone(session: AnySession) -> Iterator[None]:
    """Run a transaction that is rolled back at its end, whatever happens."""
    try:
        with write_transaction(session):
            yield
            raise _Undone
    except _Undone:
        pass


def _trial(session: AnySession, message_id: int, process: Process, options: Texts | None) -> Trial:
    message = session.get_one(Message, message_id, populate_existing=True)
    answer, error = "", ""
    subject, sender, received_at = message.subject, message.from_address, message.received_at
    savepoint = session.begin_nested()
    try:
        said = call(process, options, message)
        answer = said if isinstance(said, str) else ""
    except Exception as exc:
        error = type(exc).__name__
    if savepoint.is_active:
        savepoint.rollback()
    return Trial(
        message_id=message_id, subject=subject, sender=sender, received_at=received_at, answer=answer, error=error
    )
