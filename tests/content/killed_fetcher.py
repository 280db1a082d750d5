"""A worker for tests that kill it: stores what is attached and tells through a pipe how many it has begun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection

from flask import Flask

from flask_ms365 import MS365
from flask_ms365.sync.lease import claim


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a worker finds the host's database and Microsoft."""

    instance: str
    url: str
    key: str


def fetch(place: Place, ahead: timedelta, pipe: Connection) -> None:
    """Store what is missing in mailbox 1, by a clock that is ``ahead``."""

    def now() -> datetime:
        return datetime.now(timezone.utc) + ahead

    app = Flask("killed", instance_path=place.instance)
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=place.key,
        MS365_AUTHORITY_URL=place.url,
        MS365_GRAPH_URL=place.url,
        MS365_JOB_HOOK="external",
    )
    MS365(clock=now).init_app(app)
    begun = 0

    def tell() -> bool:
        nonlocal begun
        begun += 1
        pipe.send(begun)
        return False

    with app.app_context():
        state = app.extensions["ms365.state"]
        lease = claim(state.session, 1, owner=str(ahead), seconds=90, now=now(), only_due=False)
        assert lease is not None
        graph = state.runner.clients.of(1)
        pipe.send("more" if state.missing_contents.fetch(1, graph, lease, is_stopping=tell) else "done")
