"""How far the readings of a mailbox have come: n of m, how fast, how long still, how far back.

A reading from the start may take hours. Its folders count what they have read; nothing here asks Microsoft.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select

from flask_ms365.models import Folder, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.sync.folders import FolderTree
from flask_ms365.words import Words, counted

# rows, not objects, and without the links: they are secrets, and longer than the rest together
_COLUMNS = (
    Folder.id,
    Folder.mailbox_id,
    Folder.parent_id,
    Folder.name,
    Folder.well_known_name,
    Folder.is_hidden,
    Folder.selected,
    Folder.removed_at,
    Folder.total_count,
    Folder.since,
    Folder.began_at,
    Folder.read_count,
    Folder.read_seconds,
    Folder.oldest_at,
    Folder.synced_at,
    Folder.doubt,
    Folder.error_code,
)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class Reading(NamedTuple):
    """A folder that is read, with the columns above, and whether it was read to the end once."""

    folder: Any
    has_ended: bool

    @property
    def is_under_way(self) -> bool:
        """Whether it is being read from the start."""
        return self.folder.began_at is not None and not self.has_ended

    @property
    def total(self) -> int | None:
        """How many messages there are to read; None where older mail is left out, which nobody has counted."""
        if self.folder.since is not None:
            return None
        count: int = self.folder.total_count
        # mail goes on coming while it is read
        return count if self.has_ended else max(count, self.folder.read_count)

    @property
    def read(self) -> int:
        """How many of them were read."""
        count: int = self.folder.read_count
        return self.total if self.has_ended and self.total is not None else count


@dataclass(frozen=True, kw_only=True)
class Progress:
    """The readings of one mailbox together; ``rate`` is in messages a second, ``oldest`` the day they are back at."""

    is_under_way: bool
    read: int
    total: int | None
    rate: float | None
    oldest: datetime | None

    @property
    def seconds_left(self) -> float | None:
        """How long it takes at this rate; None while that is not known."""
        if not self.is_under_way or not self.rate or self.total is None:
            return None
        return (self.total - self.read) / self.rate

    @property
    def time_left(self) -> Words | None:
        """The same as people say it."""
        return None if self.seconds_left is None else in_words(self.seconds_left)

    def as_json(self) -> dict[str, Any]:
        """Return what ``flask ms365 status --json`` prints of it."""
        return {
            "read": self.read,
            "total": self.total,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "oldest": self.oldest.isoformat() if self.oldest else None,
        }


def progress_of(session: AnySession, mailbox_ids: Sequence[int]) -> dict[int, Progress]:
    """Return how far each mailbox is; one statement for any number of them."""
    return {mailbox_id: measured(readings) for mailbox_id, readings in readings_of(session, mailbox_ids).items()}


def readings_of(session: AnySession, mailbox_ids: Sequence[int]) -> dict[int, list[Reading]]:
    """Return the folders of each mailbox that are read, the inbox first; one statement."""
    return {mailbox_id: chosen_readings(rows) for mailbox_id, rows in folder_rows(session, mailbox_ids).items()}


def folder_rows(session: AnySession, mailbox_ids: Sequence[int], *also: ColumnElement[Any]) -> dict[int, list[Any]]:
    """Return all folders of each mailbox, read or not, with the columns above and ``also`` these; one statement."""
    wanted = select(*_COLUMNS, Folder.delta_link.is_not(None).label("has_ended"), Mailbox.reads_new_folders, *also)
    wanted = wanted.join(Mailbox, Mailbox.id == Folder.mailbox_id)
    folders: Any = defaultdict(list)
    for row in session.execute(wanted.where(Folder.mailbox_id.in_(mailbox_ids))):
        folders[row.mailbox_id].append(row)
    return {mailbox_id: folders[mailbox_id] for mailbox_id in mailbox_ids}


def chosen_readings(folders: list[Any]) -> list[Reading]:
    """Return those of a mailbox's folders that are read, the inbox first."""
    chosen: list[Any] = FolderTree(folders, reads_new=all(folder.reads_new_folders for folder in folders)).selected
    return [Reading(folder, bool(folder.has_ended)) for folder in chosen]


def measured(readings: Sequence[Reading]) -> Progress:
    """Return how far ``readings`` are together."""
    under_way = [reading.folder for reading in readings if reading.is_under_way]
    # they are read at once, so their rates add up
    rates = [folder.read_count / folder.read_seconds for folder in under_way if folder.read_seconds]
    totals = [reading.total for reading in readings]
    known = [total for total in totals if total is not None]
    return Progress(
        is_under_way=bool(under_way),
        read=sum(reading.read for reading in readings),
        total=sum(known) if len(known) == len(totals) else None,
        rate=sum(rates) if rates else None,
        oldest=min((folder.oldest_at for folder in under_way if folder.oldest_at), default=None),
    )


def in_words(seconds: float) -> Words:
    """Return a time that is left, as roughly as it is known."""
    if seconds < _MINUTE:
        return Words("less than a minute left")
    if seconds < 1.5 * _HOUR:
        return counted("about %(count)s minute left", "about %(count)s minutes left", round(seconds / _MINUTE))
    if seconds < 2 * _DAY:
        return counted("about %(count)s hour left", "about %(count)s hours left", round(seconds / _HOUR))
    return counted("about %(count)s day left", "about %(count)s days left", round(seconds / _DAY))
