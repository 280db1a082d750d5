"""Drive one mailbox: list its folders, read each one's delta, store page by page. Everything else is elsewhere.

Nothing is fetched inside a transaction: a page is read, what it leaves open is asked, and then it is written at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from flask import Flask

from flask_ms365.errors import DeltaExpired, NotFound, SyncStopped, Unavailable
from flask_ms365.graph import DeltaPage, GraphClient
from flask_ms365.models import Folder
from flask_ms365.models.base import AnySession
from flask_ms365.signals import message_synced
from flask_ms365.sync.folders import FolderTree, list_folders
from flask_ms365.sync.lease import Lease
from flask_ms365.sync.plan import (
    FolderRef,
    Known,
    Write,
    departures,
    merge,
    plan_arrivals,
    plan_departures,
    still_in_sight,
    to_read_in_full,
)
from flask_ms365.sync.report import RunReport
from flask_ms365.sync.since import has_gap, moved_on
from flask_ms365.sync.store import Cursor, Page, Store
from flask_ms365.words import Words

_SWEEP = 200  # messages confirmed and written at once after a folder was read again
_RESTARTS = 2  # a cursor that dies again and again is Graph's trouble, not a reason to read for ever


class MailboxSync:
    """One run over one mailbox, under its lease."""

    def __init__(
        self,
        *,
        app: Flask,
        session: AnySession,
        graph: GraphClient,
        store: Store,
        lease: Lease,
        report: RunReport,
        since: datetime | None,
        clock: Callable[[], datetime],
        is_stopping: Callable[[], bool],
    ) -> None:
        self._app = app
        self._session = session
        self._graph = graph
        self._store = store
        self._lease = lease
        self._report = report
        self._since = since
        self._clock = clock
        self._is_stopping = is_stopping
        self._tree = FolderTree([])

    def run(self) -> None:
        """Bring the mailbox up to date, or raise what stopped it; what was stored by then stays."""
        vanished = self._list_folders()
        for folder in self._tree.selected:
            self._sync_folder(folder)
        for folder in vanished:
            self._retire(folder)

    def _list_folders(self) -> Sequence[Folder]:
        self._tree, vanished = list_folders(self._session, self._graph, self._lease, self._clock())
        for folder in self._tree.selected:
            self._look_back(folder)
        return vanished

    def _look_back(self, folder: Folder) -> None:
        """Settle how old mail may be that is new to us; where older mail is wanted than before, read all again."""
        is_too_late = has_gap(folder.since, self._since)
        folder.since = self._since if is_too_late else moved_on(folder.since, self._since, folder.synced_at)
        if is_too_late:
            self._restart(folder)

    def _sync_folder(self, folder: Folder) -> None:
        for _ in range(_RESTARTS + 1):
            try:
                self._read_round(folder)
                return
            except DeltaExpired:
                self._restart(folder)
            except NotFound:
                return  # deleted since the listing, or not readable: the next listing tells
        raise Unavailable(Words("The delta cursor of a folder expired again and again."), code="deltaExpired")

    def _restart(self, folder: Folder) -> None:
        self._store.restart(folder.id, folder.since)
        folder.next_link = folder.delta_link = None
        folder.round += 1

    def _read_round(self, folder: Folder) -> None:
        """Read on from where the cursor stands to the end of the round."""
        ref = FolderRef(id=folder.id, round=folder.round, is_selected=True, since=folder.since)
        is_full = folder.delta_link is None
        for page in self._pages(folder):
            planned = self._plan(page, ref)
            if page.delta_link and is_full and folder.round > 1:
                self._sweep(ref, {item.id for item in page.value})
            planned.cursor = Cursor(
                folder_id=folder.id, since=folder.since, next_link=page.next_link, delta_link=page.delta_link
            )
            self._write(planned)

    def _pages(self, folder: Folder) -> Iterator[DeltaPage]:
        link = folder.next_link or folder.delta_link
        while True:
            if self._is_stopping():
                raise SyncStopped(Words("The worker is shutting down."))
            page = self._graph.delta(folder.graph_id, link)
            if (not page.next_link and not page.delta_link) or (page.next_link == link and link):
                raise Unavailable(Words("Microsoft Graph sent a page that leads nowhere."), code="brokenPaging")
            yield page
            if page.delta_link:
                return
            link = page.next_link

    def _plan(self, page: DeltaPage, ref: FolderRef) -> Page:
        items = merge(page.value)
        known = self._store.known(items)
        for graph_id, full in self._graph.messages(to_read_in_full(items, known)).items():
            if full is None:
                del items[graph_id]
            else:
                items[graph_id] = full
        writes = plan_arrivals(items, known, ref)
        return self._page(writes + self._departed(departures(items, known, ref), known))

    def _page(self, writes: Sequence[Write]) -> Page:
        attachments = self._graph.attachments([write.graph_id for write in writes if write.has_new_files])
        return Page(writes=writes, attachments=attachments)

    def _departed(self, ids: Sequence[str], known: dict[str, Known]) -> list[Write]:
        """Ask Graph where messages are that left a folder, and plan what follows."""
        if not ids:
            return []
        whereabouts = self._graph.message_folders(ids)
        folders = self._tree.refs
        if any(place and place not in folders for place in whereabouts.values()):
            self._list_folders()
            folders = self._tree.refs
        in_full = self._graph.messages(still_in_sight(whereabouts, folders))
        return plan_departures(whereabouts, in_full, known, folders, self._clock())

    def _sweep(self, ref: FolderRef, on_last_page: set[str] | frozenset[str] = frozenset()) -> None:
        """Confirm every message that a full reading did not meet: gone, moved, or there after all."""
        after = 0
        while rows := self._store.unseen(ref.id, ref.round, after=after, limit=_SWEEP):
            after = rows[-1][0]
            ids = [graph_id for _, graph_id in rows if graph_id not in on_last_page]
            known = self._store.known(ids)
            self._write(self._page(self._departed(ids, known)))

    def _retire(self, folder: Folder) -> None:
        """Follow the messages of a folder that is gone: some were moved out first."""
        self._sweep(FolderRef(id=folder.id, round=folder.round + 1, is_selected=False))
        self._store.remove_folder(folder.id)

    def _write(self, page: Page) -> None:
        changes, told = self._store.write(page)
        self._report.pages += 1
        self._report.changes += changes
        for message_id, change in told:
            message_synced.send(self._app, message_id=message_id, change=change)
