"""From a fetched page to what is written: asks the database and Graph for whatever the page leaves open."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from flask_ms365.errors import GraphError
from flask_ms365.graph import AttachmentData, GraphClient, MessageData, Outline, Reads
from flask_ms365.sync.folders import FolderTree
from flask_ms365.sync.page import Aside, Page
from flask_ms365.sync.plan import (
    FolderRef,
    Known,
    Write,
    departures,
    is_as_known,
    is_too_old,
    likeness_of,
    pair_up,
    plan_arrivals,
    plan_departures,
    still_in_sight,
    to_read_in_full,
    without_size,
)
from flask_ms365.sync.reading import Fetched, Reading
from flask_ms365.sync.rows import is_complete, may_have_files
from flask_ms365.sync.store import Store

ID_TOO_LONG = "idTooLong"
_FIRST_RETRY, _LAST_RETRY = timedelta(hours=1), timedelta(days=1)


@dataclass(kw_only=True)
class Resolver:
    """Resolves the pages of one run over one mailbox."""

    graph: GraphClient
    store: Store
    tree: FolderTree
    refresh_tree: Callable[[], FolderTree]
    clock: Callable[[], datetime]

    def page(self, reading: Reading, fetched: Fetched, *, is_new: bool) -> Page:
        """Return what a page of a folder's delta means for the database; of new mail nothing is known yet."""
        known = {} if is_new else self.store.known(fetched.met)
        page, items = _Draft(), dict[str, MessageData]()
        if not _is_as_known(fetched.outlines, known, reading.ref):
            page.aside = [self._unstorable(key, reading.ref) for key in fetched.unstorable]
            given_up = self._skipped if reading.is_comparison else ()
            items = {key: item for key, item in fetched.items.items() if key not in given_up}
        self._read_in_full(items, known, reading.ref, fetched.in_full, page)
        if not is_new:
            self._recognise(items, known, reading.ref)
        writes = plan_arrivals(items, known, reading.ref)
        writes += self._departed(departures(items, known, reading.ref), known, page)
        finished = self._finished(page, writes, reading.ref.id, fetched)
        if reading.keeps_sightings:
            met = [known.get(key) for key, item in fetched.met.items() if item.removed is None]
            finished.sighted_in, finished.sighted = reading.ref.id, [row.id for row in met if row]
            finished.sighted_new = [write.graph_id for write in writes if write.row_id is None]
        return finished

    def whereabouts(self, ids: Sequence[str], folder_id: int, *, unlisted: str = "") -> Page:
        """Return what to write about messages of which no more is known than that the folder may not hold them.

        Those that are still in the folder ``unlisted``, whatever the list of folders says, stay as they are.
        """
        page = _Draft()
        ids = [key for key in ids if key not in self._skipped]
        writes = self._departed(ids, self.store.known(ids), page, unlisted=unlisted)
        page.settled |= set(ids) - page.failed.keys()
        return self._finished(page, writes, folder_id, None)

    def aside_of(self, write: Write, code: str) -> Aside:
        """Return a message that was not written as one to be tried again."""
        return self.aside(write.graph_id, write.values["folder_id"], code, write)

    def aside(self, graph_id: str, folder_id: int, code: str, write: Write | None = None) -> Aside:
        """Return a message as one to be tried again: in an hour, and then less and less often."""
        tried = self._aside.get(graph_id, 0)
        subject, received_at = (write.values.get(name) if write else None for name in ("subject", "received_at"))
        self._aside[graph_id] = tried + 1
        return Aside(
            graph_id=graph_id,
            folder_id=folder_id,
            code=code,
            next_try_at=self.clock() + min(_FIRST_RETRY * 2 ** min(tried, 8), _LAST_RETRY),
            subject=subject,
            received_at=received_at,
            attempts=tried + 1,
        )

    @cached_property
    def _aside(self) -> dict[str, int]:
        return self.store.all_aside()

    @cached_property
    def _skipped(self) -> set[str]:
        """What people gave up: only Graph's word that it changed has it tried again."""
        return self.store.all_skipped()

    def _unstorable(self, graph_id: str, folder: FolderRef) -> Aside:
        """Return a message whose id no key holds, under a name that one does."""
        return self.aside(f"sha256-{hashlib.sha256(graph_id.encode()).hexdigest()}", folder.id, ID_TOO_LONG)

    def _read_in_full(
        self,
        items: dict[str, MessageData],
        known: Mapping[str, Known],
        folder: FolderRef,
        asked: Reads[MessageData],
        page: _Draft,
    ) -> None:
        """Put messages in full in the place of those that say too little; take out what is gone or cannot be read."""
        for key in asked.found.keys() & items.keys():
            items[key] = asked.found[key]
        incomplete = to_read_in_full(items, known, folder)
        answered = asked.gone | asked.failed.keys()
        reads = self.graph.messages([key for key in incomplete if key not in answered])
        reads.add(Reads(gone=asked.gone, failed=asked.failed))
        items |= reads.found
        page.failed |= reads.failed
        for key in reads.gone | reads.failed.keys():
            items.pop(key, None)

    def _recognise(self, items: dict[str, MessageData], known: dict[str, Known], folder: FolderRef) -> None:
        """Find the rows of messages that came under a new id: Graph knows the old one no more."""
        unknown = [item for key, item in items.items() if key not in known and _is_new(item, folder)]
        moments = {item.received_date_time for item in unknown if isinstance(item.received_date_time, datetime)}
        if not moments:
            return
        wanted = {likeness_of(item) for item in unknown}
        wanted |= {without_size(likeness) for likeness in wanted}
        rows = {row.graph_id: (row, likeness) for row, likeness in self.store.lookalikes(moments)}
        alike = {
            key: likeness for key, (_, likeness) in rows.items() if likeness in wanted and not _is_here(key, items)
        }
        gone = self.graph.message_folders(list(alike)).gone
        for new_id, old_id in pair_up(unknown, {key: alike[key] for key in alike if key in gone}).items():
            known[new_id] = rows[old_id][0]
            items.pop(old_id, None)  # that it left is no news any more

    def _departed(
        self, ids: Sequence[str], known: Mapping[str, Known], page: _Draft, *, unlisted: str = ""
    ) -> list[Write]:
        """Ask Graph where messages are that left a folder, and plan what follows."""
        if not ids:
            return []
        places = self.graph.message_folders(ids)
        where: dict[str, str | None] = {key: item.parent_folder_id or None for key, item in places.found.items()}
        where = {key: place for key, place in where.items() if not place or place != unlisted}
        where |= dict.fromkeys(places.gone)
        in_full = self.graph.messages(still_in_sight(where, self._folders(where.values())))
        messages: dict[str, MessageData | None] = {**in_full.found, **dict.fromkeys(in_full.gone)}
        page.failed |= places.failed | in_full.failed
        where = {key: place for key, place in where.items() if key not in in_full.failed}
        return plan_departures(where, messages, known, self.tree.refs, self.clock())

    def _folders(self, places: Iterable[str | None]) -> Mapping[str, FolderRef]:
        """Return the folders, listed anew where mail is in one that we do not know."""
        refs = self.tree.refs
        if any(place and place not in refs for place in places):
            self.tree = self.refresh_tree()
        return self.tree.refs

    def _finished(self, page: _Draft, writes: list[Write], folder_id: int, fetched: Fetched | None) -> Page:
        attachments = self._attachments(writes, fetched, page)
        by_id = {write.graph_id: write for write in writes}
        aside = [
            self.aside(key, folder_id, error.code or str(error.status), by_id.get(key))
            for key, error in page.failed.items()
        ]
        settled = (page.settled | by_id.keys()) & self._aside.keys() - page.failed.keys()
        return Page(writes=writes, attachments=attachments, set_aside=page.aside + aside, taken_back=settled)

    def _attachments(
        self, writes: Sequence[Write], fetched: Fetched | None, page: _Draft
    ) -> dict[str, list[AttachmentData]]:
        """Return the attachments of messages that were written in full; of new ones only where there may be any."""
        asked: Reads[list[AttachmentData]] = fetched.attachments if fetched else Reads()
        answered = asked.found.keys() | asked.gone | asked.failed.keys()
        # of what is on the page itself; others are written for leaving a folder, and are met elsewhere
        settled = fetched.items if fetched and fetched.is_completed else {}
        wanted = {
            write.graph_id: write
            for write in writes
            if "change_key" in write.values
            and (write.graph_id in answered or _may_have_files(write, is_asked=_is_here(write.graph_id, settled)))
        }
        reads = self.graph.attachments([key for key in wanted if key not in answered])
        reads.add(asked)
        for key in reads.failed.keys() & wanted.keys():
            page.failed[key] = reads.failed[key]
            wanted[key].values["change_key"] = None  # so that the next try sees a change
        return {key: reads.found.get(key, []) for key in wanted if key not in reads.failed}


@dataclass(kw_only=True)
class _Draft:
    """What is found out on the way to a page."""

    failed: dict[str, GraphError] = field(default_factory=dict)
    aside: list[Aside] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)


def _is_as_known(outlines: Mapping[str, Outline], known: Mapping[str, Known], folder: FolderRef) -> bool:
    """Tell whether a page that was outlined says what we have, so that no more of it need be read."""
    return bool(outlines) and all(is_as_known(outline, known.get(key), folder) for key, outline in outlines.items())


def _is_new(item: MessageData, folder: FolderRef) -> bool:
    return item.removed is None and is_complete(item) and not is_too_old(item, folder)


def _is_here(graph_id: str, items: Mapping[str, MessageData]) -> bool:
    return graph_id in items and items[graph_id].removed is None


def _may_have_files(write: Write, *, is_asked: bool) -> bool:
    if write.row_id is not None:
        return True
    return not is_asked and may_have_files(write.values["has_attachments"], write.values["body"])
