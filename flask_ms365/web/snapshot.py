"""The settings and the mailboxes as one request sees them: read once, whatever asks for them."""

from __future__ import annotations

from flask import g

from flask_ms365.heartbeat import Pulse, pulse
from flask_ms365.mailboxes.overdue import overdue_before
from flask_ms365.mailboxes.summary import Summary, summarise
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.state import current_state


def current_snapshot() -> Snapshot:
    """Return the settings as they were when this request first asked."""
    if "ms365_snapshot" not in g:
        g.ms365_snapshot = current_state().settings.read()
    snapshot: Snapshot = g.ms365_snapshot
    return snapshot


def fresh_snapshot() -> Snapshot:
    """Return the settings as they are now: somebody, maybe this request, has changed them."""
    g.pop("ms365_snapshot", None)
    return current_snapshot()


def current_summary() -> Summary:
    """Return how the mailboxes were when this request first asked."""
    if "ms365_summary" not in g:
        state = current_state()
        now = state.clock()
        limit = overdue_before(current_snapshot(), now)
        g.ms365_summary = summarise(state.session, now=now, limit=limit, user_id=state.current_user_id())
    summary: Summary = g.ms365_summary
    return summary


def current_pulse() -> Pulse:
    """Return how it is with those who tick, as this request first asked."""
    if "ms365_pulse" not in g:
        state = current_state()
        g.ms365_pulse = pulse(state.session, current_snapshot(), engine=state.engine, now=state.clock())
    found: Pulse = g.ms365_pulse
    return found
