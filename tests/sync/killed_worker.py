"""A worker for tests that kill it: syncs one mailbox and tells through a pipe what it has handled so far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from multiprocessing.connection import Connection
from pathlib import Path

from flask import Flask
from sqlalchemy import text

from flask_ms365 import MS365, Change
from flask_ms365.models import Message


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a worker finds the host's database and Microsoft."""

    instance: Path
    url: str
    key: str


def work(place: Place, ahead: timedelta, pipe: Connection) -> None:
    """Sync mailbox 1 by a clock that is ``ahead``; the handler adds a row of the host's own for every message."""
    ms365 = MS365(clock=lambda: datetime.now(timezone.utc) + ahead)
    app = Flask("killed", instance_path=str(place.instance))
    app.config.update(
        SECRET_KEY="not secret",
        MS365_ENCRYPTION_KEYS=place.key,
        MS365_AUTHORITY_URL=place.url,
        MS365_GRAPH_URL=place.url,
        MS365_JOB_HOOK="external",
    )
    handled = 0

    @ms365.on_message
    def keep(message: Message, change: Change) -> None:
        nonlocal handled
        handled += 1
        session = app.extensions["sqlalchemy"].session
        session.execute(text("INSERT INTO effect (graph_id) VALUES (:id)"), {"id": message.graph_id})
        pipe.send(handled)

    ms365.init_app(app)
    with app.app_context():
        pipe.send(str(ms365.sync_mailbox(1).result))
