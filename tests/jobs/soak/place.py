"""The databases that worker processes share, and the mailboxes in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import insert, select

from flask_ms365.models import Mailbox, write_transaction
from tests.conftest import Clock, Host, new_host
from tests.jobs.soak.microsoft import Organisation
from tests.services import own_database
from tests.sync.conftest import empty
from tests.sync.killed_worker import Place

LONG_AGO = datetime(2000, 1, 1, tzinfo=timezone.utc)


@contextmanager
def shared_host(folder: Path, database: str, organisation: Organisation) -> Iterator[Host]:
    """Run a host over one of the databases; all mailboxes of the organisation are connected, and the sync is on."""
    db, config = None, {}
    if database != "sqlite":
        db, config = SQLAlchemy(), {"SQLALCHEMY_DATABASE_URI": own_database(database)}
    host = new_host(folder / database, organisation, Clock(), db=db, **config)  # type: ignore[arg-type]
    with host.app.app_context():
        _fill(host, organisation)
    yield host
    with host.app.app_context():
        empty(host.app.extensions["sqlalchemy"])


def session_of(host: Host) -> Any:
    """Return the session of the host's database; it needs an app context."""
    return host.app.extensions["sqlalchemy"].session


def place_of(host: Host, **given: Any) -> Place:
    """Return where a worker finds the host's database."""
    return Place(
        instance=host.app.instance_path,
        database=host.app.config["SQLALCHEMY_DATABASE_URI"],
        url=host.app.config["MS365_GRAPH_URL"],
        key=host.app.config["MS365_ENCRYPTION_KEYS"],
        **given,
    )


def mailbox_ids(host: Host) -> list[int]:
    """Return the mailboxes of the host."""
    with host.app.app_context():
        return list(session_of(host).scalars(select(Mailbox.id).order_by(Mailbox.id)))


def _fill(host: Host, organisation: Organisation) -> None:
    session = session_of(host)
    settings = {
        "client_id": organisation.client_id,
        "client_secret": organisation.client_secret,
        "tenant_id": organisation.tenant_id,
        "sync_since": "0",
        "email_sync": "1",
    }
    host.ms365.settings.save(settings)
    same = {"kind": "system", "access": "application", "created_at": LONG_AGO, "next_due_at": LONG_AGO}
    with write_transaction(session):
        session.execute(insert(Mailbox), [{**same, "address": address} for address in organisation.addresses])
