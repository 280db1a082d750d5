"""What may happen to a message."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask_ms365.models import Message  # planning knows no tables


class Change(str, Enum):
    """What a handler is told. ``CREATED`` comes once a message, ever."""

    CREATED = "created"
    UPDATED = "updated"
    MOVED = "moved"
    REMOVED = "removed"

    def __str__(self) -> str:
        return self.value


Handler = Callable[["Message", Change], object]
