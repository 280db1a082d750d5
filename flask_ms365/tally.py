"""What one process has counted and nobody has written down yet. Any thread adds; whoever has a transaction takes it."""

from __future__ import annotations

import os
import threading
from collections import Counter


class Tally:
    """Counts by name and label, in memory."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._begin()

    def add(self, name: str, label: str = "", by: int = 1) -> None:
        """Count something."""
        self._mind_fork()
        with self._lock:
            self._counts[name, label] += by

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits to be written down."""
        return not self._counts

    def take(self) -> Counter[tuple[str, str]]:
        """Return what was counted, once: whoever takes it writes it down, or gives it back."""
        self._mind_fork()
        with self._lock:
            taken, self._counts = self._counts, Counter()
        return taken

    def give_back(self, taken: Counter[tuple[str, str]]) -> None:
        """Take in what could not be written after all."""
        with self._lock:
            self._counts.update(taken)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._counts = Counter()

    def _mind_fork(self) -> None:
        """Begin anew in a child: its parent writes what it counted, and may have held the lock."""
        if self._pid != os.getpid():
            self._begin()
