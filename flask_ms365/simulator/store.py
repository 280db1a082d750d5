"""What a mailbox remembers: messages, folders, and everything that ever happened to them. Graph reads it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timezone
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from .clock import Clock, utc_now
from .delta import FOLDERS, Change, ChangeKind, Cursor, Cursors, DeltaQuery, Entry, Feed, page
from .errors import GraphError, item_not_found, malformed_id
from .folder import Folder, FolderTree
from .ids import Ids
from .message import Mail, Message
from .traffic import Traffic

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="Store")

_FILTERED_LIMIT = 5_000
_COUNTERS = frozenset({"unreadItemCount", "totalItemCount"})
_NEVER = datetime.min.replace(tzinfo=timezone.utc)


def locked(verb: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Let one thread at a time into a mailbox."""

    @wraps(verb)
    def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self._lock:
            return verb(self, *args, **kwargs)

    return run


class Store:
    """The memory of one mailbox.

    Attributes that change how it behaves:

    - `immutable_ids`: whether `Prefer: IdType="ImmutableId"` is honoured; if not, a move changes the id.
    - `partial_updates`: whether a read toggle arrives in the delta as `id,isRead,parentFolderId` alone,
      and a changed folder as `id` and what changed.
    - `lose_round_trips`: whether a message that left a folder and came back within a round is reported as removed.
    - `duplicates`: whether a round says everything twice. `empty_pages`: how many empty pages a round begins with.
    - `lose_replaced_folders`: whether a folder that was deleted goes unreported where another one has its name by then.
    - `removed_reason`: the reason of `@removed`. `max_page_size`: what Graph grants at most.
    - `largest_answer`: how many bytes a list or page may have before an empty 504 comes in its place; None is no limit.
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
        self._failures: dict[str, GraphError] = {}  # by the id of a message or folder, or message/attachment name
        self._not_in_pages: set[str] = set()
        self._gone_folders: dict[str, Folder] = {}
        self._lagging: list[tuple[str, Change]] | None = None
        self.folders = FolderTree(self._ids)
        self.traffic = Traffic(clock)
        self.immutable_ids = True
        self.partial_updates = True
        self.lose_round_trips = False
        self.lose_replaced_folders = False
        self.duplicates = False
        self.empty_pages = 0
        self.removed_reason = "deleted"
        self.max_page_size = 1000
        self.largest_answer: int | None = None
        for folder in self.folders:
            self._feed(FOLDERS).changes.append(Change("created", folder.id, folder.id))

    @locked
    def message(self, message_id: str) -> Message:
        """The message of an id of either kind."""
        message = self._messages.get(self._movable.get(message_id, message_id))
        if message is None:
            raise item_not_found() if self._ids.is_ours(message_id) else malformed_id()
        return message

    def readable(self, message_id: str) -> Message:
        """The message, unless reading it is made to fail."""
        message = self.message(message_id)
        self.check_readable(message.id)
        return message

    def check_readable(self, key: str) -> None:
        """Raise what reading a message, an attachment or the messages of a folder is made to fail with."""
        if key in self._failures:
            raise self._failures[key]

    def check_page(self, messages: Iterable[Message | None]) -> None:
        """Raise what a page of whole messages fails with, for one of them."""
        if self._not_in_pages:
            for message in messages:
                if message and message.id in self._not_in_pages:
                    self.check_readable(message.id)

    @locked
    def listed(self, folder_id: str | None) -> list[Message]:
        """The messages of a folder, or of all, the newest first."""
        found = [m for m in self._messages.values() if folder_id is None or m.folder_id == folder_id]
        return sorted(found, key=_received_at, reverse=True)

    def shown_id(self, message: Message, *, immutable: bool = True) -> str:
        """The id that a client sees."""
        return message.id if immutable and self.immutable_ids else message.movable_id

    def counts(self, folder: Folder) -> tuple[int, int]:
        """How many messages of a folder there are, and how many of them are unread."""
        unread = self._counts[folder.id, False]
        return unread + self._counts[folder.id, True], unread

    @locked
    def start_round(self, feed: str, query: DeltaQuery, *, immutable: bool) -> Cursor:
        """The first round of a delta query: everything that is there."""
        entries = self._everything(feed, query, immutable and self.immutable_ids)
        return self._round(feed, query, entries)

    @locked
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
        return self._round(feed, cursor.query, [e for e in entries if self._is_wanted(e, cursor)])

    @locked
    def page(self, cursor: Cursor, size: int, token: str | None) -> tuple[tuple[Entry, ...], Cursor, str]:
        """A page of a round, what follows it, and the token for that; unchanged where nothing happened."""
        entries, following = page(cursor, min(size, self.max_page_size))
        if token and not entries and self._cursors.get(token, cursor.feed) == following:
            return entries, following, token
        return entries, following, self._cursors.keep(following)

    @locked
    def current(self, entry: Entry, folder_id: str) -> Message | None:
        """The message of an entry; None if it is not, or no longer, in the folder."""
        message = self._messages.get(entry.id)
        return message if entry.kind != "removed" and message and message.folder_id == folder_id else None

    def _everything(self, feed: str, query: DeltaQuery, immutable: bool) -> list[Entry]:
        if feed == FOLDERS:
            return [Entry("created", f.id, f.id) for f in self.folders if query.hidden_folders or not f.is_hidden]
        late = {change.id for _, change in self._lagging or () if change.kind == "created"}
        found = [m for m in self._messages.values() if m.folder_id == feed and _received(m, query) and m.id not in late]
        if query.newest_first:
            found.sort(key=_received_at, reverse=True)
        limit = min(query.top or len(found), _FILTERED_LIMIT if query.received_since else len(found))
        return [Entry("created", m.id, self.shown_id(m, immutable=immutable)) for m in found[:limit]]

    def _is_wanted(self, entry: Entry, cursor: Cursor) -> bool:
        if cursor.feed == FOLDERS:
            return self._is_wanted_folder(entry, cursor.query)
        if not _is_asked_for(entry, cursor.query):
            return False
        message = self._messages.get(entry.id)
        return entry.kind == "removed" or message is None or _received(message, cursor.query)

    def _is_wanted_folder(self, entry: Entry, query: DeltaQuery) -> bool:
        gone = self._gone_folders.get(entry.id)
        if gone is None:
            return query.hidden_folders or not self.folders.get(entry.id).is_hidden
        is_replaced = any(folder.name == gone.name for folder in self.folders.children(gone.parent_id))
        return not (is_replaced and self.lose_replaced_folders)

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
        received_at: datetime | None,
        *,
        message_id: str | None = None,
        is_read: bool = False,
        is_draft: bool = False,
        flag: str = "notFlagged",
        categories: tuple[str, ...] = (),
    ) -> str:
        now = self._clock()
        message = Message(
            id=self._ids.adopt(message_id) if message_id else self._ids.message(),
            movable_id=self._ids.movable(),
            folder_id=folder_id,
            conversation_id=self._ids.conversation(mail.thread),
            change_key="",
            created_at=now,
            modified_at=now,
            received_at=received_at and received_at.astimezone(timezone.utc).replace(microsecond=0),
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
        self._note(folder_id, Change(kind, message.id, message.movable_id, fields))
        # the folder's counters have changed with it
        self._log_folder("updated", self.folders.get(folder_id), _COUNTERS)

    def _log_folder(self, kind: ChangeKind, folder: Folder, fields: frozenset[str] | None = None) -> None:
        self._note(FOLDERS, Change(kind, folder.id, folder.id, fields if self.partial_updates else None))

    def _note(self, feed: str, change: Change) -> None:
        if self._lagging is None:
            self._feed(feed).changes.append(change)
        else:
            self._lagging.append((feed, change))


def _is_asked_for(entry: Entry, query: DeltaQuery) -> bool:
    if {"removed": "deleted"}.get(entry.kind, entry.kind) not in query.change_type:
        return False
    # a read toggle goes unreported unless isRead was asked for
    return entry.fields is None or query.select is None or "isRead" in query.select.split(",")


def _received(message: Message, query: DeltaQuery) -> bool:
    if query.received_since is None:
        return True
    operator, since = query.received_since
    received_at = _received_at(message)
    return received_at > since or (operator == "ge" and received_at == since)


def _received_at(message: Message) -> datetime:
    return message.received_at or _NEVER
