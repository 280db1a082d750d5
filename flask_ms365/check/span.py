"""How long ago, in as few words as people need."""

from __future__ import annotations

from datetime import timedelta

from flask_ms365.words import Words, counted

_UNITS = (
    (86400, "%(count)s day", "%(count)s days"),
    (3600, "%(count)s h", "%(count)s h"),
    (60, "%(count)s min", "%(count)s min"),
    (1, "%(count)s s", "%(count)s s"),
)


def span(time: timedelta) -> Words:
    """Return a time in its largest unit, rounded down."""
    seconds = max(0, int(time.total_seconds()))
    size, one, many = next((unit for unit in _UNITS if seconds >= unit[0]), _UNITS[-1])
    return counted(one, many, seconds // size)
