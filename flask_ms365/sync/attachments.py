"""Attachments of messages that changed: the same rows for the same attachments, so that links and contents last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select, update

from flask_ms365.graph.types import AttachmentData
from flask_ms365.models import Attachment, AttachmentContent, Message
from flask_ms365.models.base import AnySession, in_batches, rows_changed

_TABLE: Any = Attachment.__table__
_COLUMNS = ("name", "content_type", "size", "kind", "is_inline", "content_id")
# what was tried and stored before is of another content
_AFRESH = {"content_stored_at": None, "content_error": None, "content_attempts": 0, "content_retry_at": None}


def replace_attachments(session: AnySession, attachments: Mapping[int, Sequence[AttachmentData]]) -> None:
    """Within a transaction: let each message (by row id) have these attachments and no others."""
    found = list(_find(session, list(attachments)))
    known = {(row.message_id, row.graph_id): row for row in found if row.id is not None}
    mailboxes = {row.message_id: row.mailbox_id for row in found}
    wanted = {
        (message_id, item.id): _values(mailbox_id, message_id, item)
        for message_id, mailbox_id in mailboxes.items()
        for item in attachments[message_id]
    }
    # inserted before others are deleted: SQLite gives the id of a deleted last row to the next
    _insert(session, [values for key, values in wanted.items() if key not in known])
    _update(session, [(known[key], values) for key, values in wanted.items() if key in known])
    _delete(session, [row.id for key, row in known.items() if key not in wanted])


def _find(session: AnySession, message_ids: Sequence[int]) -> Iterator[Row[Any]]:
    """Yield each message with each of its attachments, or with none."""
    columns = (_TABLE.c.id, _TABLE.c.graph_id, *(_TABLE.c[name] for name in _COLUMNS))
    messages = select(Message.id.label("message_id"), Message.mailbox_id, *columns)
    both = messages.outerjoin(_TABLE, _TABLE.c.message_id == Message.id)
    for some in in_batches(message_ids):
        yield from session.execute(both.where(Message.id.in_(some)))


def _values(mailbox_id: int, message_id: int, item: AttachmentData) -> dict[str, Any]:
    owner = {"mailbox_id": mailbox_id, "message_id": message_id, "graph_id": item.id}
    return owner | {name: getattr(item, name) for name in _COLUMNS}


def _insert(session: AnySession, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        session.execute(insert(_TABLE), rows)


def _update(session: AnySession, both: Sequence[tuple[Row[Any], dict[str, Any]]]) -> None:
    changed = [(row, new) for row, new in both if any(getattr(row, name) != new[name] for name in _COLUMNS)]
    if not changed:
        return
    statement = update(_TABLE).where(_TABLE.c.id == bindparam("row_id"))
    rows = [{"row_id": row.id} | {name: new[name] for name in _COLUMNS} for row, new in changed]
    session.execute(statement.values({name: bindparam(name) for name in _COLUMNS}), rows)
    begin_afresh(session, [row.id for row, new in changed if row.size != new["size"]])


def begin_afresh(session: AnySession, ids: Sequence[int]) -> None:
    """Within a transaction: forget what was stored of attachments, and what was tried."""
    _forget_contents(session, ids)
    for some in in_batches(ids):
        rows_changed(session, update(Attachment).where(Attachment.id.in_(some)).values(_AFRESH))


def _delete(session: AnySession, ids: Sequence[int]) -> None:
    _forget_contents(session, ids)
    for some in in_batches(ids):
        rows_changed(session, delete(Attachment).where(Attachment.id.in_(some)))


def _forget_contents(session: AnySession, ids: Sequence[int]) -> None:
    """Delete them here: a host's SQLite cascades nothing."""
    for some in in_batches(ids):
        rows_changed(session, delete(AttachmentContent).where(AttachmentContent.attachment_id.in_(some)))
