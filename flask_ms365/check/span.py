"""How long ago, in as few words as people need."""

from __future__ import annotations

from datetime import timedelta

from flask_ms365.words import Words, counted


def span(time: timedelta) -> Words:
    """Return a time in its largest unit, rounded down."""
    seconds = max(0, int(time.total_seconds()))
    if seconds < 60:
        return Words("%(count)s s", count=seconds)
    if seconds < 3600:
        return Words("%(count)s min", count=seconds // 60)
    if seconds < 86400:
        return Words("%(count)s h", count=seconds // 3600)
    return counted("%(count)s day", "%(count)s days", seconds // 86400)
