"""Which mail a process is for: what came in from others, and began a conversation."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import aliased

from flask_ms365.models import Folder, Message

# what lies there was written in this mailbox
_WRITTEN_HERE = ("sentitems", "drafts", "outbox")


def own_addresses(mailbox: Any) -> list[str]:
    """Return the addresses of a mailbox, or of a row with its columns, in lower case."""
    return [name.lower() for name in (mailbox.address, mailbox.upn) if name]


def first_messages(mailbox_id: int, own: list[str]) -> Any:
    """Return the query for id, date and conversation of all mail that a process may see.

    A message without a conversation is one by itself. What is not stored, nobody knows: the first message is the oldest
    that is.
    """
    older = aliased(Message)
    # Microsoft tells seconds: of two of the same one, what was stored first is older
    is_older = or_(
        older.received_at < Message.received_at,
        and_(older.received_at == Message.received_at, older.id < Message.id),
    )
    is_in_line = older.mailbox_id == mailbox_id, older.conversation_id == Message.conversation_id
    is_written_here = Folder.mailbox_id == mailbox_id, Folder.well_known_name.in_(_WRITTEN_HERE)
    conversation = func.coalesce(Message.conversation_id, Message.graph_id).label("conversation")
    return select(Message.id, Message.received_at, conversation).where(
        Message.mailbox_id == mailbox_id,
        Message.removed_at.is_(None),
        Message.received_at.is_not(None),
        or_(Message.is_draft.is_(None), Message.is_draft.is_(False)),
        Message.folder_id.not_in(select(Folder.id).where(*is_written_here)),
        func.lower(func.coalesce(Message.from_address, "")).not_in(own),
        func.lower(func.coalesce(Message.sender_address, "")).not_in(own),
        ~exists().where(*is_in_line, is_older),
    )
