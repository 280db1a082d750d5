"""Whether anybody ticks, and which engine: each tick leaves its time in a row. Silence is judged here alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, select

from flask_ms365.models import Heartbeat
from flask_ms365.models.base import AnySession
from flask_ms365.models.upsert import upsert
from flask_ms365.settings.snapshot import Snapshot

# how often an engine should look for due mailboxes; the sync interval is each mailbox's own
TICK = timedelta(seconds=30)
WORKER, PASS = "worker", "sync"  # ``flask ms365 worker`` and ``flask ms365 sync``: no hook stands for these

# timers of the host look at the pace of the sync, and not of a tick
_TIMED = (PASS, "external", "")
_LATE = 3  # ticks that may be missing before anybody is told
_SILENT = timedelta(minutes=15)
_HEARTBEAT: Any = Heartbeat.__table__


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Who ticked last and when, and what that means at the moment ``now``."""

    # who ticked last, or who is expected to
    engine: str
    last_at: datetime | None
    # since when somebody has ticked without a long silence; None where nobody does now
    since: datetime | None
    # the last tick or the moment of switching on, whichever was later: nobody need tick before that
    expected_since: datetime | None
    pace: timedelta
    now: datetime

    @property
    def is_late(self) -> bool:
        """Whether a few ticks are missing."""
        return self.expected_since is None or self.now - self.expected_since > _LATE * self.pace

    @property
    def is_silent(self) -> bool:
        """Whether nobody has ticked for so long that people must be told."""
        return self.expected_since is None or self.now - self.expected_since > _silence(self.pace)

    @property
    def next_at(self) -> datetime | None:
        """When the next tick is due."""
        return self.last_at + self.pace if self.last_at else None


def beat(session: AnySession, *, engine: str, at: datetime, interval: timedelta) -> None:
    """Within a transaction: write down that ``engine`` ticks; one statement, whoever is first."""
    is_back = at - _silence(_pace(engine, interval)) > _HEARTBEAT.c.at
    upsert(
        session,
        _HEARTBEAT,
        [{"engine": engine, "since": at, "at": at}],
        lambda new: {"since": case((is_back, new.since), else_=_HEARTBEAT.c.since), "at": new["at"]},
    )


def read_heartbeats(session: AnySession) -> list[Heartbeat]:
    """Return the row of each engine that ever ticked, the last one first; one statement."""
    return list(session.scalars(select(Heartbeat).order_by(Heartbeat.at.desc())))


def pulse(session: AnySession, snapshot: Snapshot, *, engine: str, now: datetime) -> Pulse:
    """Return how it is with those who tick; ``engine`` is the one that the host has chosen. One statement."""
    interval = snapshot.sync_interval
    beats, toggle = read_heartbeats(session), snapshot.stored("email_sync")
    last = beats[0] if beats else None
    signs = [at for at in (last and last.at, toggle and toggle.changed_at) if at]
    engine = last.engine if last else engine
    return Pulse(
        engine=engine,
        last_at=last.at if last else None,
        since=min((each.since for each in beats if _is_alive(each, interval, now)), default=None),
        expected_since=max(signs, default=None),
        pace=_pace(engine, interval),
        now=now,
    )


def _is_alive(beat: Heartbeat, interval: timedelta, now: datetime) -> bool:
    return now - beat.at <= _silence(_pace(beat.engine, interval))


def _pace(engine: str, interval: timedelta) -> timedelta:
    return interval if engine in _TIMED else TICK


def _silence(pace: timedelta) -> timedelta:
    return max(_SILENT, _LATE * pace)
