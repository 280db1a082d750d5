"""From when on mail of a mailbox is read, as a form asks and shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timezone

from flask import request

from flask_ms365.state import current_state
from flask_ms365.sync.since import ALL_MAIL
from flask_ms365.words import Words

_NO_DAY = Words("Enter a day, such as 2024-03-01.")
_NOT_YET = Words("This day is yet to come. Enter today, or an earlier one.")


@dataclass(frozen=True, kw_only=True)
class ShownSince:
    """``by`` is ``settings``, ``all`` or ``day``, ``day`` as it was typed; ``moment`` what that comes to.

    ``error`` is what is wrong with the day: then ``moment`` is as it was before.
    """

    by: str = "settings"
    day: str = ""
    moment: datetime | None = None
    error: Words | None = None


def stored_since(moment: datetime | None) -> ShownSince:
    """Return how the form shows what is stored."""
    if moment is None:
        return ShownSince()
    if moment <= ALL_MAIL:
        return ShownSince(by="all", moment=moment)
    return ShownSince(by="day", day=moment.date().isoformat(), moment=moment)


def posted_since(stored: ShownSince) -> ShownSince:
    """Return what the form says; what it leaves out stays as it is."""
    by, day = request.form.get("since", stored.by), request.form.get("day", "").strip()
    moment, error = stored.moment, None
    if (by, day) != (stored.by, stored.day):  # else to the second: saving something else moves nothing
        try:
            moment = _moment(by, day)
        except ValueError as exc:
            error = exc.args[0]
    return ShownSince(by=by, day=day, moment=moment, error=error)


def _moment(by: str, day: str) -> datetime | None:
    """Return from when on mail is wanted; raise :exc:`ValueError` with what is wrong with the day."""
    if by != "day":
        return ALL_MAIL if by == "all" else None
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        raise ValueError(_NO_DAY) from None
    moment = datetime.combine(wanted, time.min, timezone.utc)
    if moment > current_state().clock():
        raise ValueError(_NOT_YET)
    return moment
