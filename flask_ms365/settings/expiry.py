"""When a client secret ends, and when people are told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask_ms365.words import Words, counted

# days before the end at which people are told, once each; 0 is the last day and what follows
THRESHOLDS = (30, 14, 7, 1, 0)


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """How long a secret has. ``threshold`` is the last one that was passed, None while the end is far off."""

    expires_on: date
    days_left: int
    threshold: int | None

    @property
    def subject(self) -> str:
        """What somebody is told of: each threshold of each date is told for itself."""
        return f"secret-expiry:{self.expires_on.isoformat()}:{self.threshold}"

    @property
    def has_ended(self) -> bool:
        """Tell whether the last day is over."""
        return self.days_left < 0

    @property
    def words(self) -> Words:
        """The sentence for people."""
        if self.days_left == 0:
            return Words("The client secret expires today")
        if self.days_left == 1:
            return Words("The client secret expires tomorrow")
        if self.has_ended:
            return counted(
                "The client secret expired %(count)s day ago",
                "The client secret expired %(count)s days ago",
                -self.days_left,
            )
        return Words("The client secret expires in %(count)s days", count=self.days_left)


def expiry(expires_on: date, today: date) -> Expiry:
    """Return how long a secret has that ends with the day ``expires_on``."""
    days_left = (expires_on - today).days
    passed = [threshold for threshold in THRESHOLDS if days_left <= threshold]
    return Expiry(expires_on=expires_on, days_left=days_left, threshold=min(passed, default=None))
