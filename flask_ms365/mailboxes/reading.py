"""Who may read which mail, and the queries of the message pages. What one may not read does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, tuple_

from flask_ms365.mailboxes.readers import Rights, readable
from flask_ms365.models import Attachment, Folder, Mailbox, Message
from flask_ms365.models.base import AnySession

PAGE = 50


@dataclass(frozen=True, kw_only=True)
class MessageList:
    """One page of messages, newest first, with the folders' names by id."""

    messages: Sequence[Message]
    folders: dict[int, str]
    total: int
    has_older: bool


def readable_mailboxes(session: AnySession, rights: Rights) -> list[Mailbox]:
    """Return the mailboxes that may be read with these rights, by address; one statement."""
    return list(session.scalars(select(Mailbox).where(readable(rights)).order_by(Mailbox.address)))


def list_messages(
    session: AnySession, mailbox_ids: Sequence[int], *, folder_id: int | None, before: int | None
) -> MessageList:
    """Return messages older than the message ``before``, or the newest."""
    wanted: list[ColumnElement[bool]] = [Message.mailbox_id.in_(mailbox_ids), Message.removed_at.is_(None)]
    if folder_id is not None:
        wanted.append(Message.folder_id == folder_id)
    page = select(Message).where(*wanted, *_older_than(session, before))
    rows = session.scalars(
        page.order_by(Message.received_at.is_(None), Message.received_at.desc(), Message.id.desc()).limit(PAGE + 1)
    ).all()
    folders = session.execute(select(Folder.id, Folder.name).where(Folder.mailbox_id.in_(mailbox_ids)))
    return MessageList(
        messages=rows[:PAGE],
        folders={row.id: row.name for row in folders},
        total=session.scalar(select(func.count()).select_from(Message).where(*wanted)) or 0,
        has_older=len(rows) > PAGE,
    )


def find_message(session: AnySession, mailbox_ids: Sequence[int], message_id: int) -> Message | None:
    """Return a message of one of these mailboxes, or None."""
    return session.scalar(select(Message).where(Message.id == message_id, Message.mailbox_id.in_(mailbox_ids)))


def attachments_of(session: AnySession, message: Message) -> Sequence[Attachment]:
    """Return what is attached to a message, in Microsoft's order."""
    return session.scalars(select(Attachment).where(Attachment.message_id == message.id).order_by(Attachment.id)).all()


def _older_than(session: AnySession, before: int | None) -> list[ColumnElement[bool]]:
    """Continue a list after one message; undated mail is kept out of the comparison, since null has no order."""
    start = session.get(Message, before) if before is not None else None
    if start is None:
        return []
    if start.received_at is None:
        return [Message.received_at.is_(None), Message.id < start.id]
    is_older = tuple_(Message.received_at, Message.id) < tuple_(start.received_at, start.id)
    return [or_(is_older, Message.received_at.is_(None))]
