"""``flask ms365 worker``: a process that does nothing but tick."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from queue import Empty, SimpleQueue

from flask_ms365.sync.report import TickReport

_log = logging.getLogger(__name__)


class Worker:
    """Ticks until it is told to stop; a sync under way then ends at its next page and lets go of its lease."""

    def __init__(
        self, tick: Callable[[], TickReport], *, interval: timedelta, told: Callable[[TickReport], object]
    ) -> None:
        self._tick = tick
        self._interval = interval
        self._told = told
        self._is_stopping = False
        # a signal handler may put into this queue at any moment; an Event would deadlock in its own lock
        self._stopped: SimpleQueue[None] = SimpleQueue()

    @property
    def is_stopping(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self._is_stopping

    def stop(self) -> None:
        """Ask the worker to stop; returns at once."""
        self._is_stopping = True
        self._stopped.put(None)

    def run(self) -> None:
        """Tick, wait, tick, until stopped by a signal or :meth:`stop`."""
        with self._signals():
            while not self.is_stopping:
                self._tick_once()
                with suppress(Empty):
                    self._stopped.get(timeout=self._interval.total_seconds())

    def _tick_once(self) -> None:
        try:
            self._told(self._tick())
        except Exception:  # a database that is away for a minute: the next tick looks again
            _log.exception("tick.failed", extra={"event": "tick.failed"})

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
