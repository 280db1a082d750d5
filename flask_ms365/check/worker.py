"""The step that looks for whoever ticks: the heartbeat in the database, whichever process that is."""

from __future__ import annotations

from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.span import span
from flask_ms365.check.subject import Subject
from flask_ms365.heartbeat import Pulse, pulse
from flask_ms365.words import Words


def worker(subject: Subject) -> Outcome:
    """See when somebody ticked last."""
    if not subject.snapshot.is_sync_on:
        return not_checked(Words("Emails sync is off."))
    next_step = _how_to_start(subject.engine)
    if subject.hook_problem:
        return warning(subject.hook_problem, next_step)
    seen = pulse(subject.session, subject.snapshot, engine=subject.engine, now=subject.clock())
    subject.session.commit()
    said = _said(seen)
    if seen.is_silent:
        return failed(said, next_step)
    if seen.is_late:
        return warning(said, next_step)
    if seen.last_at == seen.expected_since:
        return passed(said)
    return not_checked(Words("Emails sync was switched on a moment ago."))


def _said(seen: Pulse) -> Words:
    if seen.last_at is None:
        return Words("Nobody has looked for new mail yet.")
    age = span(seen.now - seen.last_at)
    return Words("Last seen %(age)s ago, expected every %(pace)s", age=age, pace=span(seen.pace))


def _how_to_start(engine: str) -> Words:
    if engine == "celery":
        return Words("Start Celery's beat and a worker.")
    if engine == "external":
        return Words('Keep "flask ms365 worker" running, or let a timer run "flask ms365 sync".')
    return Words("It starts with the first request. Is the app still running? uWSGI needs --enable-threads.")
