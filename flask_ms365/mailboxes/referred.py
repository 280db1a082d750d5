"""Messages that records of the host refer to: what deletes mail without asking about each leaves them alone."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, column, exists, false, inspect, or_, table
from sqlalchemy.exc import IntegrityError

from flask_ms365.mailboxes.deletion import delete_messages
from flask_ms365.models import Message
from flask_ms365.models.base import AnySession, Base


def is_referred_to(session: AnySession) -> ColumnElement[bool]:
    """Return what holds for messages that rows of the host's tables refer to, as the database knows its foreign keys.

    It does, whatever a key would have it do with the host's rows: delete them too, say, or nothing at all.
    """
    inspector = inspect(session.connection())
    referring = []
    for (schema, name), keys in inspector.get_multi_foreign_keys().items():
        ours = [key for key in keys if key["referred_table"] == Message.__tablename__]
        if name in Base.metadata.tables or not ours:
            continue
        for key in ours:
            rows = table(name, *(column(each) for each in key["constrained_columns"]), schema=schema)
            pairs = zip(key["constrained_columns"], key["referred_columns"], strict=True)
            is_same = [rows.c[theirs] == getattr(Message, referred) for theirs, referred in pairs]
            referring.append(exists().where(*is_same))
    return or_(false(), *referring)


def delete_allowed(session: AnySession, ids: Sequence[int]) -> int:
    """Within a transaction: delete messages, in halves where the database refuses, down to those that it refuses.

    Return how many were deleted.
    """
    if not ids:
        return 0
    try:
        with session.begin_nested():
            delete_messages(session, ids)
        return len(ids)
    except IntegrityError:
        if len(ids) == 1:
            return 0
        middle = len(ids) // 2
        return delete_allowed(session, ids[:middle]) + delete_allowed(session, ids[middle:])
