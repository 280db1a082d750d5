"""What sign-ins, checks and mailboxes prove of the setup, for the guide that ticks its steps from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select

from flask_ms365.models import CheckRun, Connection, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import DISCONNECTED


@dataclass(frozen=True, kw_only=True)
class LastCheck:
    """The last connection check that was finished; ``states`` by the names of its steps."""

    started_at: datetime
    states: dict[str, str] = field(default_factory=dict)

    @property
    def has_passed(self) -> bool:
        """Tell whether it did something, and nothing failed."""
        return "passed" in self.states.values() and "failed" not in self.states.values()


@dataclass(frozen=True, kw_only=True)
class Proofs:
    """What was seen to work. ``granted`` and ``asked`` are of this app's newest sign-in, None while there is none."""

    uri_worked: bool
    granted: tuple[str, ...] | None
    asked: tuple[str, ...]
    has_mailbox: bool
    last_check: LastCheck | None


def read_proofs(session: AnySession, *, client_id: str, redirect_uri: str) -> Proofs:
    """Return what is proved of the app ``client_id``; three statements."""
    of_this_app = Connection.client_id == client_id
    newest = select(Connection.granted_scopes, Connection.scopes).where(of_this_app)
    worked = exists().where(of_this_app, Connection.redirect_uri == redirect_uri)
    is_connected = exists().where(Mailbox.state.not_in(DISCONNECTED))
    uri_worked, has_mailbox = session.execute(select(worked, is_connected)).one()
    grant = session.execute(newest.order_by(Connection.id.desc()).limit(1)).one_or_none()
    return Proofs(
        uri_worked=uri_worked,
        granted=tuple(grant.granted_scopes) if grant else None,
        asked=tuple(grant.scopes) if grant else (),
        has_mailbox=has_mailbox,
        last_check=last_check(session),
    )


def last_check(session: AnySession) -> LastCheck | None:
    """Return the last check that was finished; one statement."""
    finished = select(CheckRun.started_at, CheckRun.steps).where(CheckRun.finished_at.is_not(None))
    run = session.execute(finished.order_by(CheckRun.id.desc()).limit(1)).one_or_none()
    if run is None:
        return None
    steps: list[dict[str, Any]] = run.steps
    return LastCheck(started_at=run.started_at, states={step["name"]: step["state"] for step in steps})
