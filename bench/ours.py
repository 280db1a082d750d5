"""A host with this extension, its mailboxes put in directly: what is measured begins with a connected mailbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert, make_url, update
from sqlalchemy.orm import Mapped, mapped_column

from bench.databases import NOW, finish, mailbox_values, tuned
from bench.measured import Work
from bench.pages import token_of
from flask_ms365 import MS365
from flask_ms365.crypto import generate_key
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.identity.tokens import seal_pair
from flask_ms365.models import Connection, Folder, Mailbox, write_transaction
from flask_ms365.sync import engine, mailbox_client  # noqa: F401 - a worker that runs has them
from flask_ms365.sync.report import Result

_TID = "8f2f1b7e-6b8f-4a9a-9d5e-2c9d9c1f0b11"
_SETTINGS = {
    "client_id": "7b1f9c1e-54d0-4c6a-9e5b-0c6d1f6a2b3c",
    "client_secret": "bench8Q~not.a.secret_of-anybody.at.all",
    "tenant_id": _TID,
    "email_sync": "1",
    "sync_since": "0",
}


def host(graph: str, database: str, *, key: str = "", db: SQLAlchemy | None = None) -> tuple[Flask, MS365]:
    """Return an app; without ``db`` the extension keeps its own database."""
    folder = (make_url(database).database or "").rpartition("/")[0] if database.startswith("sqlite") else None
    app, ms365 = Flask("bench", instance_path=folder or "/nonexistent"), MS365()
    app.config.update(
        SECRET_KEY="not secret",
        SQLALCHEMY_DATABASE_URI=database,
        MS365_ENCRYPTION_KEYS=key or generate_key(),
        MS365_AUTHORITY_URL=graph,
        MS365_GRAPH_URL=graph,
        MS365_PUBLIC_BASE_URL="https://bench.example",
        MS365_JOB_HOOK="external",
    )
    if db is not None:
        db.init_app(app)
    ms365.init_app(app, db=db, authorize=lambda permission: True, current_user_id=lambda: "ana")
    if db is not None:
        with app.app_context():
            tuned(db.engine)
            db.create_all()
    return app, ms365


def connect(app: Flask, ms365: MS365, graph: str, numbers: Sequence[int] = (1,)) -> None:
    """Save the settings, and add mailboxes, each with a sign-in of its own whose token is good for long."""
    ms365.settings.save(_SETTINGS)
    state = app.extensions["ms365.state"]
    rows = [_connection(state.keyring, graph, number) for number in numbers]
    mailboxes = [{**mailbox_values(number), "connection_id": number} for number in numbers]
    with write_transaction(state.session):
        state.session.execute(insert(Connection.__table__), rows)  # type: ignore[arg-type]
        state.session.execute(insert(Mailbox.__table__), mailboxes)  # type: ignore[arg-type]


def _connection(keyring: Any, graph: str, number: int) -> dict[str, Any]:
    user, oid = f"user{number}", f"00000000-0000-4000-8000-{number:012}"
    token, scopes = token_of(number), ("Mail.Read",)
    pair = TokenPair(access_token=token, refresh_token=token, expires_in=86_400, scopes=scopes, id_token="")
    return {
        **seal_pair(keyring, pair, grant=(user, _TID, oid), now=NOW),
        "id": number,
        "user_id": user,
        "tid": _TID,
        "oid": oid,
        "authority": graph,
        "client_id": _SETTINGS["client_id"],
        "scopes": list(scopes),
        "created_at": NOW,
    }


def sync(ms365: MS365) -> None:
    """Sync mailbox 1 to its end."""
    report = ms365.sync_mailbox(1)
    if report.result is not Result.DONE:
        raise RuntimeError(f"{report.result} {report.error}")


def _connected(graph: str, database: str, db: SQLAlchemy | None = None) -> tuple[Flask, MS365]:
    app, ms365 = host(graph, database, db=db)
    with app.app_context():
        connect(app, ms365, graph)
    return app, ms365


def prepare_first(graph: str, database: str, folders: int) -> Work:
    """Measure a first sync."""
    app, ms365 = _connected(graph, database)
    return _sync_of(app, ms365, database)


def prepare_again(graph: str, database: str, folders: int) -> Work:
    """Measure what follows when Graph forgot the cursors and nothing has changed: every folder is read again."""
    app, ms365 = _connected(graph, database)
    with app.app_context():
        sync(ms365)
        session = app.extensions["ms365.state"].session
        with write_transaction(session):
            forgotten: dict[str, Any] = {"delta_link": None, "next_link": None, "round": Folder.round + 1}
            session.execute(update(Folder).values(forgotten))
            session.execute(update(Mailbox).values(next_due_at=NOW - timedelta(hours=1)))
    finish(database)
    return _sync_of(app, ms365, database)


def prepare_handled(graph: str, database: str, folders: int) -> Work:
    """Measure a first sync with a handler that adds a row of the host's for each message."""
    db = SQLAlchemy()

    class Ticket(db.Model):  # type: ignore[name-defined, misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        message_id: Mapped[int]

    app, ms365 = _connected(graph, database, db)

    @ms365.on_message
    def open_ticket(message: Any, change: Any) -> None:
        db.session.add(Ticket(message_id=message.id))

    return _sync_of(app, ms365, database)


def _sync_of(app: Flask, ms365: MS365, database: str) -> Work:
    def work() -> None:
        with app.app_context():
            sync(ms365)
        finish(database)

    return work
