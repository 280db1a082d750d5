"""How long to wait before Microsoft is asked again: as it says, or longer with each attempt."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

_LONGEST_WAIT = 6 * 3600.0


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds to wait: Microsoft sends whole numbers, decimals, dates, nonsense, or nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(timezone.utc))).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None


def backoff(attempt: int, *, base: float, cap: float) -> float:
    """Return a random wait that grows with the attempts, so that many clients do not come back at once."""
    return random.uniform(0.5, 1.0) * float(min(cap, base * 2 ** min(attempt, 30)))
