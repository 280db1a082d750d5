"""What one transaction writes, as values: planned without the database, and written by the store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_ms365.graph.types import AttachmentData
from flask_ms365.sync.plan import Write


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where to go on in a folder, as the columns to write; links among them are secrets."""

    folder_id: int
    values: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Aside:
    """A message that could not be read or stored, and why."""

    graph_id: str
    folder_id: int
    code: str
    next_try_at: datetime
    subject: str | None = None
    received_at: datetime | None = None
    # how often it was tried, this time counted
    attempts: int = 1


@dataclass(kw_only=True)
class Page:
    """What one transaction writes."""

    writes: Sequence[Write] = ()
    attachments: Mapping[str, Sequence[AttachmentData]] = field(default_factory=dict)
    cursor: Cursor | None = None
    # what a folder's new reading, or its comparison, has met: rows, and messages that have none yet
    sighted_in: int | None = None
    sighted: Collection[int] = ()
    sighted_new: Collection[str] = ()
    set_aside: Sequence[Aside] = ()
    # these were set aside, and are no longer
    taken_back: Collection[str] = ()


class HandlerFailed(Exception):
    """Handlers of the host raised over these messages, the cause first; nothing of the page was stored."""

    def __init__(self, causes: Mapping[str, Exception]) -> None:
        super().__init__("A handler of the host failed.")
        self.causes = causes
