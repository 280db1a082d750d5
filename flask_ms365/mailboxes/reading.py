"""The list of messages: newest first, a page at a time in both ways, at a cost that does not grow with the mail.

No index has all mail of a mailbox in order, only that of a folder: writing mail is what must be quick. So a page is
the newest of the newest of each folder. Mail without a date comes last.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, case, exists, func, select, union_all

from flask_ms365.mailboxes.readers import Rights, readable
from flask_ms365.models import Folder, Mailbox, Message
from flask_ms365.models.base import AnySession

PAGE = 50
CHOICES = 50
# counting takes a row a message, so it ends somewhere
COUNTED = 10_000

_IS_THERE = Message.removed_at.is_(None)


class Place(NamedTuple):
    """A place in a list of messages: that of the message ``id``, whether or not it is still there."""

    received_at: datetime | None
    id: int


@dataclass(frozen=True, kw_only=True)
class MessageList:
    """One page of messages, newest first."""

    messages: Sequence[Message]
    has_newer: bool
    has_older: bool


@dataclass(frozen=True, kw_only=True)
class MailCount:
    """How many messages there are, by folder; where there are more than :data:`COUNTED`, only that."""

    by_folder: dict[int, int]
    is_complete: bool

    @property
    def total(self) -> int:
        return sum(self.by_folder.values())


def mailbox_choices(
    session: AnySession, rights: Rights, *, wanted: int | None = None, containing: str = ""
) -> Sequence[Any]:
    """Return id, address and label of mailboxes that may be read, one's own first; one more than are offered.

    The mailbox ``wanted`` is the first of all, if it may be read. ``containing`` is a part of the address.
    """
    found = select(Mailbox.id, Mailbox.address, Mailbox.label).where(readable(rights))
    if containing:
        found = found.where(Mailbox.address.icontains(containing, autoescape=True))
    is_wanted = case((Mailbox.id == wanted, 0), else_=1)
    # "user" before "system"
    return session.execute(found.order_by(is_wanted, Mailbox.kind.desc(), Mailbox.address).limit(CHOICES + 1)).all()


def folders_with_mail(session: AnySession, mailbox_ids: Sequence[int]) -> Sequence[Any]:
    """Return id, name and mailbox of the folders that hold mail, by name."""
    holds_mail = exists().where(Message.folder_id == Folder.id, _IS_THERE)
    found = select(Folder.id, Folder.name, Folder.mailbox_id).where(Folder.mailbox_id.in_(mailbox_ids), holds_mail)
    return session.execute(found.order_by(Folder.name, Folder.id)).all()


def folders_of(session: AnySession, folder_ids: Sequence[int]) -> Sequence[Any]:
    """Return id and name of these folders, and id and address of their mailboxes."""
    found = select(Folder.id, Folder.name, Folder.mailbox_id, Mailbox.address).join(Mailbox)
    return session.execute(found.where(Folder.id.in_(folder_ids))).all()


def count_messages(session: AnySession, folder_ids: Sequence[int]) -> MailCount:
    """Return how many messages these folders hold; one statement.

    All of them are counted in the index, and those that were removed, which are few, are taken away: looking at each
    row would cost more than all else on the page.
    """
    in_order = select(Message.folder_id).where(Message.folder_id.in_(folder_ids))
    some = in_order.order_by(Message.folder_id, Message.received_at).limit(COUNTED + 1).subquery()
    removed = select(Message.folder_id).where(Message.folder_id.in_(folder_ids), Message.removed_at.is_not(None))
    gone = removed.limit(COUNTED + 1).subquery()
    parts = union_all(
        select(some.c.folder_id, func.count().label("many")).group_by(some.c.folder_id),
        select(gone.c.folder_id, -func.count()).group_by(gone.c.folder_id),
    )
    by_folder: defaultdict[int, int] = defaultdict(int)
    met = 0
    for folder_id, many in session.execute(parts):
        by_folder[folder_id] += many
        met += max(many, 0)
    return MailCount(by_folder=by_folder, is_complete=met <= COUNTED)


def list_messages(
    session: AnySession,
    folder_ids: Sequence[int],
    *,
    before: Place | None = None,
    after: Place | None = None,
) -> MessageList:
    """Return the messages of these folders that come next ``before`` a place, those ``after`` it, or the newest.

    One statement, and one more each where there are very many folders and where mail without a date is met.
    """
    start, is_newer = before or after, before is None and after is not None
    rows = _Walk(session, folder_ids, start, is_newer=is_newer).rows()
    page, has_more = rows[:PAGE], len(rows) > PAGE
    return MessageList(
        messages=page[::-1] if is_newer else page,
        has_newer=has_more if is_newer else start is not None,
        has_older=is_newer or has_more,
    )


class _Walk:
    """A way through mail in order, from ``start`` on, to older or to newer messages."""

    def __init__(
        self,
        session: AnySession,
        folder_ids: Sequence[int],
        start: Place | None,
        *,
        is_newer: bool,
    ) -> None:
        self._session = session
        self._folder_ids = folder_ids
        self._start = start
        self._is_newer = is_newer

    def rows(self) -> Sequence[Message]:
        """Return a page and one more: dated mail before that without a date, or the other way round."""
        is_dated = self._start is None or self._start.received_at is not None
        if self._is_newer:
            found = [] if is_dated else self._undated(PAGE + 1)
            return found if len(found) > PAGE else [*found, *self._dated()][: PAGE + 1]
        found = self._dated() if is_dated else []
        return found if len(found) > PAGE else [*found, *self._undated(PAGE + 1 - len(found))]

    def _dated(self) -> list[Message]:
        parts = [self._of_folder(folder_id) for folder_id in self._nearest_folders()]
        if not parts:
            return []
        found = union_all(*(select(part.subquery()) for part in parts)).subquery()
        wanted = select(Message).join(found, found.c.id == Message.id)
        in_order = wanted.order_by(*self._in_order(found.c.received_at, found.c.id)).limit(PAGE + 1)
        return list(self._session.scalars(in_order))

    def _nearest_folders(self) -> Sequence[int]:
        """Return the folders that a page can have mail of: as many as it has rows, those whose next is next."""
        if len(self._folder_ids) <= PAGE:
            return self._folder_ids
        order = self._in_order(Message.received_at, Message.id)
        at, id_ = (
            select(column).where(Message.folder_id == Folder.id, *self._beyond()).order_by(*order).limit(1)
            for column in (Message.received_at, Message.id)
        )
        nearest = select(Folder.id, at.scalar_subquery().label("at"), id_.scalar_subquery().label("message_id"))
        rows = self._session.execute(nearest.where(Folder.id.in_(self._folder_ids))).all()
        dated = [row for row in rows if row.at is not None]
        dated.sort(key=lambda row: (row.at, row.message_id), reverse=not self._is_newer)
        return [row.id for row in dated[: PAGE + 1]]

    def _of_folder(self, folder_id: int) -> Any:
        found = select(Message.id, Message.received_at).where(Message.folder_id == folder_id, *self._beyond())
        return found.order_by(*self._in_order(Message.received_at, Message.id)).limit(PAGE + 1)

    def _undated(self, limit: int) -> list[Message]:
        found = select(Message).where(Message.folder_id.in_(self._folder_ids), Message.received_at.is_(None), _IS_THERE)
        if self._start is not None and self._start.received_at is None:
            found = found.where(Message.id > self._start.id if self._is_newer else Message.id < self._start.id)
        return list(self._session.scalars(found.order_by(*self._in_order(Message.id)).limit(limit)))

    def _beyond(self) -> list[ColumnElement[bool]]:
        """Return the conditions on dated mail that comes after the start. The first of them is what the index knows."""
        start = self._start
        if start is None or start.received_at is None:
            return [Message.received_at.is_not(None), _IS_THERE]
        at, is_newer = Message.received_at, self._is_newer
        near = at >= start.received_at if is_newer else at <= start.received_at
        if is_newer:
            return [near, (at > start.received_at) | (Message.id > start.id), _IS_THERE]
        return [near, (at < start.received_at) | (Message.id < start.id), _IS_THERE]

    def _in_order(self, *columns: Any) -> list[Any]:
        return [column.asc() if self._is_newer else column.desc() for column in columns]
