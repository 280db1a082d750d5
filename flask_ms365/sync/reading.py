"""One chain of pages of a folder's delta, fetched in a thread that knows no database.

There are three kinds: the *main* reading, which moves the folder's cursor; the *fresh* one, which brings new mail while
a long main reading is under way; and the *comparison*, which once a day holds what Graph lists against our rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from flask_ms365.errors import Unavailable
from flask_ms365.graph import (
    AttachmentData,
    DeltaPage,
    DeltaQuery,
    GraphClient,
    MessageData,
    Outline,
    OutlinedPage,
    Reads,
    Select,
)
from flask_ms365.graph.client import FILTERED, leads_nowhere
from flask_ms365.graph.download import PERMANENT, TOO_LARGE
from flask_ms365.models.mail import PAGE_SIZE, Folder
from flask_ms365.sync.plan import FolderRef, merge, to_read_in_full
from flask_ms365.sync.rows import is_storable_id, may_have_files

_ATTEMPTS = 2  # a page that does not come twice is asked for in halves
_GOOD_PAGES = 5  # after so many the size doubles again
_SLIM_PAGE = 1000
# clocks differ, and mail may be told a little late
_OVERLAP = timedelta(hours=1)


@dataclass(kw_only=True)
class Fetched:
    """A page, with what else can be asked for it before the database is."""

    page: DeltaPage | OutlinedPage = field(repr=False)
    # whether the rest was asked for, too
    is_completed: bool = False
    in_full: Reads[MessageData] = field(default_factory=Reads)
    attachments: Reads[list[AttachmentData]] = field(default_factory=Reads)

    @cached_property
    def items(self) -> Mapping[str, MessageData]:
        """What the page says of each message that can be stored."""
        return {key: item for key, item in self._merged.items() if is_storable_id(key)}

    @property
    def unstorable(self) -> Sequence[str]:
        """Ids that no database can keep apart."""
        return [key for key in self._merged if key not in self.items]

    @cached_property
    def outlines(self) -> Mapping[str, Outline]:
        """No more of each message than tells whether it is as we have it; empty where all of the page is wanted."""
        if not isinstance(self.page, OutlinedPage):
            return {}
        outlines = {outline.id: outline for outline in self.page.outlines}
        is_told_twice = len(outlines) < len(self.page.outlines)
        return outlines if not is_told_twice and all(map(is_storable_id, outlines)) else {}

    @property
    def met(self) -> Mapping[str, Outline]:
        """The messages that the page tells of, whatever is known about them."""
        return self.outlines or self.items

    @cached_property
    def _merged(self) -> dict[str, MessageData]:
        return merge(self.page.value)

    @property
    def is_new(self) -> bool:
        """Tell whether all of it is likely to be unknown: it is stored without a look at what is there."""
        is_told_whole = self.is_completed and self.page.has_immutable_ids
        return is_told_whole and all(item.removed is None for item in self.items.values())


@dataclass(frozen=True, kw_only=True)
class Following:
    """A page that was read already, and the cursor that it follows."""

    cursor: str = field(repr=False)
    page: DeltaPage


class Reading:
    """The main reading: from where the folder's cursor stands to the end of the round."""

    is_comparison = False

    def __init__(self, graph: GraphClient, folder: Folder, first: Following | None = None) -> None:
        self._graph = graph
        self.folder = folder
        # not asked for again, unless another worker has gone on meanwhile
        self._first = first.page if first and first.cursor == folder.delta_link else None
        self.ref = FolderRef(id=folder.id, is_selected=True, since=folder.since)
        self.is_full = folder.delta_link is None
        # whether nothing of the folder was ever read, and so everything on a page is new
        self.is_first = self.is_full and folder.round == 1
        self.keeps_sightings = self.is_full and folder.round > 1
        # whether even a single message does not come
        self.is_stuck = False
        self._page_size = folder.page_size
        self._good_pages = 0
        self._began = time.monotonic()

    def fetch(self) -> Iterator[Fetched]:
        """Yield the pages; raise a :exc:`~flask_ms365.errors.GraphError`."""
        link, seen, is_end = self._link(), set(), False
        while not is_end:
            page, self._first = self._first or self._page(link), None
            link, is_end = page.next_link, bool(page.delta_link)
            if not (link or is_end) or link in seen:
                raise leads_nowhere()
            seen.add(link)
            fetched = [self._completed(page)]
            del page  # nothing here holds it until somebody asks for the next one
            yield fetched.pop()

    def moved(self, fetched: Fetched, now: datetime) -> dict[str, Any]:
        """Return the columns of the folder that change with a page that was stored."""
        folder = self.folder
        page = fetched.page
        values: dict[str, Any] = {"next_link": page.next_link, "error_code": None}
        values |= {"since": folder.since, "page_size": self._page_size, "bodies_apart": folder.bodies_apart}
        if self.is_full:
            values |= self._progress(fetched, now)
        if page.delta_link:
            values |= {"delta_link": page.delta_link, "synced_at": now}
            values |= {"fresh_link": None, "checked_at": now} if self.is_full else {}
        return values

    def _progress(self, fetched: Fetched, now: datetime) -> dict[str, Any]:
        folder, passed = self.folder, time.monotonic()
        folder.began_at = folder.began_at or now
        folder.read_count += len(fetched.met)
        folder.read_seconds += passed - self._began
        self._began = passed
        received = [item.received_date_time for item in fetched.met.values() if item.received_date_time]
        folder.oldest_at = min([folder.oldest_at, *received] if folder.oldest_at else received, default=None)
        return {name: getattr(folder, name) for name in ("began_at", "read_count", "read_seconds", "oldest_at")}

    def _link(self) -> str | None:
        return self.folder.next_link or self.folder.delta_link

    def _query(self) -> DeltaQuery:
        """Return what to begin with: the newest mail first, and mail that is too old not at all where that serves."""
        received_since = self._filter()
        select = Select.WITHOUT_BODY if self.folder.bodies_apart else Select.ALL
        return DeltaQuery(select=select, received_since=received_since, newest_first=True)

    def _filter(self) -> datetime | None:
        folder, safe = self.folder, FILTERED * 9 // 10
        if folder.since is None:
            return None
        if folder.total_count <= safe or not self._graph.has_more_than(safe, folder.graph_id, folder.since):
            return folder.since
        # all of it has to be read, but bodies only of what is wanted
        if not self._graph.has_more_than(folder.total_count // 2, folder.graph_id, folder.since):
            folder.bodies_apart = True
        return None

    def _page(self, link: str | None) -> DeltaPage | OutlinedPage:
        query = self._query() if link is None else DeltaQuery()
        while True:
            try:
                page = self._graph.delta(
                    self.folder.graph_id,
                    link,
                    query=query,
                    page_size=self._page_size,
                    attempts=_ATTEMPTS,
                    is_familiar=self.keeps_sightings,
                )
            except Unavailable as exc:
                self._shrink(exc)
            else:
                self._grow()
                return page

    def _shrink(self, trouble: Unavailable) -> None:
        """Ask for half as many; raise where the page's size is not what is wrong, or cannot get smaller."""
        is_size = trouble.status in (503, 504) or trouble.code in (TOO_LARGE, *PERMANENT)
        if not is_size or trouble.retry_after:
            raise trouble
        if self._page_size == 1:
            self.is_stuck = True
            raise trouble
        self._page_size //= 2
        self._good_pages = 0

    def _grow(self) -> None:
        self._good_pages += 1
        if self._good_pages % _GOOD_PAGES == 0:
            self._page_size = min(self._page_size * 2, PAGE_SIZE)

    def _completed(self, page: DeltaPage | OutlinedPage) -> Fetched:
        fetched = Fetched(page=page)
        if self.is_first:
            self._ask_ahead(fetched)
        return fetched

    def _ask_ahead(self, fetched: Fetched) -> None:
        """Ask for what a page of new messages leaves open, while others are being stored."""
        fetched.is_completed = True
        incomplete = to_read_in_full(fetched.items, {}, self.ref)
        if incomplete:
            fetched.in_full = self._graph.messages(incomplete)
        items = {**fetched.items, **fetched.in_full.found}
        with_files = [key for key, item in items.items() if item.removed is None and _may_have_files(item)]
        if with_files:
            fetched.attachments = self._graph.attachments(with_files)


def _may_have_files(item: MessageData) -> bool:
    return may_have_files(item.has_attachments, item.body.content if item.body else None)


class FreshReading(Reading):
    """What came since a long main reading began: a delta of its own, with a filter."""

    def __init__(self, graph: GraphClient, folder: Folder) -> None:
        super().__init__(graph, folder)
        # after a pause it lists again what it has brought: a page of it is new at most in part
        self.is_first = False
        self.keeps_sightings = False

    def moved(self, fetched: Fetched, now: datetime) -> dict[str, Any]:
        return {"fresh_link": fetched.page.delta_link} if fetched.page.delta_link else {}

    def _link(self) -> str | None:
        return self.folder.fresh_link

    def _query(self) -> DeltaQuery:
        began_at = self.folder.began_at
        received_since = began_at - _OVERLAP if began_at else None
        # one body that breaks a page would keep the history waiting for ever
        return DeltaQuery(select=Select.WITHOUT_BODY, received_since=received_since, newest_first=True)


class Comparison(Reading):
    """All that Graph lists, with no more than what shows whether our rows say the same."""

    is_comparison = True

    def __init__(self, graph: GraphClient, folder: Folder) -> None:
        super().__init__(graph, folder)
        self.is_first = False
        self.keeps_sightings = True
        self._page_size = _SLIM_PAGE

    def moved(self, fetched: Fetched, now: datetime) -> dict[str, Any]:
        page = fetched.page
        return {"check_link": page.next_link} | ({"checked_at": now} if page.delta_link else {})

    def _link(self) -> str | None:
        return self.folder.check_link

    def _query(self) -> DeltaQuery:
        return DeltaQuery(select=Select.SLIM)

    def _grow(self) -> None:
        pass  # a smaller page is no harm to a reading that nobody waits for
