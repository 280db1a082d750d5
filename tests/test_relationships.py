"""Mailboxes, folders and messages lead to each other, as plain SQLAlchemy: a host queries them with its own session."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, select
from sqlalchemy.orm import DeclarativeBase

from flask_ms365.models import Attachment, Folder, Mailbox, Message
from flask_ms365.simulator import User
from tests.conftest import Clock, Host, HostFactory


@pytest.fixture
def session(connected: Host, ana: User) -> Iterator[Any]:
    """Return the session of a host whose Ana has two letters in her inbox, one with a file."""
    ana.mailbox.deliver(subject="First", received_at=datetime(2026, 1, 1, tzinfo=timezone.utc))
    ana.mailbox.deliver(subject="Second", attachments=[("plan.txt", "text/plain", b"plan")])
    with connected.app.app_context():
        connected.ms365.tick()
        yield connected.app.extensions["sqlalchemy"].session


def test_the_messages_of_a_mailbox_are_a_query_to_be_narrowed(session: Any) -> None:
    mailbox = session.scalars(select(Mailbox)).one()
    newest = mailbox.messages.select().order_by(Message.received_at.desc()).limit(1)
    assert [message.subject for message in session.scalars(newest)] == ["Second"]


def test_asking_for_them_loads_none(session: Any) -> None:
    mailbox, statements = session.scalars(select(Mailbox)).one(), list[str]()
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    mailbox.messages.select().limit(20)
    assert statements == []


def test_a_message_leads_to_its_folder_mailbox_and_files(session: Any) -> None:
    message = session.scalars(select(Message).where(Message.subject == "Second")).one()
    assert (message.folder.name, message.mailbox.owner_id) == ("Inbox", "ana")
    assert [file.name for file in message.attachments] == ["plan.txt"]
    assert message.attachments[0].message is message


def test_a_mailbox_leads_to_its_folders_and_they_to_their_mail(session: Any) -> None:
    mailbox = session.scalars(select(Mailbox)).one()
    inbox = next(folder for folder in mailbox.folders if folder.well_known_name == "inbox")
    assert inbox.mailbox is mailbox
    assert {message.subject for message in session.scalars(inbox.messages.select())} == {"First", "Second"}


def test_what_a_host_changes_there_changes_no_mail(session: Any) -> None:
    message = session.scalars(select(Message).where(Message.subject == "First")).one()
    message.folder = Folder(mailbox_id=message.mailbox_id, graph_id="made up", name="Made up")
    message.attachments.append(Attachment(message_id=message.id, mailbox_id=1, graph_id="made up", kind="file"))
    session.commit()
    session.expire_all()
    assert (message.folder.name, len(message.attachments)) == ("Inbox", 0)
    assert "Made up" not in session.scalars(select(Folder.name)).all()


def test_deleting_a_mailbox_reads_none_of_its_mail(session: Any) -> None:
    statements: list[str] = []
    mailbox = session.scalars(select(Mailbox)).one()
    event.listen(session.get_bind(), "before_cursor_execute", lambda *given: statements.append(given[2]))
    session.delete(mailbox)
    session.flush()
    assert [statement.split()[0] for statement in statements] == ["DELETE"]


def test_a_handler_may_use_them(connected: Host, ana: User) -> None:
    seen = []
    connected.ms365.on_message(lambda message, change: seen.append((message.mailbox.owner_id, message.folder.name)))
    ana.mailbox.deliver(subject="Third")
    with connected.app.app_context():
        connected.ms365.tick()
    assert seen == [("ana", "Inbox")]


def test_they_work_where_the_tables_are_the_hosts_own(make_host: HostFactory, clock: Clock) -> None:
    class Base(DeclarativeBase):
        pass

    db = SQLAlchemy(model_class=Base)
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI="sqlite://")
    with host.app.app_context():
        now = clock()
        db.session.add(Mailbox(kind="user", owner_id="ana", address="ana@x.example", created_at=now, next_due_at=now))
        db.session.flush()
        mailbox = db.session.scalars(db.select(Mailbox)).one()
        assert (mailbox.folders, db.session.scalars(mailbox.messages.select().limit(1)).all()) == ([], [])
