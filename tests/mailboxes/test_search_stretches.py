"""Where a lot has what is searched for, PostgreSQL looks through the newest mail first; people may go on from there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask_sqlalchemy import SQLAlchemy

from flask_ms365.mailboxes import fulltext, search
from flask_ms365.mailboxes.correspondence import correspondence
from flask_ms365.models import Mailbox
from tests.conftest import Clock, HostFactory
from tests.mailboxes.searchable import Searchable
from tests.services import own_database
from tests.sync.conftest import empty

pytestmark = pytest.mark.service

_NEWEST, _STRETCH = 4, 10  # messages


@pytest.fixture
def mail(make_host: HostFactory, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searchable]:
    """Yield more mailboxes than a question can name, where all that is found is many, and stretches are short."""
    monkeypatch.setattr(fulltext, "_MANY", 0)
    monkeypatch.setattr(search, "_NEWEST", _NEWEST)
    monkeypatch.setattr(search, "_STRETCH", _STRETCH)
    db = SQLAlchemy()
    host = make_host(db=db, SQLALCHEMY_DATABASE_URI=own_database("postgresql"))
    with host.app.app_context():
        mail = Searchable(host, clock)
        for _ in range(101):
            mail.mailbox()
        yield mail
        empty(db)


def write(mail: Searchable, count: int) -> list[int]:
    """Write messages, the last of which has what the others have, too, but in that order; return their ids."""
    ids = [mail.message("Common ground") for _ in range(count - 1)] + [mail.message("Ground is common")]
    mail.index()
    return ids


def test_what_is_not_among_the_newest_is_found_in_the_stretch_of_which_the_index_is_asked(mail: Searchable) -> None:
    ids = write(mail, _STRETCH)
    found = mail.search('"ground is common"')
    assert [message.id for message in found.messages] == ids[-1:]


def test_a_page_that_is_full_needs_no_stretch(mail: Searchable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "PAGE", 2)
    ids = write(mail, 2 * _STRETCH)
    found = mail.search("common")
    assert ([message.id for message in found.messages], found.older, found.looked_back_to) == (ids[:2], ids[1], None)


def test_beyond_a_stretch_people_go_on_by_themselves(mail: Searchable) -> None:
    ids = write(mail, 2 * _STRETCH + 5)
    met, before = [], None
    for _ in range(3):
        found = mail.search('"ground is common"', before=before)
        met.append(([message.subject for message in found.messages], found.older))
        before = found.older
    assert met == [([], ids[_STRETCH - 1]), ([], ids[2 * _STRETCH - 1]), (["Ground is common"], None)]


def test_the_pages_together_have_every_message_once(mail: Searchable) -> None:
    ids = write(mail, 2 * _STRETCH + 5)
    found = mail.search("common")
    met = [message.id for message in found.messages]
    while found.older:
        found = mail.search("common", before=found.older)
        met += [message.id for message in found.messages]
    assert met == ids


def test_whoever_cannot_go_on_has_all_of_it_looked_through(mail: Searchable) -> None:
    write(mail, 2 * _STRETCH)
    found = mail.search('"ground is common"', is_whole=True)
    assert ([message.subject for message in found.messages], found.older) == (["Ground is common"], None)


def test_mail_with_somebody_is_found_however_old(mail: Searchable) -> None:
    for _ in range(2 * _STRETCH):
        mail.message("Hello", body="ana contoso example")
    mail.message("Long ago", from_address="ana@contoso.example")
    mail.index()
    found = correspondence(mail.session, "ana@contoso.example", readable=Mailbox.state != "deleting", limit=5)
    assert [message.subject for conversation in found.conversations for message in conversation] == ["Long ago"]


def test_the_page_says_how_far_back_it_was_and_leads_on(mail: Searchable) -> None:
    write(mail, 2 * _STRETCH)
    visitor = mail.host.visitor()
    page = visitor.get("/ms365/messages?mailbox=all&q=%22ground+is+common%22").text
    assert "No message matches so far. The mail was looked through back to:" in page
    link = re.search(r'rel="next" href="([^"]*)"', page)
    assert link is not None
    assert "Ground is common" in visitor.get(link[1].replace("&amp;", "&")).text
