"""Work until a signal says to stop; then the process ends within five seconds, whatever holds it up."""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

_log = logging.getLogger(__name__)

_PATIENCE = 3.0  # seconds that a page under way may take to end
_LAST = 1.0  # and that the database may take to free what is held then
_HANG_UP = getattr(signal, "SIGHUP", None)  # Windows has none
_NUMBERS = [number for number in (signal.SIGTERM, signal.SIGINT, _HANG_UP) if number is not None]

T = TypeVar("T")


class UntilTold:
    """Lets the work end at its next page on SIGTERM, SIGINT or SIGHUP.

    The work has a thread of its own and the main thread only waits, so that it hears a signal at once. What has not
    ended after a moment is let go: whoever still runs is fenced off, and the process ends over it. A second signal to
    stop does not even wait for that.

    :param let_go: frees the leases that this process holds
    :param begins_anew: on SIGHUP, start the same command again in the same process, with all configuration read again
    """

    def __init__(self, *, let_go: Callable[[], object], begins_anew: bool = False) -> None:
        self._let_go = let_go
        self._anew = _HANG_UP if begins_anew else None
        self._number: int | None = None
        # a signal handler may put into this queue at any moment; an Event would deadlock in its own lock
        self._heard: SimpleQueue[None] = SimpleQueue()
        self._ended = threading.Event()

    @property
    def is_told(self) -> bool:
        """Tell whether the work should come to its end."""
        return self._number is not None

    def wait(self, seconds: float) -> None:
        """Wait in the work's thread, but no longer than until it is told."""
        self._ended.wait(seconds)

    def run(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns, in the context of the caller, which is the main thread.

        Where the work does not end in time, or is to begin anew, the process ends here.
        """
        result: Future[T] = Future()
        result.add_done_callback(lambda _: self._heard.put(None))
        with self._signals():
            _begin(contextvars.copy_context().run, _work, work, result)
            while not (self.is_told or result.done()):
                with suppress(Empty):  # not every system wakes a thread that waits for its signal
                    self._heard.get(timeout=1)
            self._ended.set()
            if not wait([result], _PATIENCE).done:
                self._give_up()
            if self._number is not None and self._number == self._anew:
                signal.signal(self._number, signal.SIG_IGN)  # until the new one listens: a second must not end it
                os.execv(sys.executable, sys.orig_argv)
        if not result.done():
            os._exit(0)
        return result.result()

    def _give_up(self) -> None:
        _log.info("work.let_go", extra={"event": "work.let_go"})
        _begin(self._let_go).join(_LAST)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._hear) for number in _NUMBERS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, _: object) -> None:
        is_stopping = self.is_told and self._number != self._anew
        if is_stopping and number != self._anew:
            os._exit(128 + number)  # by hand: the first process of a container has no default for signals
        if not is_stopping:
            self._number = number
            self._heard.put(None)


def _begin(call: Callable[..., object], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=call, args=arguments, name="ms365-work", daemon=True)
    thread.start()
    return thread


def _work(work: Callable[[], T], result: Future[T]) -> None:
    try:
        result.set_result(work())
    except BaseException as exc:  # raised where somebody waits for it
        result.set_exception(exc)
