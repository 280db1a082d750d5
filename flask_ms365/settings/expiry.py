"""When a credential ends, and when people are told. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask_ms365.words import Words, counted

# days before the end at which people are told, once each; 0 is the last day and what follows
THRESHOLDS = (30, 14, 7, 1, 0)

_TODAY = {
    "secret": Words("The client secret expires today"),
    "certificate": Words("The client certificate expires today"),
}
_TOMORROW = {
    "secret": Words("The client secret expires tomorrow"),
    "certificate": Words("The client certificate expires tomorrow"),
}
_STALE = Words("The federated token in its file has expired: whatever renews it has stopped")


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """How long a credential has. ``threshold`` is the last one that was passed, None while the end is far off.

    A federated token lives for an hour and is renewed by others: it is told of only once it has ended.
    """

    kind: str
    expires_on: date
    days_left: int
    threshold: int | None

    @property
    def subject(self) -> str:
        """What somebody is told of: each threshold of each date is told for itself."""
        return f"{self.kind}-expiry:{self.expires_on.isoformat()}:{self.threshold}"

    @property
    def has_ended(self) -> bool:
        """Tell whether the last day is over."""
        return self.days_left < 0 or self.kind == "federated"

    @property
    def words(self) -> Words:
        """The sentence for people."""
        if self.kind == "federated":
            return _STALE
        if self.days_left in (0, 1):
            return (_TOMORROW if self.days_left else _TODAY)[self.kind]
        if self.kind == "certificate":
            return _certificate(self.days_left)
        return _secret(self.days_left)


def expiry(expires_on: date, today: date, *, kind: str = "secret") -> Expiry:
    """Return how long a credential has that ends with the day ``expires_on``."""
    days_left = (expires_on - today).days
    passed = [threshold for threshold in THRESHOLDS if days_left <= threshold]
    return Expiry(kind=kind, expires_on=expires_on, days_left=days_left, threshold=min(passed, default=None))


def _secret(days_left: int) -> Words:
    if days_left > 0:
        return Words("The client secret expires in %(count)s days", count=days_left)
    return counted(
        "The client secret expired %(count)s day ago", "The client secret expired %(count)s days ago", -days_left
    )


def _certificate(days_left: int) -> Words:
    if days_left > 0:
        return Words("The client certificate expires in %(count)s days", count=days_left)
    return counted(
        "The client certificate expired %(count)s day ago",
        "The client certificate expired %(count)s days ago",
        -days_left,
    )
