"""Decide what a page means. Pure: values in, values out, no database and no network.

===========================  =================================  ==========================================
Graph says                   we know the message                so we
===========================  =================================  ==========================================
an item, in full             not                                store it: CREATED
an item, in full             by another id, which is gone       keep its row, under the new id: MOVED
an item, too old             not                                leave it out
an item, in part             or not                             read it in full first
an item                      here, the same                     do nothing
an item                      here, otherwise                    write it: UPDATED
an item, read state only     here                               write that: UPDATED
an item                      in another folder                  file it here: MOVED
an item                      as removed                         bring it back: MOVED or UPDATED
``@removed``                 in another folder by now           do nothing
``@removed``, gone           not, or as removed                 do nothing
``@removed``, elsewhere      not, or as removed                 read it, as any item (came, went, came back)
``@removed``, gone           here                               mark it: REMOVED
``@removed``, elsewhere      here                               read it and file it there: MOVED
``@removed``, not selected   here                               file it there and mark it: REMOVED
``@removed``, still here     here                               read it, as any item (moved away and back)
===========================  =================================  ==========================================
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from flask_ms365.graph.types import MessageData, Outline
from flask_ms365.sync.changes import Change
from flask_ms365.sync.rows import is_complete, message_values, says_only_read_state

# why a row says that its message was removed
DELETED, UNSELECTED = "deleted", "unselected"


class Known(NamedTuple):
    """What the database has of a message."""

    id: int
    graph_id: str
    folder_id: int
    change_key: str | None
    is_read: bool | None
    removed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class FolderRef:
    """A folder of the mailbox, as far as planning needs it."""

    id: int
    is_selected: bool
    # mail that was received before then is left out, unless we know it already
    since: datetime | None = None


class Write(msgspec.Struct, kw_only=True, gc=False):
    """One row to write. ``row_id`` is None for a new one; ``change`` is None where no handler need know."""

    graph_id: str
    row_id: int | None
    values: dict[str, Any]
    change: Change | None


# Message-ID, received, sender and size of the body: what a message keeps when its id changes. Without a size where the
# body is not stored.
Likeness = tuple[str | None, datetime | None, str | None, int | None]


def merge(items: Iterable[MessageData]) -> dict[str, MessageData]:
    """Return one item a message: a page may repeat a message, and the last word counts, property by property."""
    merged: dict[str, MessageData] = {}
    for item in items:
        before = merged.get(item.id)
        is_addition = before is not None and before.removed is None and item.removed is None
        merged[item.id] = _overlay(before, item) if is_addition and before is not None else item
    return merged


def to_read_in_full(items: Mapping[str, MessageData], known: Mapping[str, Known], folder: FolderRef) -> list[str]:
    """Return the ids whose items say too little: a property that was left out is not null."""
    return [
        key
        for key, item in items.items()
        if item.removed is None and not is_complete(item) and not _says_enough(item, known.get(key), folder)
    ]


def likeness_of(item: MessageData) -> Likeness:
    """Return what tells a message that came under a new id; most have a Message-ID, but copies share it."""
    sender = item.sent_from.email_address.address if item.sent_from else None
    received_at = item.received_date_time or None
    body = (item.body.content if item.body else None) or ""
    return item.internet_message_id or None, received_at, sender, len(body)


def without_size(likeness: Likeness) -> Likeness:
    """Return what is left of it where the body is not stored."""
    return (*likeness[:3], None)


def pair_up(arrivals: Iterable[MessageData], likenesses: Mapping[str, Likeness]) -> dict[str, str]:
    """Return new id -> old id where both look like one message; each old id serves once."""
    old_ids = defaultdict(list)
    for old_id, likeness in likenesses.items():
        old_ids[likeness].append(old_id)

    def alike(likeness: Likeness) -> list[str] | None:
        return old_ids.get(likeness) or old_ids.get(without_size(likeness))

    return {item.id: found.pop() for item in arrivals if (found := alike(likeness_of(item)))}


def departures(items: Mapping[str, MessageData], known: Mapping[str, Known], folder: FolderRef) -> list[str]:
    """Return the ids that left ``folder`` according to Graph, except those that we have elsewhere by now.

    Unknown ones are among them: a message that came, went and came back between two rounds is told as ``@removed``.
    """
    return [
        key for key, item in items.items() if item.removed is not None and not _is_elsewhere(known.get(key), folder)
    ]


def is_as_known(item: Outline, known: Known | None, folder: FolderRef) -> bool:
    """Tell whether an item is here, the same, whatever else it says."""
    if known is None or item.removed is not None or known.removed_at is not None or known.folder_id != folder.id:
        return False
    return item.change_key == known.change_key and item.is_read in (UNSET, known.is_read)


def plan_arrivals(items: Mapping[str, MessageData], known: Mapping[str, Known], folder: FolderRef) -> list[Write]:
    """Return what to write for the items that are in ``folder`` now."""
    writes = (_arrival(item, known.get(key), folder) for key, item in items.items() if item.removed is None)
    return [write for write in writes if write is not None]


def still_in_sight(whereabouts: Mapping[str, str | None], folders: Mapping[str, FolderRef]) -> list[str]:
    """Return the ids that are in a selected folder now, maybe the one that they were said to have left.

    They are read in full: their own delta may never tell what else happened to them on the way.
    """
    places = {key: folders.get(place or "") for key, place in whereabouts.items()}
    return [key for key, place in places.items() if place and place.is_selected]


def plan_departures(
    whereabouts: Mapping[str, str | None],
    in_full: Mapping[str, MessageData | None],
    known: Mapping[str, Known],
    folders: Mapping[str, FolderRef],
    now: datetime,
) -> list[Write]:
    """Return what to write for messages that left a folder: a departure is an arrival elsewhere, or the end.

    ``whereabouts`` is message id -> the Graph id of its folder, None where the message is gone; ``in_full`` holds what
    :func:`still_in_sight` named.
    """
    writes = []
    for key, place in whereabouts.items():
        message = in_full.get(key)
        if place is None or (key in in_full and message is None):
            writes.append(_end(known.get(key), key, {"removed_at": now, "removed_reason": DELETED}))
        elif message is not None:
            writes.append(_arrival(message, known.get(key), folders[place]))
        else:  # a folder that is not listed, such as that of recoverable items, is not read either
            away = {"removed_at": now, "removed_reason": UNSELECTED}
            writes.append(_end(known.get(key), key, away | _placed(folders.get(place))))
    return [write for write in writes if write is not None]


def _placed(folder: FolderRef | None) -> dict[str, int]:
    return {"folder_id": folder.id} if folder else {}


_BACK = {"removed_at": None, "removed_reason": None}


def _arrival(item: MessageData, known: Known | None, folder: FolderRef) -> Write | None:
    if known is None:
        return None if is_too_old(item, folder) else _creation(item, folder)
    change = _change(item, known, folder)
    if change is None:
        return None
    values: dict[str, Any] = {"folder_id": folder.id, **_BACK}
    if not is_complete(item):
        if item.is_read is not UNSET:
            values["is_read"] = item.is_read
        return Write(graph_id=item.id, row_id=known.id, values=values, change=change)
    if item.id != known.graph_id:
        values["graph_id"] = item.id
    return Write(graph_id=item.id, row_id=known.id, values=message_values(item) | values, change=change)


def _creation(item: MessageData, folder: FolderRef) -> Write:
    values = message_values(item)
    values["folder_id"], values["graph_id"] = folder.id, item.id
    return Write(graph_id=item.id, row_id=None, values=values, change=Change.CREATED)


def is_too_old(item: MessageData, folder: FolderRef) -> bool:
    """Tell whether a message is older than what is read of its folder; without a date of its own it is not."""
    received_at = item.received_date_time
    return folder.since is not None and isinstance(received_at, datetime) and received_at < folder.since


def _says_enough(item: MessageData, known: Known | None, folder: FolderRef) -> bool:
    if known is None:
        return is_too_old(item, folder)
    if known.removed_at is not None:
        return False
    return item.change_key == known.change_key or says_only_read_state(item)


def _change(item: MessageData, known: Known, folder: FolderRef) -> Change | None:
    if known.folder_id != folder.id:
        return Change.MOVED
    is_same = item.is_read in (UNSET, known.is_read) and (not is_complete(item) or item.change_key == known.change_key)
    return None if is_same and known.removed_at is None and item.id == known.graph_id else Change.UPDATED


def _end(known: Known | None, graph_id: str, values: dict[str, Any]) -> Write | None:
    if known is None or known.removed_at is not None:
        return None
    return Write(
        graph_id=graph_id, row_id=known.id, values={"folder_id": known.folder_id, **values}, change=Change.REMOVED
    )


def _is_elsewhere(known: Known | None, folder: FolderRef) -> bool:
    return known is not None and known.folder_id != folder.id and known.removed_at is None


def _overlay(before: MessageData, after: MessageData) -> MessageData:
    said = {name: value for name in after.__struct_fields__ if (value := getattr(after, name)) is not UNSET}
    return msgspec.structs.replace(before, **said)
