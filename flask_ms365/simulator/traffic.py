"""How much a mailbox lets through: scripted faults, four calls at a time, a quota in ten minutes."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .clock import Clock
from .errors import DropConnection, GraphError

_TEXTS = {
    "ApplicationThrottled": "Application is over its MailboxConcurrency limit.",
    "TooManyRequests": "Please retry again later.",
}
_QUOTA_WINDOW = timedelta(minutes=10)


@dataclass(frozen=True)
class Fault:
    """What the next calls meet instead of an answer; `error` None hangs up."""

    times: int | None
    error: GraphError | None


class Traffic:
    """The gate of one mailbox. Limits are counted per app, as Microsoft does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._faults: deque[Fault] = deque()
        self._in_flight: Counter[str] = Counter()
        self._calls: dict[str, deque[datetime]] = {}
        self._held = False
        self._every: tuple[int, GraphError] | None = None
        self._admitted = 0
        self.max_concurrency: int | None = 4
        self.quota: int | None = None

    def fail(self, error: GraphError | None, times: int | None) -> None:
        """Let the next calls meet an error; `times` None means until `clear`."""
        with self._changed:
            self._faults.append(Fault(times, error))

    def fail_every(self, nth: int, error: GraphError) -> None:
        """Let every nth call meet an error, until `clear`."""
        with self._changed:
            self._every, self._admitted = (nth, error), 0

    def clear(self) -> None:
        """Forget the scripted faults and the calls counted so far."""
        with self._changed:
            self._faults.clear()
            self._every = None
            self._calls.clear()

    @contextmanager
    def admit(self, client_id: str) -> Iterator[None]:
        """Let one call of an app in, or refuse it."""
        with self._changed:
            self._count(client_id)
            self._meet_fault()
            self._check_concurrency(client_id)
            self._in_flight[client_id] += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._held, timeout=60)
        try:
            yield
        finally:
            with self._changed:
                self._in_flight[client_id] -= 1
                self._changed.notify_all()

    @contextmanager
    def hold(self) -> Iterator[Traffic]:
        """Keep every call waiting inside the mailbox until the block ends."""
        self._hold(True)
        try:
            yield self
        finally:
            self._hold(False)

    def wait_for(self, calls: int, timeout: float = 10) -> bool:
        """Wait until so many calls are inside the mailbox; False if they did not come."""
        with self._changed:
            return self._changed.wait_for(lambda: sum(self._in_flight.values()) >= calls, timeout)

    def _hold(self, held: bool) -> None:
        with self._changed:
            self._held = held
            self._changed.notify_all()

    def _meet_fault(self) -> None:
        self._admitted += 1
        if self._every and self._admitted % self._every[0] == 0:
            raise self._every[1]
        if not self._faults:
            return
        fault = self._faults.popleft()
        if fault.times is None or fault.times > 1:
            self._faults.appendleft(replace(fault, times=fault.times and fault.times - 1))
        raise fault.error or DropConnection

    def _check_concurrency(self, client_id: str) -> None:
        if self.max_concurrency is not None and self._in_flight[client_id] >= self.max_concurrency:
            raise throttled(retry_after="1")

    def _count(self, client_id: str) -> None:
        if self.quota is None:
            return
        now = self._clock()
        calls = self._calls.setdefault(client_id, deque())
        while calls and calls[0] <= now - _QUOTA_WINDOW:
            calls.popleft()
        calls.append(now)
        if len(calls) > self.quota:
            wait = calls[0] + _QUOTA_WINDOW - now
            raise throttled(retry_after=str(max(1, round(wait.total_seconds()))), code="TooManyRequests")


def throttled(retry_after: str | None, status: int = 429, code: str | None = "ApplicationThrottled") -> GraphError:
    """Microsoft's way to say "later". Its 503 and 504 come with an empty body."""
    error = GraphError(status, code if status == 429 else None, _TEXTS.get(code or "", ""))
    if retry_after is not None:
        error.headers["Retry-After"] = retry_after
    return error
