"""How often something happened, counted over all processes: a few rows a day, which add up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Date, String, delete, func, select
from sqlalchemy.orm import Mapped, mapped_column

from flask_ms365.models.base import AnySession, Base, after_rollback, rows_changed, write_transaction
from flask_ms365.models.upsert import upsert_on
from flask_ms365.tally import Tally

# (name, label) -> how often; the label is empty where a name has none
Counts = Mapping[tuple[str, str], int]

_SLOTS = 16
_SELDOM = 500  # ticks: some hours
_KEPT = timedelta(days=60)
# all that is older lies in rows of this day: what is counted never becomes less
_LONG_AGO = date(1970, 1, 1)


class Count(Base):
    """A part of what was counted on a day (UTC). Which of its slots a transaction adds to is chance: all of them in one
    row would wait for each other.
    """

    __tablename__ = "ms365_count"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    label: Mapped[str] = mapped_column(String(32), primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    value: Mapped[int] = mapped_column(BigInteger)


_COUNT: Any = Count.__table__


def add_counts(session: AnySession, counts: Counts, *, at: datetime) -> None:
    """Within a transaction, and as the last thing in it: add to what was counted. One statement, or none."""
    same = {"day": at.date(), "slot": random.randrange(_SLOTS)}
    # in one order everywhere: two transactions that meet wait, and do not lock each other up
    rows = [{"name": name, "label": label, "value": counts[name, label], **same} for name, label in sorted(counts)]
    _add(session, [row for row in rows if row["value"]])


def write_tally(session: AnySession, tally: Tally, also: Counts, *, at: datetime) -> None:
    """Within a transaction, and as the last thing in it: add what this process has counted since, and ``also`` that."""
    taken = tally.take()
    after_rollback(session, lambda: tally.give_back(taken))
    add_counts(session, taken + Counter(also), at=at)


def read_counts(session: AnySession) -> Counts:
    """Return all that was ever counted; one statement."""
    summed = select(Count.name, Count.label, func.sum(Count.value)).group_by(Count.name, Count.label)
    return {(name, label): int(value) for name, label, value in session.execute(summed)}


def tidy_counts(session: AnySession, *, now: datetime) -> None:
    """At a tick: now and then put the days of long ago together. Chance says when: no process need remember it."""
    if random.randrange(_SELDOM) == 0:
        add_up_old_counts(session, now=now)


def add_up_old_counts(session: AnySession, *, now: datetime) -> None:
    """Put days of long ago together; whoever was faster has done it."""
    is_old = (Count.day > _LONG_AGO, Count.day < now.date() - _KEPT)
    with write_transaction(session):
        old = session.execute(select(Count.name, Count.label, Count.value).where(*is_old)).all()
        if not old:
            return
        if rows_changed(session, delete(Count).where(*is_old)) != len(old):
            session.rollback()
            return
        sums: Counter[tuple[str, str]] = Counter()
        for name, label, value in old:
            sums[name, label] += value
        same = {"day": _LONG_AGO, "slot": 0}
        _add(session, [{"name": name, "label": label, "value": sums[name, label], **same} for name, label in sums])


def _add(session: AnySession, rows: list[dict[str, Any]]) -> None:
    if rows:
        session.execute(_added(session.connection().dialect.name), rows)


@lru_cache(maxsize=4)
def _added(dialect: str) -> Any:
    """Return the statement that adds to a part, made once: it goes with every page."""
    return upsert_on(dialect, _COUNT, lambda new: {"value": _COUNT.c.value + new.value})
