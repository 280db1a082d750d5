"""The only module that writes mail. A page is one transaction: messages, handlers, cursor and lease, or nothing."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, select, update
from sqlalchemy.orm.attributes import set_committed_value

from flask_ms365.errors import MS365Error
from flask_ms365.graph.quota import Quota
from flask_ms365.graph.types import AttachmentData
from flask_ms365.models import Folder, Message, SearchDue, SetAside, Sighting, write_transaction
from flask_ms365.models.base import AnySession, in_batches, rows_changed
from flask_ms365.models.counts import add_counts
from flask_ms365.models.insert import insert_rows
from flask_ms365.processes.calling import Calling
from flask_ms365.signals import message_synced
from flask_ms365.sync.attachments import replace_attachments
from flask_ms365.sync.changes import Change, Handler
from flask_ms365.sync.lease import Lease, renew
from flask_ms365.sync.page import Aside, HandlerFailed, Page
from flask_ms365.sync.plan import Known, Likeness, Write
from flask_ms365.sync.rows import without_body

_MESSAGE: Any = Message.__table__
_KNOWN = tuple(_MESSAGE.c[name] for name in Known._fields)
# made once: these go with every page, and to make one with its list takes longer than to run it
_ARE_THESE = (
    _MESSAGE.c.mailbox_id == bindparam("mailbox_id"),
    _MESSAGE.c.graph_id.in_(bindparam("graph_ids", expanding=True)),
)
_KNOWN_ROWS = select(*_KNOWN).where(*_ARE_THESE)
_ROW_IDS = select(_MESSAGE.c.graph_id, _MESSAGE.c.id).where(*_ARE_THESE)
_MESSAGES = select(Message).where(*_ARE_THESE)

_FOLDER: Any = Folder.__table__
_FOLDER_SET = update(_FOLDER).where(_FOLDER.c.id == bindparam("row_id"))


class Store:
    """Mail of one mailbox, written under one lease."""

    def __init__(
        self,
        *,
        session: AnySession,
        lease: Lease,
        handlers: Sequence[Handler],
        calling: Calling,
        check_toggle: Callable[[], None],
        clock: Callable[[], datetime],
        quota: Quota,
    ) -> None:
        self._session = session
        self._lease = lease
        self._handlers = handlers
        self._calling = calling
        self._check_toggle = check_toggle
        self._clock = clock
        self._quota = quota
        # whether host and database are asked message by message, which tells what a whole page did not
        self.is_careful = False
        # whether messages are stored with their text
        self.keeps_bodies = True

    def known(self, graph_ids: Iterable[str]) -> dict[str, Known]:
        """Return what the database has of these messages, and leave no transaction open."""
        found: dict[str, Known] = {}
        for ids in in_batches(graph_ids):
            # all at once: to fetch row by row takes twice the time
            found |= {row[1]: Known._make(row) for row in self._session.execute(_KNOWN_ROWS, self._asked(ids)).all()}
        self._session.commit()
        return found

    def lookalikes(self, received_at: Collection[datetime]) -> list[tuple[Known, Likeness]]:
        """Return messages that were received at one of these moments, with what they keep when their id changes."""
        found: list[tuple[Known, Likeness]] = []
        # MySQL's length counts bytes, and SQLite has no char_length
        length: Any = func.length if self._session.connection().dialect.name == "sqlite" else func.char_length
        kept: tuple[Any, ...] = (
            Message.internet_message_id,
            Message.received_at,
            Message.from_address,
            length(Message.body),
        )
        folders = select(Folder.id).where(Folder.mailbox_id == self._lease.mailbox_id)
        for moments in in_batches(received_at):
            alike = select(*_KNOWN, *kept).where(Message.folder_id.in_(folders), Message.received_at.in_(moments))
            for row in self._session.execute(alike):
                found.append((Known._make(row[: len(_KNOWN)]), tuple(row[len(_KNOWN) :])))
        self._session.commit()
        return found

    def unseen(self, folder_id: int, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Return row id and Graph id of messages that a full reading of the folder did not meet."""
        unseen = (
            select(Message.id, Message.graph_id)
            .where(Message.folder_id == folder_id, Message.removed_at.is_(None), Message.id > after)
            .where(~exists().where(Sighting.folder_id == folder_id, Sighting.message_id == Message.id))
        )
        rows = [(row.id, row.graph_id) for row in self._session.execute(unseen.order_by(Message.id).limit(limit))]
        self._session.commit()
        return rows

    def holding_mail(self, folder_ids: Collection[int]) -> set[int]:
        """Return those of the folders of which any message is not marked as removed."""
        live = select(Message.folder_id).where(Message.folder_id.in_(folder_ids), Message.removed_at.is_(None))
        found = set(self._session.scalars(live.distinct()))
        self._session.commit()
        return found

    def doubt_of(self, folder_id: int) -> str | None:
        """Return what people were asked, or answered, about a folder."""
        doubt = self._session.scalar(select(Folder.doubt).where(Folder.id == folder_id))
        self._session.commit()
        return doubt

    def is_emptied(self, folder_id: int, many: int) -> bool:
        """Tell whether a full reading met no message at all of a folder where ``many`` or more are stored."""
        stored = select(func.count()).where(Message.folder_id == folder_id, Message.removed_at.is_(None))
        met = select(Sighting.message_id).where(Sighting.folder_id == folder_id).limit(1)
        is_emptied = self._session.scalar(met) is None and (self._session.scalar(stored) or 0) >= many
        self._session.commit()
        return is_emptied

    def is_careful_with(self, page: Page) -> bool:
        """Tell whether what fails of a page is found out message by message: always where some of it failed before."""
        return self.is_careful or bool(page.taken_back)

    def write(self, page: Page) -> tuple[Counter[Change], list[tuple[int, Change]]]:
        """Store one page; return counts by change, and message ids with changes for signals.

        Raise :exc:`LeaseLost` or :exc:`SyncSwitchedOff`, or :exc:`HandlerFailed`: then nothing was stored.
        """
        told = [write for write in page.writes if write.change is not None]
        with write_transaction(self._session):
            self._hold()
            self._insert([write for write in page.writes if write.row_id is None])
            self._update([write for write in page.writes if write.row_id is not None])
            handlers = [*self._handlers, *self._calling.handlers(told)]
            messages = self._messages(told) if handlers else {}
            ids = {key: message.id for key, message in messages.items()} or self._row_ids(told, page.attachments)
            self._replace_attachments(page.attachments, ids)
            self._keep_aside(page)
            if page.sighted_in is not None:
                self._note_sightings(page.sighted_in, {*page.sighted, *self._ids_of(page.sighted_new).values()})
            self._call_handlers(handlers, told, messages, is_careful=self.is_careful_with(page))
            if page.cursor is not None:
                self._set_folder(page.cursor.folder_id, page.cursor.values)
            changes = Counter(write.change for write in told if write.change)
            counts = {("messages", change.value): count for change, count in changes.items()}
            add_counts(self._session, counts, at=self._clock())
        return changes, [
            (ids[write.graph_id], write.change) for write in told if write.change and write.graph_id in ids
        ]

    def begin_again(self, folder_id: int, **values: Any) -> None:
        """Write columns of a folder that is about to be read or compared anew: what was met so far counts no more."""
        with write_transaction(self._session):
            self._hold()
            rows_changed(self._session, delete(Sighting).where(Sighting.folder_id == folder_id))
            self._set_folder(folder_id, values)

    def write_folder(self, folder_id: int, **values: Any) -> None:
        """Write columns of a folder."""
        with write_transaction(self._session):
            self._hold()
            self._set_folder(folder_id, values)

    def due_aside(self, now: datetime, *, limit: int) -> list[Aside]:
        """Return messages that were set aside and are to be tried again."""
        due = select(SetAside).where(self._is_our_aside, SetAside.next_try_at <= now, SetAside.skipped_at.is_(None))
        found = [_aside(row) for row in self._session.scalars(due.order_by(SetAside.next_try_at).limit(limit))]
        self._session.commit()
        return found

    def all_aside(self) -> dict[str, int]:
        """Return Graph id -> attempts so far, of everything that was set aside."""
        aside = select(SetAside.graph_id, SetAside.attempts).where(self._is_our_aside)
        found = {row.graph_id: row.attempts for row in self._session.execute(aside)}
        self._session.commit()
        return found

    def all_skipped(self) -> set[str]:
        """Return the Graph ids of what a person gave up."""
        skipped = select(SetAside.graph_id).where(self._is_our_aside, SetAside.skipped_at.is_not(None))
        found = set(self._session.scalars(skipped))
        self._session.commit()
        return found

    def _hold(self) -> None:
        """Within a transaction: go on holding the mailbox, and keep the toggle as it is until the end."""
        now = self._clock()
        renew(self._session, self._lease, now, quota_left=self._quota.left, quota_at=now)
        self._check_toggle()

    @property
    def _is_our_aside(self) -> Any:
        return SetAside.mailbox_id == self._lease.mailbox_id

    def _set_folder(self, folder_id: int, values: Mapping[str, Any]) -> None:
        self._session.execute(_FOLDER_SET, {"row_id": folder_id, **values})

    def _insert(self, writes: Sequence[Write]) -> None:
        rows = [self._kept(write) for write in writes]
        insert_rows(self._session, Message.__table__, rows, mailbox_id=self._lease.mailbox_id)

    def _update(self, writes: Sequence[Write]) -> None:
        """Write known rows, those with the same columns in one statement."""
        by_columns: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for write in writes:
            by_columns[tuple(write.values)].append({**self._kept(write), "row_id": write.row_id})
        table: Any = Message.__table__
        for columns, rows in by_columns.items():
            statement = update(table).where(table.c.id == bindparam("row_id"))
            self._session.execute(statement.values({name: bindparam(name) for name in columns}), rows)
        self._index_again([write for write in writes if "subject" in write.values or write.values.get("removed_at")])

    def _index_again(self, writes: Sequence[Write]) -> None:
        """Have search look at messages again that may say something else now, or are gone."""
        if writes:
            self._session.execute(insert(SearchDue), [{"message_id": write.row_id} for write in writes])

    def _kept(self, write: Write) -> dict[str, Any]:
        return write.values if self.keeps_bodies else without_body(write.values)

    def _asked(self, graph_ids: Collection[str]) -> dict[str, Any]:
        return {"mailbox_id": self._lease.mailbox_id, "graph_ids": graph_ids}

    def _row_ids(self, told: Sequence[Write], attachments: Mapping[str, Any]) -> dict[str, int]:
        """Return Graph id -> row id, of new rows only where somebody will ask for them."""
        ids = {write.graph_id: write.row_id for write in told if write.row_id is not None}
        wanted = {write.graph_id for write in told if write.row_id is None}
        if not message_synced.receivers:
            wanted &= attachments.keys()
        return ids | self._ids_of(wanted)

    def _ids_of(self, graph_ids: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for some in in_batches(graph_ids):
            found |= {row.graph_id: row.id for row in self._session.execute(_ROW_IDS, self._asked(some))}
        return found

    def _replace_attachments(self, attachments: Mapping[str, Sequence[AttachmentData]], ids: Mapping[str, int]) -> None:
        if attachments:
            replace_attachments(self._session, {ids[key]: items for key, items in attachments.items() if key in ids})

    def _keep_aside(self, page: Page) -> None:
        """Set aside what is new there, count what failed again, and drop what need no longer be."""
        if page.taken_back:
            gone = delete(SetAside).where(self._is_our_aside, SetAside.graph_id.in_(list(page.taken_back)))
            rows_changed(self._session, gone)
        for aside in page.set_aside:
            again = update(SetAside).where(self._is_our_aside, SetAside.graph_id == aside.graph_id)
            counted = {"code": aside.code, "attempts": aside.attempts, "next_try_at": aside.next_try_at}
            if not rows_changed(self._session, again.values(counted)):
                self._session.execute(insert(SetAside).values(self._new_aside(aside) | counted))

    def _new_aside(self, aside: Aside) -> dict[str, Any]:
        return {
            "mailbox_id": self._lease.mailbox_id,
            "folder_id": aside.folder_id,
            "graph_id": aside.graph_id,
            "subject": aside.subject,
            "received_at": aside.received_at,
            "first_at": self._clock(),
        }

    def _note_sightings(self, folder_id: int, message_ids: Collection[int]) -> None:
        rows = [{"folder_id": folder_id, "message_id": message_id} for message_id in message_ids]
        insert_rows(self._session, Sighting.__table__, rows)

    def _messages(self, told: Sequence[Write]) -> dict[str, Message]:
        """Return the messages that handlers are told of, as the host's own session has them."""
        found: dict[str, Message] = {}
        # the host's session may hold some as they were, but none that is new
        fresh = {"populate_existing": any(write.row_id is not None for write in told)}
        for ids in in_batches(write.graph_id for write in told):
            messages = self._session.scalars(_MESSAGES, self._asked(ids), execution_options=fresh)
            found |= {message.graph_id: message for message in messages}
        if not self.keeps_bodies:
            _lend_bodies(told, found)
        return found

    def _call_handlers(
        self, handlers: Sequence[Handler], told: Sequence[Write], messages: Mapping[str, Message], *, is_careful: bool
    ) -> None:
        if not handlers:
            return
        failed: dict[str, Exception] = {}
        savepoint: Any = None
        for write in told:
            try:
                with self._session.begin_nested() if is_careful else nullcontext() as savepoint:
                    _call(handlers, write, messages[write.graph_id])
            except MS365Error:
                raise
            except Exception as exc:
                failed[write.graph_id] = exc
                # who rolled the whole page back is to blame, and not those that follow
                if savepoint is None or not savepoint.parent.is_active:
                    break
        if failed:
            raise HandlerFailed(failed) from next(iter(failed.values()))
        self._session.flush()


def _call(handlers: Sequence[Handler], write: Write, message: Message) -> None:
    for handler in handlers:
        handler(message, write.change or Change.UPDATED)


def _lend_bodies(told: Sequence[Write], messages: Mapping[str, Message]) -> None:
    """Let handlers read the texts that came with this page, which are not stored."""
    for write in told:
        if "body" in write.values:
            set_committed_value(messages[write.graph_id], "body", write.values["body"])


def _aside(row: SetAside) -> Aside:
    return Aside(
        graph_id=row.graph_id,
        folder_id=row.folder_id,
        code=row.code,
        subject=row.subject,
        received_at=row.received_at,
        attempts=row.attempts,
        next_try_at=row.next_try_at,
    )
