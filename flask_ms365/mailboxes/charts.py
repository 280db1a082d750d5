"""How many messages a mailbox received each day, and where lines and bars of them go in a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, case, func, select

from flask_ms365.models import Folder, Message
from flask_ms365.models.base import AnySession

_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Days:
    """Messages received on each of some days (UTC), up to ``last``; those that were removed since count, too."""

    last: date
    counts: Sequence[int]

    @property
    def total(self) -> int:
        """How many there were on all of these days."""
        return sum(self.counts)

    @property
    def most(self) -> int:
        """How many there were on the busiest day."""
        return max(self.counts)

    @property
    def by_day(self) -> list[tuple[date, int]]:
        """Each day with its messages, the latest first."""
        return [(self.last - back * _DAY, count) for back, count in enumerate(reversed(self.counts))]

    def heights(self, room: int) -> list[float]:
        """Return how high each day is where the busiest one takes all of ``room``."""
        return [round(room * count / max(self.most, 1), 1) for count in self.counts]

    def line(self, width: int, height: int) -> str:
        """Return the points of a line through the days, from left to right, as SVG takes them."""
        step = width / max(len(self.counts) - 1, 1)
        return " ".join(f"{round(at * step, 1)},{height - high}" for at, high in enumerate(self.heights(height)))


def messages_a_day(session: AnySession, mailbox_ids: Sequence[int], *, days: int, now: datetime) -> dict[int, Days]:
    """Count the messages of each mailbox on the last ``days`` days, today among them; one statement."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - (days - 1) * _DAY
    counts = {mailbox_id: [0] * days for mailbox_id in mailbox_ids}
    # through the folders: their index has the dates, so that no message need be looked at
    each = (
        select(Folder.mailbox_id, _day(first, days).label("day"))
        .join(Message, Message.folder_id == Folder.id)
        .where(Folder.mailbox_id.in_(mailbox_ids), Message.received_at >= first, Message.received_at < today + _DAY)
    ).subquery()
    counted = select(each.c.mailbox_id, each.c.day, func.count()).group_by(each.c.mailbox_id, each.c.day)
    for mailbox_id, day, count in session.execute(counted) if mailbox_ids else ():
        counts[mailbox_id][day] = count
    return {mailbox_id: Days(last=today.date(), counts=found) for mailbox_id, found in counts.items()}


def _day(first: datetime, days: int) -> ColumnElement[int]:
    """Return the number of a message's day. No two databases agree on how a time becomes a day of UTC."""
    ends = [(Message.received_at < first + (number + 1) * _DAY, number) for number in range(days - 1)]
    return case(*ends, else_=days - 1)
