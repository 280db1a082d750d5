"""The step that looks for whoever ticks: the heartbeat in the database, whichever process that is."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.span import span
from flask_ms365.check.subject import Subject
from flask_ms365.jobs.hook import TICK
from flask_ms365.models import Heartbeat
from flask_ms365.words import Words

_TICKS = 3  # that may be late before anybody is told
_SILENT = timedelta(minutes=15)


def worker(subject: Subject) -> Outcome:
    """See when somebody ticked last."""
    if not subject.snapshot.is_sync_on:
        return not_checked(Words("Emails sync is off."))
    next_step = _how_to_start(subject.engine)
    if subject.hook_problem:
        return warning(subject.hook_problem, next_step)
    seen = subject.session.scalar(select(Heartbeat.at))
    subject.session.commit()
    since, pace = _expected_since(subject, seen), _pace(subject)
    silence = subject.clock() - since if since else None
    said = _said(subject, seen, pace)
    if silence is None or silence > max(_SILENT, _TICKS * pace):
        return failed(said, next_step)
    if silence > _TICKS * pace:
        return warning(said, next_step)
    return passed(said) if since == seen else not_checked(Words("Emails sync was switched on a moment ago."))


def _expected_since(subject: Subject, seen: datetime | None) -> datetime | None:
    """Return the last tick or the moment of switching on, whichever was later: nobody need tick before that."""
    toggle = subject.snapshot.stored("email_sync")
    moments = [moment for moment in (seen, toggle and toggle.changed_at) if moment]
    return max(moments, default=None)


def _said(subject: Subject, seen: datetime | None, pace: timedelta) -> Words:
    if seen is None:
        return Words("Nobody has looked for new mail yet.")
    age = span(subject.clock() - seen)
    return Words("Last seen %(age)s ago, expected every %(pace)s", age=age, pace=span(pace))


def _pace(subject: Subject) -> timedelta:
    """Return how often somebody should tick; cron and timers do so at the pace of the host."""
    interval = timedelta(minutes=subject.snapshot.number("sync_interval"))
    return interval if subject.engine == "external" else TICK


def _how_to_start(engine: str) -> Words:
    if engine == "celery":
        return Words("Start Celery's beat and a worker.")
    if engine == "external":
        return Words('Keep "flask ms365 worker" running, or let a timer run "flask ms365 sync".')
    return Words("It starts with the first request. Is the app still running? uWSGI needs --enable-threads.")
