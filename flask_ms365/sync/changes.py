"""What may happen to a message."""

from __future__ import annotations

from enum import Enum


class Change(str, Enum):
    """What a handler is told. ``CREATED`` comes once a message, ever."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    REMOVED = "removed"

    def __str__(self) -> str:
        return self.value
