"""``flask ms365 worker``: a process that does nothing but tick."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from flask_ms365.sync.report import TickReport


class Worker:
    """Ticks until it is told to stop; a sync under way then ends at its next page and lets go of its lease."""

    def __init__(
        self, tick: Callable[[], TickReport], *, interval: timedelta, told: Callable[[TickReport], object]
    ) -> None:
        self._tick = tick
        self._interval = interval
        self._told = told
        self._stop = threading.Event()

    @property
    def is_stopping(self) -> bool:
        """Tell whether somebody asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask the worker to stop; returns at once."""
        self._stop.set()

    def run(self) -> None:
        """Tick, wait, tick, until stopped by a signal or :meth:`stop`."""
        with self._signals():
            while not self.is_stopping:
                self._told(self._tick())
                self._stop.wait(self._interval.total_seconds())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
