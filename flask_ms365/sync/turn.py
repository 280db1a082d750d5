"""How much one mailbox is read before others have their turn."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask_ms365.sync.report import RunReport

_PAGES, _SECONDS = 20, 30.0


def turn(report: RunReport) -> Callable[[], bool]:
    """Begin a turn; return what tells, for a page at hand, whether it is the last to be asked for."""
    until = time.monotonic() + _SECONDS
    return lambda: report.pages + 1 >= _PAGES or time.monotonic() >= until


def endless() -> bool:
    """Read to the end: a person waits for it, or nobody else does."""
    return False
