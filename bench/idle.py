"""How others look at a thousand mailboxes: a bare loop, with one read and one write for a hundred; plain requests."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import requests
import urllib3
from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from bench.databases import usual_engine
from bench.floor import PREFER, Page, row_of, upsert
from bench.measured import Work
from bench.rivals import row_of_json
from flask_ms365.crypto import Keyring
from flask_ms365.models import Connection, Folder, Mailbox, Message

_DUE = """
SELECT mailbox.id, folder.id, folder.delta_link, connection.access_token, user_id, tid, oid
FROM ms365_mailbox mailbox JOIN ms365_folder folder ON folder.mailbox_id = mailbox.id
JOIN ms365_connection connection ON connection.id = mailbox.connection_id
WHERE mailbox.next_due_at <= ? ORDER BY mailbox.next_due_at LIMIT 100
"""


class Changes(Page):
    """The last page of a round."""

    delta_link: str = msgspec.field(name="@odata.deltaLink", default="")


def path_of(database: str) -> str:
    """Return the file of an SQLite database."""
    return make_url(database).database or ""


def due(database: str) -> int:
    """Return how many mailboxes are due."""
    connection = sqlite3.connect(path_of(database))
    now = datetime.now(timezone.utc).replace(tzinfo=None).isoformat(" ")
    found = int(connection.execute("SELECT count(*) FROM ms365_mailbox WHERE next_due_at <= ?", (now,)).fetchone()[0])
    connection.close()
    return found


def prepare_bare(graph: str, database: str, key: str) -> Work:
    """urllib3 and sqlite3: one read and one write for a hundred mailboxes."""
    connection, http = sqlite3.connect(path_of(database), isolation_level=None), urllib3.PoolManager()
    connection.execute("PRAGMA synchronous=NORMAL")
    keyring, decoder = Keyring([key]), msgspec.json.Decoder(Changes)

    def work() -> None:
        while rows := connection.execute(_DUE, (_text(_now()),)).fetchall():
            changes = []
            for mailbox, folder, link, token, *grant in rows:
                headers = {"Prefer": PREFER, "Authorization": f"Bearer {_opened(keyring, token, grant)}"}
                page = decoder.decode(http.request("GET", link, headers=headers).data)
                changes += [(mailbox, *row_of(item, folder)[1:]) for item in page.value]
            ids = ", ".join(str(row[0]) for row in rows)
            later = _text(_now() + timedelta(minutes=10))
            connection.execute("BEGIN IMMEDIATE")
            if changes:
                connection.executemany(upsert("?", "excluded.{}"), changes)
            connection.execute(f"UPDATE ms365_mailbox SET next_due_at = ? WHERE id IN ({ids})", (later,))
            connection.execute("COMMIT")

    return work


def prepare_requests(graph: str, database: str, key: str) -> Work:
    """Plain requests, and a session of the ORM for each mailbox."""
    engine, http, keyring = usual_engine(database), requests.Session(), Keyring([key])

    def work() -> None:
        with Session(engine) as session:
            ids = session.scalars(select(Mailbox.id).where(Mailbox.next_due_at <= _now())).all()
        for mailbox_id in ids:
            with Session(engine) as session:
                _look(session, http, keyring, mailbox_id)

    return work


def _look(session: Session, http: requests.Session, keyring: Keyring, mailbox_id: int) -> None:
    mailbox = session.get_one(Mailbox, mailbox_id)
    connection = session.get_one(Connection, mailbox.connection_id)
    folder = session.scalars(select(Folder).where(Folder.mailbox_id == mailbox_id)).one()
    grant = connection.user_id, connection.tid, connection.oid
    token = _opened(keyring, connection.access_token or "", grant)
    page: Mapping[str, Any] = http.get(
        folder.delta_link or "", headers={"Authorization": f"Bearer {token}"}, timeout=30
    ).json()
    session.add_all(Message(**{**row_of_json(item, folder.id), "mailbox_id": mailbox_id}) for item in page["value"])
    folder.delta_link = page["@odata.deltaLink"]
    mailbox.next_due_at = _now() + timedelta(minutes=10)
    session.commit()


def _opened(keyring: Keyring, sealed: str, grant: Sequence[str]) -> str:
    return keyring.open(sealed, f"ms365_connection:{'/'.join(grant)}:access_token")


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _text(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ")
