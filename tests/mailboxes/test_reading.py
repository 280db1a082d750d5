"""The list of messages on each database alike: one order, and every message on one page, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain

import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_ms365.mailboxes.reading import PAGE, Place, count_messages, folders_with_mail, list_messages
from flask_ms365.models import Folder, Mailbox, Message
from flask_ms365.models.base import AnySession
from tests.conftest import HostFactory
from tests.services import own_database
from tests.sync.conftest import empty

NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)
FOLDERS = 70
ON_SERVERS = [pytest.param(name, marks=pytest.mark.service) for name in ("postgresql", "mariadb")]


@pytest.fixture(params=["sqlite", *ON_SERVERS])
def session(request: pytest.FixtureRequest, make_host: HostFactory) -> Iterator[AnySession]:
    db = SQLAlchemy()
    url = "sqlite://" if request.param == "sqlite" else own_database(request.param)
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI=url)
    with host.app.app_context():
        yield db.session
        empty(db)


@pytest.fixture
def ids(session: AnySession) -> list[int]:
    """Fill a mailbox of many folders: most messages at the same instants as others, some removed, some undated."""
    mailbox = Mailbox(kind="user", address="ana@contoso.com", created_at=NOON, next_due_at=NOON)
    session.add(mailbox)
    session.flush()
    folders = [Folder(mailbox_id=mailbox.id, graph_id=str(n), name=f"Folder {n:02}") for n in range(FOLDERS)]
    session.add_all(folders)
    session.flush()
    for number in range(260):
        message = Message(mailbox_id=mailbox.id, folder_id=folders[number * 7 % FOLDERS].id, graph_id=str(number))
        message.received_at = None if number % 10 == 3 else NOON - timedelta(minutes=number % 5)
        message.removed_at = NOON if number % 13 == 5 else None
        message.recipients, message.categories = [], []
        session.add(message)
    session.commit()
    return [folder.id for folder in folders_with_mail(session, [mailbox.id])]


def place(message: Message) -> Place:
    return Place(message.received_at, message.id)


def in_order(session: AnySession) -> list[int]:
    """Return the ids of all messages in the order that is promised."""
    there = [message for message in session.query(Message) if message.removed_at is None]
    there.sort(key=lambda each: (each.received_at is not None, each.received_at or NOON, each.id), reverse=True)
    return [message.id for message in there]


def test_every_message_is_met_once_in_order(session: AnySession, ids: list[int]) -> None:
    pages = [list_messages(session, ids)]
    while pages[-1].has_older:
        pages.append(list_messages(session, ids, before=place(pages[-1].messages[-1])))
    met = [[message.id for message in page.messages] for page in pages]
    assert list(chain(*met)) == in_order(session)
    assert [page.has_newer for page in pages] == [False, *[True] * (len(pages) - 1)]


def test_the_way_back_is_the_same(session: AnySession, ids: list[int]) -> None:
    expected = in_order(session)
    last = session.get(Message, expected[-1])
    assert last is not None
    met, page = [last.id], list_messages(session, ids, after=place(last))
    while page.messages:
        met = [message.id for message in page.messages] + met
        page = list_messages(session, ids, after=place(page.messages[0]))
    assert (met, page.has_newer, page.has_older) == (expected, False, True)


def test_a_folder_of_its_own_is_in_order_too(session: AnySession, ids: list[int]) -> None:
    met = [message.id for message in list_messages(session, ids[:1]).messages]
    of_folder = {message.id for message in session.query(Message) if message.folder_id == ids[0]}
    assert met == [each for each in in_order(session) if each in of_folder]
    assert 0 < len(met) < PAGE


def test_messages_are_counted_by_folder_without_the_removed_ones(session: AnySession, ids: list[int]) -> None:
    count = count_messages(session, ids)
    assert (count.total, count.is_complete) == (len(in_order(session)), True)
    assert count.by_folder[ids[0]] == len(list_messages(session, ids[:1]).messages)
