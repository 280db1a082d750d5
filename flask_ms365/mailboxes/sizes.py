"""What a mailbox takes in the database: counted once a day, some messages at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import LargeBinary, cast, func, select, update
from sqlalchemy.sql import ColumnElement

from flask_ms365.mailboxes.steps import LongChore, Place
from flask_ms365.models import Attachment, Mailbox, Message
from flask_ms365.models.base import AnySession, rows_changed

_A_DAY = timedelta(days=1)
_A_WHILE = timedelta(minutes=10)
_AT_ONCE = 1000  # messages a step
ROW = 1500  # bytes of a message beside its text, with what the indexes take: near enough


@dataclass(kw_only=True)
class Sizes:
    """Writes ``Mailbox.stored_bytes``."""

    session: AnySession
    clock: Callable[[], datetime]

    def chore(self) -> LongChore:
        """Return the chore that measures one mailbox after another."""
        return LongChore(name="sizes", wanted="", step=self._step, again=_A_WHILE)

    def _step(self, place: Place) -> Place | None:
        """Measure some messages of a mailbox; a place is the mailbox, its last message that was measured, and a sum."""
        mailbox_id = place.get("mailbox") or self._longest_ago()
        if mailbox_id is None:
            return None
        count, last, size = self._measure(mailbox_id, place.get("after", ""))
        total = place.get("bytes", 0) + size
        if count == _AT_ONCE:
            return {"mailbox": mailbox_id, "after": last, "bytes": total}
        measured = {"stored_bytes": total + self._contents(mailbox_id), "measured_at": self.clock()}
        rows_changed(self.session, update(Mailbox).where(Mailbox.id == mailbox_id).values(measured))
        return {}

    def _longest_ago(self) -> int | None:
        """Return the mailbox whose turn it is; one by one, since databases disagree where null stands in an order."""
        in_line = select(Mailbox.id).order_by(Mailbox.measured_at, Mailbox.id).limit(1)
        new = self.session.scalar(in_line.where(Mailbox.measured_at.is_(None)))
        if new is not None:
            return new
        return self.session.scalar(in_line.where(Mailbox.measured_at <= self.clock() - _A_DAY))

    def _measure(self, mailbox_id: int, after: str) -> tuple[int, str, int]:
        """Return of how many messages it is the size, and the id of the last one, in the order of their ids."""
        rows = select(Message.graph_id, (func.coalesce(self._octets(), 0) + ROW).label("size"))
        some = rows.where(Message.mailbox_id == mailbox_id, Message.graph_id > after).order_by(Message.graph_id)
        page = some.limit(_AT_ONCE).subquery()
        count, last, size = self.session.execute(
            select(func.count(), func.max(page.c.graph_id), func.coalesce(func.sum(page.c.size), 0))
        ).one()
        return count, last or after, int(size)

    def _octets(self) -> ColumnElement[Any]:
        """Return how long a text is, as far as the database tells without reading it."""
        dialect = self.session.connection().dialect.name
        if dialect == "postgresql":  # as it lies on the disk, compressed
            return func.pg_column_size(Message.body)
        return func.length(cast(Message.body, LargeBinary) if dialect == "sqlite" else Message.body)

    def _contents(self, mailbox_id: int) -> int:
        """Return what stored attachments take, as Microsoft counts them."""
        stored = select(func.coalesce(func.sum(Attachment.size), 0)).where(
            Attachment.mailbox_id == mailbox_id, Attachment.content_stored_at.is_not(None)
        )
        return int(self.session.scalar(stored) or 0)
