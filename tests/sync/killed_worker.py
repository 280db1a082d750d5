"""A worker for tests that kill it: syncs one mailbox and tells through a pipe what it has handled so far."""

from __future__ import annotations

from dataclasses import dataclass
from multiprocessing.connection import Connection

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import text

from flask_ms365 import MS365, Change
from flask_ms365.models import Message


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a worker finds the host's database and Microsoft."""

    instance: str
    database: str
    url: str
    key: str
    mailbox_id: int = 0
    lease_seconds: int = 90


def host_app(place: Place, ms365: MS365) -> Flask:
    """Return the host's app in a process of its own; its handlers may be registered before or after."""
    app = Flask("worker", instance_path=place.instance)
    app.config.update(
        SECRET_KEY="not secret",
        SQLALCHEMY_DATABASE_URI=place.database,
        MS365_ENCRYPTION_KEYS=place.key,
        MS365_AUTHORITY_URL=place.url,
        MS365_GRAPH_URL=place.url,
        MS365_JOB_HOOK="external",
        MS365_LEASE_SECONDS=place.lease_seconds,
    )
    is_own = place.database.startswith("sqlite")
    ms365.init_app(app, db=None if is_own else SQLAlchemy(app))
    return app


def work(place: Place, pipe: Connection) -> None:
    """Sync the mailbox; the handler adds a row of the host's own for every message."""
    ms365, handled = MS365(), 0
    app = host_app(place, ms365)

    @ms365.on_message
    def keep(message: Message, change: Change) -> None:
        nonlocal handled
        handled += 1
        if change is Change.CREATED:
            session = app.extensions["sqlalchemy"].session
            session.execute(text("INSERT INTO effect (graph_id) VALUES (:id)"), {"id": message.graph_id})
        pipe.send(handled)

    with app.app_context():
        pipe.send(handled)
        pipe.send(str(ms365.sync_mailbox(place.mailbox_id).result))
