"""A message that is open, what is attached to it, and its conversation. What one may not read does not exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import undefer

from flask_ms365.mailboxes.readers import Rights, readable
from flask_ms365.models import Attachment, Folder, Mailbox, Message
from flask_ms365.models.base import AnySession

# of a conversation; the newest
SHOWN = 50


def find_message(session: AnySession, rights: Rights, message_id: int) -> Message | None:
    """Return a message that may be read with these rights, with its text, or None."""
    theirs = select(Message).join(Mailbox, Mailbox.id == Message.mailbox_id).where(readable(rights))
    return session.scalar(theirs.where(Message.id == message_id).options(undefer(Message.body)))


def find_attachment(session: AnySession, rights: Rights, attachment_id: int) -> tuple[Attachment, Message] | None:
    """Return an attachment that may be read with these rights, and its message, or None."""
    theirs = (
        select(Attachment, Message)
        .join(Message, Message.id == Attachment.message_id)
        .join(Mailbox, Mailbox.id == Message.mailbox_id)
        .where(readable(rights), Attachment.id == attachment_id)
    )
    row = session.execute(theirs).one_or_none()
    return None if row is None else (row[0], row[1])


def attachments_of(session: AnySession, message: Message) -> Sequence[Attachment]:
    """Return what is attached to a message, in Microsoft's order."""
    return session.scalars(select(Attachment).where(Attachment.message_id == message.id).order_by(Attachment.id)).all()


def place_of(session: AnySession, message: Message) -> Any:
    """Return the address of the mailbox that a message is in, and the name of its folder."""
    place = select(Mailbox.address, Folder.name.label("folder")).join(Folder, Folder.mailbox_id == Mailbox.id)
    return session.execute(place.where(Folder.id == message.folder_id)).one()


def conversation_of(session: AnySession, message: Message) -> list[tuple[Message, str]]:
    """Return the messages of a conversation in this mailbox, with their folders' names, the oldest first.

    Of a long one the newest, and one more than is shown. What was removed at Microsoft is not among them, unless it is
    ``message``.
    """
    if message.conversation_id is None:
        return []
    found = (
        select(Message, Folder.name)
        .join(Folder, Folder.id == Message.folder_id)
        .where(Message.conversation_id == message.conversation_id, Message.mailbox_id == message.mailbox_id)
        .where(Message.removed_at.is_(None) | (Message.id == message.id))
    )
    newest_first = found.order_by(Message.received_at.is_(None), Message.received_at.desc(), Message.id.desc())
    rows = session.execute(newest_first.limit(SHOWN + 1)).all()
    return [(row[0], row[1]) for row in reversed(rows)]
