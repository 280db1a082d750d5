"""Delta queries: what changed in a feed since a position, page by page, behind opaque tokens.

A feed is one folder's messages, or the folder tree. A round is what one delta query answers over its pages; the round
after it starts where the first page of this one stood, so that nothing is missed and a change may be seen twice.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from .errors import GraphError

ChangeKind = Literal["created", "updated", "removed"]
FOLDERS = "mailFolders"


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened to an item. `fields` is set where Graph reports these properties alone."""

    kind: ChangeKind
    id: str
    movable_id: str
    fields: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a round: an item as it is when the page is made, or a removal."""

    kind: ChangeKind
    id: str
    shown_id: str
    fields: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaQuery:
    """The options of a first request; links encode them, headers are not among them."""

    select: str | None = None
    change_type: frozenset[str] = frozenset({"created", "updated", "deleted"})
    received_since: tuple[str, datetime] | None = None
    newest_first: bool = False
    top: int | None = None
    expand: bool = False
    hidden_folders: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """What a token stands for: the rest of a round, or, with nothing left to send, the start of the next one."""

    feed: str
    query: DeltaQuery
    next_position: int
    entries: tuple[Entry, ...] = ()
    offset: int = 0
    empty_pages: int = 0
    is_delta: bool = False


@dataclass
class Feed:
    """The changes of a feed in order; a position is how many of them a client has seen."""

    changes: list[Change] = field(default_factory=list)

    def since(self, position: int, *, immutable: bool, lose_round_trips: bool) -> list[Entry]:
        """What changed, each item once."""
        groups: dict[str, list[Change]] = {}
        for change in self.changes[position:]:
            groups.setdefault(change.id if immutable else change.movable_id, []).append(change)
        return [_entry(shown_id, group, lose_round_trips) for shown_id, group in groups.items()]


class Cursors:
    """The tokens of one mailbox: a bounded cache, as Outlook's is. The oldest die first."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._cursors: OrderedDict[str, Cursor] = OrderedDict()
        self._dead: dict[str, GraphError] = {}

    def keep(self, cursor: Cursor) -> str:
        """Give out a token for a cursor."""
        token = f"R0{secrets.token_urlsafe(150)}"
        self._cursors[token] = cursor
        while len(self._cursors) > self._size:
            self._cursors.popitem(last=False)
        return token

    def get(self, token: str, feed: str) -> Cursor:
        """The cursor of a token, or the error that tells the client to start again."""
        if token in self._dead:
            raise self._dead[token]
        cursor = self._cursors.get(token)
        if cursor is None or cursor.feed != feed:
            raise GraphError(410, "SyncStateNotFound", SYNC_STATE_NOT_FOUND)
        return cursor

    def expire(self, feeds: set[str] | None, error: GraphError) -> None:
        """Let the tokens of these feeds (None: of all) die of an error."""
        for token, cursor in list(self._cursors.items()):
            if feeds is None or cursor.feed in feeds:
                del self._cursors[token]
                self._dead[token] = error


SYNC_STATE_NOT_FOUND = "The sync state generation is not found; continuing from it is not possible. Full sync required."


def page(cursor: Cursor, size: int) -> tuple[tuple[Entry, ...], Cursor]:
    """The next entries of a round, and the cursor that follows them."""
    if cursor.empty_pages:
        return (), replace(cursor, empty_pages=cursor.empty_pages - 1)
    end = cursor.offset + size
    entries = cursor.entries[cursor.offset : end]
    if end < len(cursor.entries):
        return entries, replace(cursor, offset=end)
    return entries, replace(cursor, entries=(), offset=0, is_delta=True)


def _entry(shown_id: str, group: list[Change], lose_round_trips: bool) -> Entry:
    last = group[-1]
    kinds = [change.kind for change in group]
    kind: ChangeKind = last.kind
    if kind != "removed" and "created" in kinds:
        # a known defect: what left and came back within one round is reported as gone
        kind = "removed" if lose_round_trips and "removed" in kinds else "created"
    fields = [change.fields for change in group if change.fields is not None]
    partial = frozenset().union(*fields) if len(fields) == len(group) else None
    return Entry(kind, last.id, shown_id, partial)
