"""Microsoft's quota for one app and mailbox, kept before Microsoft says so: 10,000 requests in 10 minutes.

Source: "Microsoft Graph service-specific throttling limits", Outlook service limits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

AT_ONCE = 4  # requests in flight that Microsoft allows for one mailbox
BURST = 5_000  # as many at any moment, and as many again evenly in ten minutes: never more than 10,000 in any ten
_A_SECOND = BURST / 600


class Quota:
    """A bucket of requests that fills up evenly. ``left`` and ``at`` are kept with the mailbox between two runs."""

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], object] = time.sleep,
        left: float | None = None,
        at: datetime | None = None,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._left = float(BURST) if left is None else left
        self._at = at or clock()

    @property
    def left(self) -> float:
        """Requests that may be made now; below zero once a batch took more than there were."""
        with self._lock:
            return self._fill()

    def take(self, requests: int = 1) -> None:
        """Count requests that are about to be made; wait until the quota holds them."""
        with self._lock:
            self._left = self._fill() - requests
            missing = -self._left
        if missing > 0:
            self._sleep(missing / _A_SECOND)

    def _fill(self) -> float:
        now = self._clock()
        passed = max((now - self._at).total_seconds(), 0.0)
        self._left, self._at = min(self._left + passed * _A_SECOND, float(BURST)), now
        return self._left
