"""Fetch pages of several readings at once, ahead of the one writer that stores them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from queue import SimpleQueue

from flask_ms365.graph.quota import AT_ONCE
from flask_ms365.sync.reading import Fetched, Reading

_PATIENCE = 5.0  # seconds that the end of a run waits for requests under way

Outcome = tuple[Reading, Fetched | BaseException]


class FetchAhead:
    """Yields each reading's pages in their order, of different readings in any; then the error that ended one.

    Memory is bounded by pages: of each reading one is on its way or waits, beside the one that is being stored.
    Where answers come at once (``is_near``) they are fetched when they are wanted: a thread would save no time, but
    take the interpreter from the one who stores.

    ``is_enough`` is asked at each page. Once it says so, no more are asked for: those on their way still come.
    """

    def __init__(
        self,
        readings: Iterable[Reading],
        *,
        context: Callable[[], AbstractContextManager[object]],
        is_near: Callable[[], bool] = lambda: False,
        is_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._waiting = deque(readings)
        self._context = context
        self._is_near = is_near
        self._is_enough = is_enough
        self._is_ending = False
        self._pages: dict[Reading, Iterator[Fetched]] = {}
        self._wanted: deque[Reading] = deque()
        self._fetched: SimpleQueue[Outcome] = SimpleQueue()
        self._threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[Outcome]:
        while self._begin():
            reading, outcome = self._next()
            self._is_ending = self._is_ending or self._is_enough()
            if _is_end(outcome):
                del self._pages[reading]
            elif self._is_ending:
                del self._pages[reading]
                self._waiting.append(reading)
            else:
                self._ask(reading)
            yield reading, outcome
            del outcome  # a page is not kept while the next one is waited for

    @property
    def has_more(self) -> bool:
        """Whether a reading has not come to its end, or not begun."""
        return bool(self._waiting)

    def add(self, reading: Reading) -> None:
        """Fetch another reading, too."""
        self._waiting.append(reading)

    def close(self) -> None:
        """Stop fetching; what was fetched and not stored is fetched again by the next run."""
        until = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _begin(self) -> bool:
        """Begin as many readings as may be read at once; tell whether any is under way."""
        while self._waiting and len(self._pages) < AT_ONCE and not self._is_ending:
            reading = self._waiting.popleft()
            self._pages[reading] = reading.fetch()
            self._ask(reading)
        return bool(self._pages)

    def _ask(self, reading: Reading) -> None:
        if self._is_near():
            self._wanted.append(reading)
            return
        thread = threading.Thread(target=self._fetch, args=(reading,), name="ms365-fetch", daemon=True)
        self._threads = {other for other in self._threads if other.is_alive()} | {thread}
        thread.start()

    def _fetch(self, reading: Reading) -> None:
        with self._context():  # a token that Graph refuses is renewed from here
            self._fetched.put((reading, _outcome(self._pages[reading])))

    def _next(self) -> Outcome:
        if self._wanted and self._fetched.empty():
            reading = self._wanted.popleft()
            return reading, _outcome(self._pages[reading])
        return self._fetched.get()


def _outcome(pages: Iterator[Fetched]) -> Fetched | BaseException:
    try:
        return next(pages)
    except BaseException as exc:  # told where it can be handled
        return exc


def _is_end(outcome: Fetched | BaseException) -> bool:
    return isinstance(outcome, BaseException) or outcome.page.delta_link is not None
