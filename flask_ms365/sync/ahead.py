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
    """Yields each reading's pages in their order, of different readings in any; then the error that ended one."""

    def __init__(self, readings: Iterable[Reading], *, context: Callable[[], AbstractContextManager[object]]) -> None:
        self._waiting = deque(readings)
        self._context = context
        self._under_way = 0
        self._fetched: SimpleQueue[Outcome] = SimpleQueue()
        self._threads: dict[threading.Thread, Reading] = {}
        self._is_closed = False

    def __iter__(self) -> Iterator[Outcome]:
        self._start()
        while self._under_way:
            reading, outcome = self._fetched.get()
            self._under_way -= _is_end(outcome)
            yield reading, outcome
            reading.room.release()
            self._start()

    def add(self, reading: Reading) -> None:
        """Fetch another reading, too."""
        self._waiting.append(reading)

    def close(self) -> None:
        """Stop fetching; what was fetched and not stored is fetched again by the next run."""
        self._is_closed = True
        for reading in self._threads.values():
            reading.room.release()
        until = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _start(self) -> None:
        while self._waiting and self._under_way < AT_ONCE:
            reading = self._waiting.popleft()
            self._under_way += 1
            thread = threading.Thread(target=self._fetch, args=(reading,), name="ms365-fetch", daemon=True)
            self._threads = {other: its for other, its in self._threads.items() if other.is_alive()}
            self._threads[thread] = reading
            thread.start()

    def _fetch(self, reading: Reading) -> None:
        with self._context():  # a token that Graph refuses is renewed from here
            pages = reading.fetch()
            outcome: Fetched | BaseException | None = None
            while not self._is_closed and not _is_end(outcome):
                try:
                    outcome = next(pages)
                except BaseException as exc:  # told where it can be handled
                    outcome = exc
                self._fetched.put((reading, outcome))
                reading.room.acquire()


def _is_end(outcome: Fetched | BaseException | None) -> bool:
    return isinstance(outcome, BaseException) or (outcome is not None and outcome.delta_link is not None)
