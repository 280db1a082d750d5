"""A mailbox: its folders and messages, and the verbs that change them while a client is watching."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timezone
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from .clock import Clock, utc_now
from .compose import AnyMail, compose, fabricate, read
from .delta import (
    FOLDERS,
    SYNC_STATE_NOT_FOUND,
    Change,
    ChangeKind,
    Cursor,
    Cursors,
    DeltaQuery,
    Entry,
    Feed,
    page,
)
from .errors import GraphError, item_not_found, malformed_id
from .folder import Folder, FolderTree
from .ids import Ids
from .loader import LoadReport, load_directory
from .message import Mail, Message, MessageRecord, record
from .traffic import Traffic, throttled

P = ParamSpec("P")
R = TypeVar("R")

_READ_TOGGLE = frozenset({"isRead", "parentFolderId"})
_FILTERED_LIMIT = 5_000


def _locked(verb: Callable[Concatenate[Mailbox, P], R]) -> Callable[Concatenate[Mailbox, P], R]:
    @wraps(verb)
    def run(self: Mailbox, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            return verb(self, *args, **kwargs)

    return run


class Mailbox:
    """A mailbox of Exchange Online.

    A `folder` is a well-known name ("inbox"), a folder id, a display name or a path ("Projects/2026"). A message is
    known by its immutable id; every verb takes the other kind of id, too.

    Attributes that change how it behaves:

    - `immutable_ids`: whether `Prefer: IdType="ImmutableId"` is honoured; if not, a move changes the id.
    - `partial_updates`: whether a read toggle arrives in the delta as `id,isRead,parentFolderId` alone.
    - `lose_round_trips`: whether a message that left a folder and came back within a round is reported as removed.
    - `duplicates`: whether a round says everything twice. `empty_pages`: how many empty pages a round begins with.
    - `removed_reason`: the reason of `@removed`. `max_page_size`: what Graph grants at most.
    """

    def __init__(self, address: str, clock: Clock = utc_now) -> None:
        self.address = address
        self._clock = clock
        self._lock = threading.RLock()
        self._ids = Ids(address)
        self._messages: dict[str, Message] = {}
        self._movable: dict[str, str] = {}
        self._counts: Counter[tuple[str, bool]] = Counter()
        self._feeds: dict[str, Feed] = {}
        self._cursors = Cursors()
        self._failures: dict[str, GraphError] = {}
        self.folders = FolderTree(self._ids)
        self.traffic = Traffic(clock)
        self.immutable_ids = True
        self.partial_updates = True
        self.lose_round_trips = False
        self.duplicates = False
        self.empty_pages = 0
        self.removed_reason = "deleted"
        self.max_page_size = 1000
        for folder in self.folders:
            self._feed(FOLDERS).changes.append(Change("created", folder.id, folder.id))

    # messages

    def deliver(
        self,
        mail: AnyMail | None = None,
        *,
        folder: str = "inbox",
        received_at: datetime | None = None,
        is_read: bool = False,
        is_draft: bool = False,
        flag: str = "notFlagged",
        categories: Iterable[str] = (),
        **written: Any,
    ) -> str:
        """Put a message into a folder and return its id.

        The mail is an `EmailMessage`, bytes, a path, or is written from keywords (`subject`, `text`, `html`, `sender`,
        `to`, `cc`, `bcc`, `reply_to`, `attachments`, …: see `compose`).
        """
        content = read(mail) if mail is not None else self._written(written)
        with self._lock:
            return self._add(
                content,
                self.folders.find(folder).id,
                received_at or content.received_at or content.sent_at or self._clock(),
                is_read=is_read,
                is_draft=is_draft,
                flag=flag,
                categories=tuple(categories),
            )

    @_locked
    def deliver_many(self, count: int, body_size: int = 8000, folders: Sequence[str] = ("inbox",)) -> list[str]:
        """Fabricate distinct, plausible messages, spread over the folders in turn."""
        targets = itertools.cycle([self.folders.find(name).id for name in folders])
        mails = fabricate(count, body_size, self._clock().replace(microsecond=0))
        return [self._add(mail, next(targets), received_at) for mail, received_at in mails]

    @_locked
    def move(self, message_id: str, folder: str) -> str:
        """Move a message and return the id it has then: the same one, with immutable ids."""
        message = self.message(message_id)
        target = self.folders.find(folder)
        if target.id == message.folder_id:
            return self.shown_id(message)
        self._log(message.folder_id, "removed", message)
        del self._movable[message.movable_id]
        moved = replace(message, folder_id=target.id, movable_id=self._ids.movable())
        self._store(message, moved, "created")
        return self.shown_id(moved)

    @_locked
    def delete(self, message_id: str, permanently: bool = True) -> None:
        """Delete a message for good, or move it to Deleted Items."""
        if not permanently:
            self.move(message_id, "deleteditems")
            return
        message = self.message(message_id)
        del self._messages[message.id], self._movable[message.movable_id]
        self._counts[message.folder_id, message.is_read] -= 1
        self._log(message.folder_id, "removed", message)

    @_locked
    def mark_read(self, message_id: str, is_read: bool = True) -> None:
        """Mark a message read or unread. Exchange leaves its modification time alone."""
        message = self.message(message_id)
        fields = _READ_TOGGLE if self.partial_updates else None
        self._store(message, replace(message, is_read=is_read), "updated", fields)

    @_locked
    def update(
        self,
        message_id: str,
        *,
        subject: str | None = None,
        flag: str | None = None,
        categories: Iterable[str] | None = None,
        importance: str | None = None,
    ) -> None:
        """Change a message as a person in Outlook does; what is None stays."""
        message = self.message(message_id)
        mail = message.mail
        changed = replace(
            message,
            mail=replace(
                mail,
                subject=mail.subject if subject is None else subject,
                importance=importance or mail.importance,
            ),
            flag_status=flag or message.flag_status,
            categories=message.categories if categories is None else tuple(categories),
            modified_at=self._clock(),
        )
        self._store(message, changed, "updated")

    @_locked
    def messages(self, folder: str | None = None) -> list[MessageRecord]:
        """Every message as Graph would tell it, the oldest delivery first."""
        only = self.folders.find(folder).id if folder else None
        found = [m for m in self._messages.values() if only is None or m.folder_id == only]
        return [record(m, self.shown_id(m), self.folders.get(m.folder_id).name) for m in found]

    def load(self, directory: str | Path) -> LoadReport:
        """Read .eml, .mbox and Maildir below a directory; what cannot be read is reported, never raised."""
        return load_directory(self, Path(directory))

    # folders

    @_locked
    def create_folder(self, name: str, parent: str | None = None, *, hidden: bool = False, search: bool = False) -> str:
        """Make a folder and return its id."""
        parent_id = self.folders.find(parent).id if parent else self.folders.root.id
        folder = self.folders.add(name, parent_id, is_hidden=hidden, is_search=search)
        self._log_folder("created", folder)
        return folder.id

    @_locked
    def rename_folder(self, folder: str, name: str) -> None:
        """Give a folder another display name."""
        self._log_folder("updated", self.folders.change(self.folders.find(folder), name=name))

    @_locked
    def move_folder(self, folder: str, parent: str | None) -> None:
        """Put a folder below another one; None is the top."""
        parent_id = self.folders.find(parent).id if parent else self.folders.root.id
        self._log_folder("updated", self.folders.change(self.folders.find(folder), parent_id=parent_id))

    @_locked
    def delete_folder(self, folder: str) -> None:
        """Delete a folder, the folders below it and all their messages, for good."""
        for gone in self.folders.remove(self.folders.find(folder)):
            for message in [m for m in self._messages.values() if m.folder_id == gone.id]:
                del self._messages[message.id], self._movable[message.movable_id]
            self._feeds.pop(gone.id, None)
            self._counts[gone.id, True] = self._counts[gone.id, False] = 0
            self._log_folder("removed", gone)

    # faults

    @_locked
    def expire_cursors(self, folder: str | None = None, status: int = 410, code: str = "SyncStateNotFound") -> None:
        """Let the delta and next links given out so far die; without a folder those of the whole mailbox."""
        feeds = {self.folders.find(folder).id} if folder else None
        self._cursors.expire(feeds, GraphError(status, code, SYNC_STATE_NOT_FOUND))

    def throttle(
        self,
        times: int | None = 1,
        retry_after: float | str | None = 1,
        status: int = 429,
        code: str | None = "ApplicationThrottled",
    ) -> None:
        """Refuse the next calls. `retry_after` goes out as it is: a number, a date, nonsense, or None for no header."""
        self.traffic.fail(throttled(None if retry_after is None else str(retry_after), status, code), times)

    def fail(self, status: int, code: str | None = None, message: str = "", times: int | None = 1) -> None:
        """Answer the next calls with an error; `times` None means until `stop_failing`."""
        self.traffic.fail(GraphError(status, code, message), times)

    def drop_connection(self, times: int | None = 1) -> None:
        """Hang up on the next calls."""
        self.traffic.fail(None, times)

    def stop_failing(self) -> None:
        """Forget the scripted faults of the mailbox and of its messages."""
        self.traffic.clear()
        self._failures.clear()

    @_locked
    def fail_message(self, message_id: str, status: int = 500, code: str = "ErrorCorruptData") -> None:
        """Let every read of one message fail; lists and deltas still name it."""
        error = GraphError(status, code, "The data of the item is corrupt.")
        self._failures[self.message(message_id).id] = error

    def hold(self) -> AbstractContextManager[Traffic]:
        """Keep calls waiting inside the mailbox while the block runs."""
        return self.traffic.hold()

    @property
    def max_concurrency(self) -> int | None:
        """How many calls of one app are let in at a time; None is no limit."""
        return self.traffic.max_concurrency

    @max_concurrency.setter
    def max_concurrency(self, calls: int | None) -> None:
        self.traffic.max_concurrency = calls

    @property
    def quota(self) -> int | None:
        """How many calls of one app are let in within ten minutes (Microsoft: 10,000); None is no limit."""
        return self.traffic.quota

    @quota.setter
    def quota(self, calls: int | None) -> None:
        self.traffic.quota = calls

    # what Graph reads

    @_locked
    def message(self, message_id: str) -> Message:
        """The message of an id of either kind."""
        message = self._messages.get(self._movable.get(message_id, message_id))
        if message is None:
            raise item_not_found() if self._ids.is_ours(message_id) else malformed_id()
        return message

    def readable(self, message_id: str) -> Message:
        """The message, unless reading it is made to fail."""
        message = self.message(message_id)
        if message.id in self._failures:
            raise self._failures[message.id]
        return message

    @_locked
    def listed(self, folder_id: str | None) -> list[Message]:
        """The messages of a folder, or of all, the newest first."""
        found = [m for m in self._messages.values() if folder_id is None or m.folder_id == folder_id]
        return sorted(found, key=lambda m: m.received_at, reverse=True)

    def shown_id(self, message: Message, *, immutable: bool = True) -> str:
        """The id that a client sees."""
        return message.id if immutable and self.immutable_ids else message.movable_id

    def counts(self, folder: Folder) -> tuple[int, int]:
        """How many messages of a folder there are, and how many of them are unread."""
        unread = self._counts[folder.id, False]
        return unread + self._counts[folder.id, True], unread

    @_locked
    def start_round(self, feed: str, query: DeltaQuery, *, immutable: bool) -> Cursor:
        """The first round of a delta query: everything that is there."""
        entries = self._everything(feed, query, immutable and self.immutable_ids)
        return self._round(feed, query, entries)

    @_locked
    def resume(self, token: str, feed: str, *, immutable: bool) -> Cursor:
        """The cursor of a token: the rest of its round, or a round of what changed since."""
        cursor = self._cursors.get(token, feed)
        if not cursor.is_delta:
            return cursor
        entries = self._feed(feed).since(
            cursor.next_position,
            immutable=immutable and self.immutable_ids,
            lose_round_trips=self.lose_round_trips,
        )
        return self._round(feed, cursor.query, [e for e in entries if _wanted(e, cursor.query)])

    @_locked
    def page(self, cursor: Cursor, size: int, token: str | None) -> tuple[tuple[Entry, ...], Cursor, str]:
        """A page of a round, what follows it, and the token for that; unchanged where nothing happened."""
        entries, following = page(cursor, min(size, self.max_page_size))
        if token and not entries and self._cursors.get(token, cursor.feed) == following:
            return entries, following, token
        return entries, following, self._cursors.keep(following)

    @_locked
    def current(self, entry: Entry, folder_id: str) -> Message | None:
        """The message of an entry; None if it is not, or no longer, in the folder."""
        message = self._messages.get(entry.id)
        return message if entry.kind != "removed" and message and message.folder_id == folder_id else None

    def _everything(self, feed: str, query: DeltaQuery, immutable: bool) -> list[Entry]:
        if feed == FOLDERS:
            return [Entry("created", folder.id, folder.id) for folder in self.folders if not folder.is_hidden]
        found = [m for m in self._messages.values() if m.folder_id == feed and _received(m, query)]
        if query.newest_first:
            found.sort(key=lambda m: m.received_at, reverse=True)
        limit = min(query.top or len(found), _FILTERED_LIMIT if query.received_since else len(found))
        return [Entry("created", m.id, self.shown_id(m, immutable=immutable)) for m in found[:limit]]

    def _round(self, feed: str, query: DeltaQuery, entries: list[Entry]) -> Cursor:
        return Cursor(
            feed=feed,
            query=query,
            next_position=len(self._feed(feed).changes),
            entries=tuple(entries * 2 if self.duplicates else entries),
            empty_pages=self.empty_pages,
        )

    def _feed(self, name: str) -> Feed:
        return self._feeds.setdefault(name, Feed())

    def _add(
        self,
        mail: Mail,
        folder_id: str,
        received_at: datetime,
        *,
        is_read: bool = False,
        is_draft: bool = False,
        flag: str = "notFlagged",
        categories: tuple[str, ...] = (),
    ) -> str:
        now = self._clock()
        message = Message(
            id=self._ids.message(),
            movable_id=self._ids.movable(),
            folder_id=folder_id,
            conversation_id=self._ids.conversation(mail.thread),
            change_key="",
            created_at=now,
            modified_at=now,
            received_at=received_at.astimezone(timezone.utc).replace(microsecond=0),
            mail=mail,
            is_read=is_read,
            is_draft=is_draft,
            flag_status=flag,
            categories=categories,
        )
        self._store(None, message, "created")
        return self.shown_id(message)

    def _store(
        self, before: Message | None, after: Message, kind: ChangeKind, fields: frozenset[str] | None = None
    ) -> None:
        after = replace(after, change_key=self._ids.change_key())
        self._messages[after.id] = after
        self._movable[after.movable_id] = after.id
        if before:
            self._counts[before.folder_id, before.is_read] -= 1
        self._counts[after.folder_id, after.is_read] += 1
        self._log(after.folder_id, kind, after, fields)

    def _log(self, folder_id: str, kind: ChangeKind, message: Message, fields: frozenset[str] | None = None) -> None:
        self._feed(folder_id).changes.append(Change(kind, message.id, message.movable_id, fields))
        # the folder's counters have changed with it
        self._log_folder("updated", self.folders.get(folder_id))

    def _log_folder(self, kind: ChangeKind, folder: Folder) -> None:
        self._feed(FOLDERS).changes.append(Change(kind, folder.id, folder.id))

    def _written(self, written: dict[str, Any]) -> Mail:
        return compose(**{"to": [self.address], "sent_at": self._clock().replace(microsecond=0), **written})


def _wanted(entry: Entry, query: DeltaQuery) -> bool:
    if {"removed": "deleted"}.get(entry.kind, entry.kind) not in query.change_type:
        return False
    # a read toggle goes unreported unless isRead was asked for
    return entry.fields is None or query.select is None or "isRead" in query.select.split(",")


def _received(message: Message, query: DeltaQuery) -> bool:
    if query.received_since is None:
        return True
    operator, since = query.received_since
    return message.received_at > since or (operator == "ge" and message.received_at == since)
