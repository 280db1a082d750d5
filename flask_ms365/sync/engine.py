"""Drive one mailbox: its folders, then each one's delta, page by page. Everything else is elsewhere.

Several folders are fetched at once, each a page ahead, by threads that know no database (``ahead.py``); this thread
alone stores. No transaction is open while it asks Graph what a page leaves open.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy.exc import IntegrityError

from flask_ms365.errors import DeltaExpired, GraphError, NotFound, SyncStopped, Unavailable
from flask_ms365.graph import GraphClient
from flask_ms365.models import Folder
from flask_ms365.models.mail import BELIEVED, PAGE_SIZE
from flask_ms365.sync.ahead import FetchAhead
from flask_ms365.sync.folders import COMPARED_EVERY, FROM_THE_START, FolderTree
from flask_ms365.sync.listing import FolderListing
from flask_ms365.sync.page import Cursor
from flask_ms365.sync.reading import Comparison, Fetched, Following, FreshReading, Reading
from flask_ms365.sync.report import RunReport
from flask_ms365.sync.resolve import Resolver
from flask_ms365.sync.since import has_gap, moved_on
from flask_ms365.sync.store import Store
from flask_ms365.sync.sweep import Sweep
from flask_ms365.sync.writer import Writer
from flask_ms365.words import Words

_RESTARTS = 2  # a cursor that dies again and again is Graph's trouble, not a reason to read for ever
_FRESH_EVERY = timedelta(minutes=1)
_RETRIES = 200  # messages that were set aside, tried again in a run
# these are about one folder; other 404s are about the mailbox
_FOLDER_GONE = {"erroritemnotfound", "itemnotfound", "errorsyncfoldernotfound"}


class MailboxSync:
    """One run over one mailbox, under its lease."""

    def __init__(
        self,
        *,
        app: Flask,
        graph: GraphClient,
        store: Store,
        listing: FolderListing,
        report: RunReport,
        since: datetime | None,
        clock: Callable[[], datetime],
        is_stopping: Callable[[], bool],
        is_enough: Callable[[], bool],
    ) -> None:
        self._app = app
        self._graph = graph
        self._store = store
        self._listing = listing
        self._since = since
        self._clock = clock
        self._is_stopping = is_stopping
        self._is_enough = is_enough
        self._tree = FolderTree([])
        self._resolver = Resolver(graph=graph, store=store, tree=self._tree, refresh_tree=self._refresh, clock=clock)
        self._writer = Writer(app=app, store=store, report=report, aside=self._resolver.aside_of)
        self._sweep = Sweep(store=store, resolver=self._resolver, write=self._writer.write)
        self._restarts: Counter[int] = Counter()
        self._fresh_at = clock()

    def run(self, *, folders_age: timedelta, pages: Mapping[int, Following]) -> bool:
        """Bring the mailbox up to date, or raise what stopped it; what was stored by then stays.

        Return False where it was enough for now, and the next run has to go on.
        ``folders_age`` is how old the list of folders may be; ``pages`` are those that a look has read, by the row id
        of the folder.
        """
        self._tree = self._resolver.tree = self._listing.up_to_date(folders_age)
        selected = self._tree.selected
        for folder in selected:
            self._look_back(folder)
        self._try_again()
        self._read_fresh()
        if not self._read(Reading(self._graph, folder, pages.get(folder.id)) for folder in selected):
            return False
        self._follow_gone()
        return self._compare(selected)

    def _refresh(self) -> FolderTree:
        """Ask for the tree in mid run: mail is in a folder that we do not know."""
        return self._listing.up_to_date(timedelta(0))

    def _look_back(self, folder: Folder) -> None:
        """Settle how old mail may be that is new to us; where older mail is wanted than before, read all again."""
        is_too_late = has_gap(folder.since, self._since)
        folder.since = self._since if is_too_late else moved_on(folder.since, self._since, folder.synced_at)
        if is_too_late:
            self._restart(folder)

    def _try_again(self) -> None:
        """Read messages that were set aside, wherever they are now."""
        by_folder = defaultdict(list)
        for aside in self._store.due_aside(self._clock(), limit=_RETRIES):
            by_folder[aside.folder_id].append(aside.graph_id)
        for folder_id, graph_ids in by_folder.items():
            self._writer.write(self._resolver.whereabouts(graph_ids, folder_id))

    def _read_fresh(self) -> None:
        """Bring new mail of folders whose long reading is under way: people wait for it, and not for the history."""
        self._fresh_at = self._clock()
        for folder in self._tree.selected:
            if folder.delta_link is None and folder.next_link is not None and folder.began_at is not None:
                self._read_inline(FreshReading(self._graph, folder))

    def _read_inline(self, reading: Reading) -> None:
        try:
            for fetched in reading.fetch():
                self._store_page(reading, fetched)
        except DeltaExpired:
            self._store.write_folder(reading.folder.id, fresh_link=None)
            reading.folder.fresh_link = None
        except NotFound:
            pass  # the main reading meets it too, and tells

    def _read(self, readings: Iterable[Reading]) -> bool:
        """Store what the readings bring; return whether they came to their ends."""
        ahead = FetchAhead(
            readings, context=self._app.app_context, is_near=self._graph.is_near, is_enough=self._is_enough
        )
        try:
            for reading, outcome in ahead:
                if self._is_stopping():
                    raise SyncStopped(Words("The worker is shutting down."))
                if isinstance(outcome, BaseException):
                    self._recover(reading, outcome, ahead)
                    continue
                self._store_page(reading, outcome)
                del outcome  # a page is not kept while the next one is waited for
                if self._clock() - self._fresh_at >= _FRESH_EVERY:
                    self._read_fresh()
        finally:
            ahead.close()
        return not ahead.has_more

    def _store_page(self, reading: Reading, fetched: Fetched) -> None:
        values = reading.moved(fetched, self._clock())
        try:
            self._write_page(reading, fetched, values, is_new=fetched.is_new)
        except IntegrityError:  # some of it is known: it came from another folder, or came before
            if not fetched.is_new:
                raise
            self._write_page(reading, fetched, values, is_new=False)
        _keep(reading.folder, values)

    def _write_page(self, reading: Reading, fetched: Fetched, values: dict[str, Any], *, is_new: bool) -> None:
        page, folder = self._resolver.page(reading, fetched, is_new=is_new), reading.folder
        is_end = bool(fetched.page.delta_link) and reading.keeps_sightings
        if values and not is_end:
            page.cursor = Cursor(folder_id=folder.id, values=values)
        self._writer.write(page)
        if is_end:  # the cursor moves last: whoever dies before sweeps again
            values["doubt"] = self._sweep.unseen(folder)
            self._store.begin_again(folder.id, **values)

    def _recover(self, reading: Reading, trouble: BaseException, ahead: FetchAhead) -> None:
        """Go on after what ended one folder's reading, or raise it where it concerns the mailbox."""
        folder = reading.folder
        if reading.is_stuck:
            self._graph.probe()  # where nothing else comes either, it is not the page
        if isinstance(reading, Comparison) and (reading.is_stuck or isinstance(trouble, DeltaExpired)):
            self._store.write_folder(folder.id, check_link=None, checked_at=self._clock())
            return
        if isinstance(trouble, DeltaExpired):
            self._restart(folder)
        elif reading.is_stuck and not folder.bodies_apart:
            self._restart(folder, bodies_apart=True, page_size=PAGE_SIZE)
        elif isinstance(trouble, GraphError) and self._is_unreadable(trouble):
            self._store.write_folder(folder.id, error_code=trouble.code[:64])
            return
        else:
            raise trouble
        ahead.add(Reading(self._graph, folder))

    def _restart(self, folder: Folder, **values: object) -> None:
        """Read a folder from the start, in a new round; its rows stay, and what is not met is confirmed at the end."""
        self._restarts[folder.id] += 1
        if self._restarts[folder.id] > _RESTARTS:
            raise Unavailable(Words("The delta cursor of a folder expired again and again."), code="deltaExpired")
        changed = {**FROM_THE_START, "round": folder.round + 1, "since": folder.since, **values}
        self._store.begin_again(folder.id, **changed)
        _keep(folder, changed)

    def _is_unreadable(self, trouble: GraphError) -> bool:
        """Tell whether only this folder cannot be read, by asking for the inbox where the code does not say."""
        if isinstance(trouble, NotFound):
            return trouble.code.lower() in _FOLDER_GONE
        if trouble.status != 403:
            return False
        self._graph.probe()
        return True

    def _follow_gone(self) -> None:
        """Follow the messages of folders that are gone, or lie where nothing is read: that is how Outlook deletes them.

        What a person chose not to read any more stays as it is.
        """
        left = [folder for folder in self._tree.rows if folder.removed_at or self._tree.is_left(folder)]
        holding = self._store.holding_mail([folder.id for folder in left])
        for folder in (folder for folder in left if folder.id in holding):
            if folder.removed_at:
                self._sweep.follow(folder, unlisted=folder.graph_id)
                continue
            self._sweep.follow(folder)
            # should it come back, all of it is met anew
            self._store.begin_again(folder.id, next_link=None, delta_link=None, round=folder.round + 1)

    def _compare(self, selected: Iterable[Folder]) -> bool:
        """Hold what Graph lists against our rows where that was not done for a day; settle what people believed."""
        now = self._clock()
        for folder in selected:
            if folder.doubt == BELIEVED and folder.next_link is None:
                self._store.write_folder(folder.id, doubt=self._sweep.unseen(folder))
        due = [folder for folder in selected if _is_comparison_due(folder, now)]
        for folder in due:
            if folder.check_link is None:
                self._store.begin_again(folder.id, check_link=None)
        return self._read(Comparison(self._graph, folder) for folder in due)


def _keep(folder: Folder, values: Mapping[str, Any]) -> None:
    """Let the detached row say what was written to it."""
    for name, value in values.items():
        setattr(folder, name, value)


def _is_comparison_due(folder: Folder, now: datetime) -> bool:
    is_at_rest = folder.delta_link is not None and folder.next_link is None
    return is_at_rest and (folder.checked_at is None or now - folder.checked_at >= COMPARED_EVERY)
