"""Mail to search in, on each database: written as a sync writes it, and indexed as a tick does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, select, true

from flask_ms365.mailboxes.indexing import Indexing
from flask_ms365.mailboxes.search import Found, search
from flask_ms365.models import Folder, Mailbox, Message, SearchText
from tests.conftest import Clock, Host, HostFactory
from tests.identity.conftest import session_of
from tests.services import own_database
from tests.sync.conftest import empty

NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)


class Searchable:
    """A host with mailboxes, whose mail tests write themselves."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self.host = host
        self.clock = clock
        self.mailboxes: list[int] = []
        self._folders: dict[int, int] = {}
        self._count = 0

    @property
    def session(self) -> Any:
        return session_of(self.host)

    def mailbox(self, **columns: Any) -> int:
        """Add a mailbox with a folder."""
        at = {"created_at": NOON, "next_due_at": NOON}
        mailbox = Mailbox(
            **{"kind": "system", "address": f"team{len(self.mailboxes)}@contoso.example", **at, **columns}
        )
        self.session.add(mailbox)
        self.session.flush()
        self.mailboxes.append(mailbox.id)
        self._folders[mailbox.id] = self.folder(mailbox.id)
        self.session.commit()
        return self.mailboxes[-1]

    def folder(self, mailbox_id: int) -> int:
        """Add a folder."""
        self._count += 1
        folder = Folder(mailbox_id=mailbox_id, graph_id=f"folder{self._count}", name="Inbox")
        self.session.add(folder)
        self.session.commit()
        return folder.id

    def message(self, subject: str | None = None, **columns: Any) -> int:
        """Add a message; each is a minute older than the one before."""
        self._count += 1
        mailbox_id = columns.setdefault("mailbox_id", self.mailboxes[0])
        columns.setdefault("folder_id", self._folders[mailbox_id])
        columns.setdefault("received_at", NOON - timedelta(minutes=self._count))
        message = Message(
            **{"subject": subject, "graph_id": f"message{self._count}", "recipients": [], "categories": [], **columns}
        )
        self.session.add(message)
        self.session.commit()
        return message.id

    def index(self) -> None:
        """Do what a tick does for search."""
        Indexing(session=self.session, clock=self.clock).chore()

    def indexed(self) -> list[int]:
        """Return the ids of the messages that are indexed."""
        return list(self.session.scalars(select(SearchText.message_id).order_by(SearchText.message_id)))

    def search(self, text: str, *, readable: ColumnElement[bool] | None = None, **where: Any) -> Found:
        """Search, by default with the right to read everything."""
        return search(self.session, text, readable=true() if readable is None else readable, **where)

    def found(self, text: str, **where: Any) -> list[str | None]:
        """Return the subjects of what a search finds."""
        return [message.subject for message in self.search(text, **where).messages]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.service),
        pytest.param("mariadb", marks=pytest.mark.service),
    ]
)
def mail(request: pytest.FixtureRequest, make_host: HostFactory, clock: Clock) -> Iterator[Searchable]:
    """Yield an empty mailbox, in the context of its host."""
    db = None if request.param == "sqlite" else SQLAlchemy()
    host = make_host(db=db, **({"SQLALCHEMY_DATABASE_URI": own_database(request.param)} if db else {}))
    with host.app.app_context():
        mail = Searchable(host, clock)
        mail.mailbox()
        yield mail
        if db is not None:
            empty(db)
