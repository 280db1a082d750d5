"""What is exported: the messages of a mailbox by their ids, a few at a time, with no transaction left open."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, func, select

from flask_ms365.models import Attachment, AttachmentContent, Folder, Message
from flask_ms365.models.base import AnySession

_IDS = 20_000
_AT_ONCE = 100  # messages in memory, with their texts


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Which messages of a mailbox. ``folder_ids`` is None for all folders."""

    mailbox_id: int
    folder_ids: tuple[int, ...] | None = None
    with_removed: bool = False

    def after(self, message_id: int) -> list[ColumnElement[bool]]:
        """Return the conditions on messages, of those with a higher id."""
        which = [Message.mailbox_id == self.mailbox_id, Message.id > message_id]
        if self.folder_ids is not None:
            which.append(Message.folder_id.in_(self.folder_ids))
        return which if self.with_removed else [*which, Message.removed_at.is_(None)]


@dataclass(frozen=True, kw_only=True)
class Mail:
    """A message, ``message``, with its columns; the name of its folder; its attachments with theirs."""

    message: Any
    folder: str
    attachments: Sequence[Any]


def count_mail(session: AnySession, scope: Scope, *, after: int) -> int:
    """Return how many messages there are to export."""
    count = session.scalar(select(func.count()).select_from(Message).where(*scope.after(after)))
    session.commit()
    return count or 0


def read_mail(session: AnySession, scope: Scope, *, after: int) -> Iterator[Mail]:
    """Yield messages in the order of their ids: one that moves meanwhile comes once."""
    while ids := _ids(session, scope, after):
        after = ids[-1]
        for start in range(0, len(ids), _AT_ONCE):
            yield from _read(session, ids[start : start + _AT_ONCE])


def content_of(session: AnySession, attachment_id: int) -> bytes | None:
    """Return what is stored of an attachment."""
    stored = select(AttachmentContent.content).where(AttachmentContent.attachment_id == attachment_id)
    content: bytes | None = session.scalar(stored)
    session.commit()
    return content


def _ids(session: AnySession, scope: Scope, after: int) -> Sequence[int]:
    """Return the ids of many messages: to look up each batch by itself would sort the mailbox for each."""
    ids = select(Message.id).where(*scope.after(after)).order_by(Message.id).limit(_IDS)
    found = session.scalars(ids).all()
    session.commit()
    return found


def _read(session: AnySession, ids: Sequence[int]) -> list[Mail]:
    table: Any = Message.__table__
    messages = (
        select(table, Folder.name.label("folder_name"))
        .join(Folder, Folder.id == table.c.folder_id)
        .where(table.c.id.in_(ids))
    )
    attached = select(Attachment.__table__).where(Attachment.message_id.in_(ids)).order_by(Attachment.id)
    attachments = defaultdict(list)
    for row in session.execute(attached):
        attachments[row.message_id].append(row)
    rows = session.execute(messages.order_by(table.c.id)).all()
    session.commit()
    return [Mail(message=row, folder=row.folder_name, attachments=attachments[row.id]) for row in rows]
