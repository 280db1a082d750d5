"""A gate that ticks go through. A fork closes it first: it copies the locks that other threads hold, SQLite's too."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Gate:
    """While it is closed nobody goes in."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._inside: set[int] = set()
        self._is_open = True

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Go in as soon as it is open."""
        with self._moved:
            self._moved.wait_for(lambda: self._is_open)
            self._inside.add(threading.get_ident())
        try:
            yield
        finally:
            with self._moved:
                self._inside.discard(threading.get_ident())
                self._moved.notify_all()

    def close(self, patience: float) -> bool:
        """Let nobody in, and wait so many seconds for the others inside; tell whether all are out."""
        with self._moved:
            self._is_open = False
            return self._moved.wait_for(lambda: self._inside <= {threading.get_ident()}, patience)

    def open(self) -> None:
        """Let everybody in."""
        with self._moved:
            self._is_open = True
            self._moved.notify_all()
