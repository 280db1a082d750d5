"""``flask ms365 worker``: a process that does nothing but tick."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from flask_ms365.jobs.until_told import UntilTold
from flask_ms365.models.base import hide_parameters
from flask_ms365.sync.report import TickReport

_log = logging.getLogger(__name__)


def tick_until(told: UntilTold, tick: Callable[[], TickReport], *, interval: timedelta) -> None:
    """Tick, wait, tick, until told to stop. Where a tick left something that is due, there is no wait."""
    while not told.is_told:
        if not has_more(tick):
            told.wait(interval.total_seconds())


def has_more(tick: Callable[[], object]) -> bool:
    """Tick once; a tick that fails has no more, and the next one looks again."""
    try:
        report = tick()
        return isinstance(report, TickReport) and report.has_more
    except Exception as exc:  # a database that is away for a minute
        hide_parameters(exc)
        _log.exception("tick.failed", extra={"event": "tick.failed"})
        return False
