"""The only module that writes mail. A page is one transaction: messages, handlers, cursor and lease, or nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from flask_ms365.graph.types import AttachmentData
from flask_ms365.models import Attachment, Folder, Message, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.sync.changes import Change, Handler
from flask_ms365.sync.lease import Lease, renew, shared_now
from flask_ms365.sync.plan import Known, Write

_AT_ONCE = 500  # ids in one IN list; SQLite of old takes 999 parameters


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where to go on in a folder: ``next_link`` within the round, ``delta_link`` once it ended.

    ``since`` goes with them: a page that left older mail out says so.
    """

    folder_id: int
    since: datetime | None
    next_link: str | None = field(repr=False)
    delta_link: str | None = field(repr=False)


@dataclass(kw_only=True)
class Page:
    """What one transaction writes."""

    writes: Sequence[Write]
    attachments: Mapping[str, Sequence[AttachmentData]] = field(default_factory=dict)
    cursor: Cursor | None = None


class Store:
    """Mail of one mailbox, written under one lease."""

    def __init__(
        self,
        *,
        session: AnySession,
        lease: Lease,
        handlers: Sequence[Handler],
        check_toggle: Callable[[], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._lease = lease
        self._handlers = handlers
        self._check_toggle = check_toggle
        self._clock = clock

    def known(self, graph_ids: Iterable[str]) -> dict[str, Known]:
        """Return what the database has of these messages, and leave no transaction open."""
        ids, found = list(graph_ids), {}
        for start in range(0, len(ids), _AT_ONCE):
            for row in self._session.execute(self._select_known(ids[start : start + _AT_ONCE])):
                found[row.graph_id] = Known(
                    id=row.id,
                    folder_id=row.folder_id,
                    change_key=row.change_key,
                    is_read=row.is_read,
                    is_removed=row.removed_at is not None,
                    seen_round=row.seen_round,
                )
        self._session.commit()
        return found

    def unseen(self, folder_id: int, round_: int, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Return row id and Graph id of messages that a full reading of the folder did not meet."""
        statement = (
            select(Message.id, Message.graph_id)
            .where(Message.folder_id == folder_id, Message.seen_round < round_, Message.removed_at.is_(None))
            .where(Message.id > after)
            .order_by(Message.id)
            .limit(limit)
        )
        rows = [(row.id, row.graph_id) for row in self._session.execute(statement)]
        self._session.commit()
        return rows

    def write(self, page: Page) -> tuple[Counter[Change], list[tuple[int, Change]]]:
        """Store one page; return counts by change, and message ids with changes for signals.

        Raise :exc:`LeaseLost` or :exc:`SyncSwitchedOff`, and whatever a handler raises: then nothing was stored.
        """
        told = [write for write in page.writes if write.change is not None]
        with write_transaction(self._session):
            renew(self._session, self._lease, shared_now(self._session, self._clock()))
            self._check_toggle()
            self._insert([write for write in page.writes if write.row_id is None])
            self._update([write for write in page.writes if write.row_id is not None])
            ids = self._row_ids(told, page.attachments)
            self._replace_attachments(page.attachments, ids)
            self._call_handlers(told, ids)
            if page.cursor is not None:
                self._move_cursor(page.cursor)
        return Counter(write.change for write in told if write.change), [
            (ids[write.graph_id], write.change) for write in told if write.change and write.graph_id in ids
        ]

    def restart(self, folder_id: int, since: datetime | None) -> None:
        """Forget the cursor: the folder is read again from the start, in a new round."""
        self._set_folder(folder_id, next_link=None, delta_link=None, round=Folder.round + 1, since=since)

    def remove_folder(self, folder_id: int) -> None:
        """Mark a folder that is gone; its cursor goes with it."""
        self._set_folder(folder_id, next_link=None, delta_link=None, removed_at=self._clock())

    def _set_folder(self, folder_id: int, **values: Any) -> None:
        with write_transaction(self._session):
            renew(self._session, self._lease, shared_now(self._session, self._clock()))
            changed = update(Folder).where(Folder.id == folder_id).values(**values)
            rows_changed(self._session, changed)

    def _select_known(self, ids: Sequence[str]) -> Any:
        return select(
            Message.id,
            Message.graph_id,
            Message.folder_id,
            Message.change_key,
            Message.is_read,
            Message.removed_at,
            Message.seen_round,
        ).where(Message.mailbox_id == self._lease.mailbox_id, Message.graph_id.in_(ids))

    def _insert(self, writes: Sequence[Write]) -> None:
        rows = [{**write.values, "mailbox_id": self._lease.mailbox_id, "graph_id": write.graph_id} for write in writes]
        if rows:
            self._session.execute(insert(Message.__table__), rows)  # type: ignore[arg-type]

    def _update(self, writes: Sequence[Write]) -> None:
        """Write known rows, those with the same columns in one statement."""
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for write in writes:
            by_columns[tuple(write.values)].append({**write.values, "row_id": write.row_id})
        table: Any = Message.__table__
        for columns, rows in by_columns.items():
            statement = update(table).where(table.c.id == bindparam("row_id"))
            self._session.execute(statement.values({name: bindparam(name) for name in columns}), rows)

    def _row_ids(self, told: Sequence[Write], attachments: Mapping[str, Any]) -> dict[str, int]:
        """Return Graph id -> row id, of new rows only where somebody will ask for them."""
        ids = {write.graph_id: write.row_id for write in told if write.row_id is not None}
        wanted = {write.graph_id for write in told if write.row_id is None}
        if not self._tells_everybody:
            wanted &= attachments.keys()
        if wanted:
            rows = self._session.execute(self._select_known(sorted(wanted)))
            ids |= {row.graph_id: row.id for row in rows}
        return ids

    @property
    def _tells_everybody(self) -> bool:
        from flask_ms365.signals import message_synced

        return bool(self._handlers or message_synced.receivers)

    def _replace_attachments(self, attachments: Mapping[str, Sequence[AttachmentData]], ids: Mapping[str, int]) -> None:
        owners = [ids[graph_id] for graph_id in attachments]
        if not owners:
            return
        gone = delete(Attachment).where(Attachment.message_id.in_(owners))
        rows_changed(self._session, gone)
        rows = [
            {
                "message_id": ids[graph_id],
                "graph_id": item.id,
                "name": item.name,
                "content_type": item.content_type,
                "size": item.size,
                "kind": item.kind,
                "is_inline": item.is_inline,
                "content_id": item.content_id,
            }
            for graph_id, items in attachments.items()
            for item in items
        ]
        if rows:
            self._session.execute(insert(Attachment.__table__), rows)  # type: ignore[arg-type]

    def _call_handlers(self, told: Sequence[Write], ids: Mapping[str, int]) -> None:
        if not self._handlers or not told:
            return
        rows = self._session.scalars(
            select(Message).where(Message.id.in_([ids[write.graph_id] for write in told])),
            execution_options={"populate_existing": True},
        )
        messages = {message.id: message for message in rows}
        for write in told:
            for handler in self._handlers:
                handler(messages[ids[write.graph_id]], write.change or Change.UPDATED)
        self._session.flush()

    def _move_cursor(self, cursor: Cursor) -> None:
        values: dict[str, Any] = {"next_link": cursor.next_link, "since": cursor.since}
        if cursor.delta_link is not None:
            values |= {"delta_link": cursor.delta_link, "synced_at": self._clock()}
        moved = update(Folder).where(Folder.id == cursor.folder_id).values(values)
        rows_changed(self._session, moved)
