"""Macros for the host's own pages: the mail with somebody, as far as one may read it, and how one's mailbox is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from flask import render_template_string, request
from sqlalchemy import event, select

from flask_ms365.mailboxes.indexing import Indexing
from flask_ms365.models import Mailbox, Message, Reader
from tests.conftest import Clock, Host
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, words

NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)
STAFF = {"own_mailbox", "read_mail"}
PAGE = """<!doctype html><title>Contact</title><h1>Contact</h1>
{% from "ms365/host.html" import ms365_status, ms365_styles, ms365_thread %}
{{ ms365_status() }}{{ ms365_thread(address, limit=limit) }}"""

Write = Callable[..., int]


@pytest.fixture
def crm(configured: Host) -> Host:
    """Return a host with a page of its own for each contact."""

    @configured.app.get("/contacts/<address>")
    def contact(address: str) -> str:
        return render_template_string(PAGE, address=address, limit=request.args.get("limit", 20, type=int))

    return configured


@pytest.fixture
def write(crm: Host, add_message: AddMessage) -> Write:
    """Return a function that puts a message into a mailbox and indexes it; each is a minute older."""
    count = 0

    def add(subject: str, **given: Any) -> int:
        nonlocal count
        count += 1
        given.setdefault("from_address", "bob@x.example")
        given.setdefault("received_at", NOON - timedelta(minutes=count))
        message_id = add_message(subject=subject, **given)
        index(crm)
        return message_id

    return add


def index(host: Host) -> None:
    """Do what a tick does for search."""
    with host.app.app_context():
        state = host.app.extensions["ms365.state"]
        Indexing(session=state.session, clock=state.clock).chore()


def contact_page(host: Host, address: str = "bob@x.example", **query: int) -> str:
    answer = host.visitor().get(f"/contacts/{address}", query_string=query)
    assert answer.status_code == 200
    return answer.text


def subjects(page: str) -> list[str]:
    return re.findall(r'ms365-row-name" href="[^"]*"><bdi>([^<]*)</bdi>', page)


def subjects_of_list(page: str) -> list[str]:
    return re.findall(r"ms365-subject[^>]*><bdi>([^<]*)</bdi>", page)


def to(address: str, kind: str = "to") -> list[dict[str, str]]:
    return [{"kind": kind, "name": "", "address": address}]


# ms365_thread


def test_it_shows_the_mail_from_and_to_an_address_newest_first(crm: Host, write: Write) -> None:
    write("From Bob")
    write("To Bob", from_address="ana@contoso.com", recipients=to("Bob@X.example"))
    write("Copy to Bob", from_address="ana@contoso.com", recipients=to("bob@x.example", "cc"))
    write("From Eve", from_address="eve@x.example")
    assert subjects(contact_page(crm)) == ["From Bob", "To Bob", "Copy to Bob"]


@pytest.mark.parametrize("address", ["BOB@X.EXAMPLE", " bob@x.example "])
def test_letter_case_and_spaces_do_not_matter(crm: Host, write: Write, address: str) -> None:
    write("From Bob")
    assert subjects(contact_page(crm, address)) == ["From Bob"]


@pytest.mark.parametrize("address", ["ob@x.example", "bob@x.exampl", "x.example", "bob", "*@x.example", '"', "%@%"])
def test_only_the_whole_address_counts(crm: Host, write: Write, address: str) -> None:
    write("From Bob")
    assert subjects(contact_page(crm, address)) == []


def test_mail_that_only_mentions_the_address_is_none(crm: Host, write: Write) -> None:
    write("About", from_address="eve@x.example", body="Ask bob@x.example about it.", body_content_type="text")
    assert subjects(contact_page(crm)) == []


def test_a_conversation_stands_together(crm: Host, write: Write) -> None:
    write("Re: Offer", conversation_id="1", preview="Agreed")
    write("Other")
    first = write("Offer", conversation_id="1", preview="What about it?")
    page = contact_page(crm)
    assert subjects(page) == ["Re: Offer", "Other"]
    assert page.index("Agreed") < page.index("What about it?") < page.index("Other")
    assert f'href="/ms365/messages/{first}"' in page


def test_links_lead_to_our_pages(crm: Host, write: Write) -> None:
    message_id = write("From Bob")
    assert contact_page(crm).count(f'href="/ms365/messages/{message_id}"') == 1
    assert crm.visitor().get(f"/ms365/messages/{message_id}").status_code == 200


def test_the_rest_is_a_link_away(crm: Host, write: Write) -> None:
    for number in range(3):
        write(f"Letter {number}")
    page = contact_page(crm, limit=2)
    assert subjects(page) == ["Letter 0", "Letter 1"]
    more = words(page, r'<a class="ms365-link" href="([^"]*)">Show all messages')
    assert subjects_of_list(crm.visitor().get(more).text) == ["Letter 0", "Letter 1", "Letter 2"]


def test_a_letter_that_lies_in_two_mailboxes_is_one(crm: Host, write: Write) -> None:
    for owner, kind in (("ana", "user"), (None, "system")):
        write("Twice", owner_id=owner, kind=kind, internet_message_id="<1@x.example>")
    assert subjects(contact_page(crm)) == ["Twice"]


def test_what_was_stored_a_moment_ago_is_there(crm: Host, write: Write, add_message: AddMessage) -> None:
    write("Found by the index")
    add_message(subject="New", from_address="bob@x.example", received_at=NOON)
    add_message(subject="New for Kim", owner_id="kim", from_address="bob@x.example", received_at=NOON)
    assert subjects(contact_page(crm)) == ["New", "Found by the index"]


def test_where_much_was_stored_just_now_it_says_so(
    crm: Host, write: Write, add_message: AddMessage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flask_ms365.mailboxes.correspondence._NEWEST", 1)
    write("Found by the index")
    for subject in ("New", "Newest"):
        add_message(subject=subject, from_address="bob@x.example", received_at=NOON)
    page = contact_page(crm)
    assert (subjects(page), "cannot be found yet" in page) == (["Newest", "Found by the index"], True)


def test_removed_mail_is_not_shown(crm: Host, write: Write) -> None:
    write("Gone", removed_at=NOON)
    assert subjects(contact_page(crm)) == []


def test_strange_mail_is_shown_as_text(crm: Host, write: Write) -> None:
    write("<script>x()</script>", from_name="<b>Bob</b>", preview="<img src=x>")
    page = contact_page(crm)
    assert ("<script>x" in page, "<b>Bob" in page, "<img" in page) == (False, False, False)
    assert "&lt;script&gt;x()&lt;/script&gt;" in page


# who may read it


def test_another_persons_mail_is_never_shown(crm: Host, write: Write) -> None:
    write("For Ana")
    crm.user_id = "kim"
    assert subjects(contact_page(crm)) == []


def test_not_even_to_admins(crm: Host, write: Write) -> None:
    write("For Kim", owner_id="kim")
    assert subjects(contact_page(crm)) == []


@pytest.mark.parametrize("is_reader", [False, True])
def test_mail_of_the_team_is_for_its_readers(crm: Host, write: Write, is_reader: bool) -> None:
    message_id = write("For the team", owner_id=None, kind="system")
    crm.user_id, crm.permissions = "kim", STAFF
    if is_reader:
        with crm.app.app_context():
            session = crm.app.extensions["sqlalchemy"].session
            mailbox_id = session.scalar(select(Message.mailbox_id).where(Message.id == message_id))
            session.add(Reader(mailbox_id=mailbox_id, kind="user", subject="kim"))
            session.commit()
    assert subjects(contact_page(crm)) == ["For the team"] * is_reader


@pytest.mark.parametrize(("user_id", "permissions"), [("ana", set()), (None, set()), (None, STAFF)])
def test_whoever_may_read_nothing_sees_nothing(
    crm: Host, write: Write, user_id: str | None, permissions: set[str]
) -> None:
    write("For Ana")
    crm.user_id, crm.permissions = user_id, permissions
    assert "For Ana" not in contact_page(crm)


def test_a_host_that_opens_nothing_gets_nothing(crm: Host, write: Write) -> None:
    write("For Ana")
    crm.app.extensions["ms365.state"].authorize = None
    page = contact_page(crm)
    assert ("For Ana" in page, "ms365" in page) == (False, False)


# ms365_status


def status_of(page: str) -> list[str]:
    rows = re.findall(r'<li class="ms365-row">(.*?)</li>', page.partition("ms365-row-name")[0], re.DOTALL)
    return [words(f"<x>{row}</x>", r"<x>(.*)</x>") for row in rows]


def test_it_says_how_the_visitors_own_mailbox_is(crm: Host, add_message: AddMessage) -> None:
    add_message(subject="Hello")
    assert status_of(contact_page(crm, "nobody@x.example")) == ["Never synced ana@contoso.com My email"]


def test_it_offers_to_connect(crm: Host) -> None:
    assert status_of(contact_page(crm)) == ["Your email is not connected Connect it"]


def test_admins_see_how_many_need_them(crm: Host, clock: Clock) -> None:
    due = {"created_at": clock(), "next_due_at": clock()}
    with crm.app.app_context():
        session = crm.app.extensions["sqlalchemy"].session
        for owner in ("kim", "lee"):
            address = f"{owner}@contoso.com"
            session.add(Mailbox(kind="user", owner_id=owner, address=address, state="sign_in_needed", **due))
        session.commit()
        session.add(Mailbox(kind="user", owner_id="ana", address="ana@contoso.com", state="sign_in_needed", **due))
        session.commit()
    own = "Sign-in needed ana@contoso.com My email"
    assert status_of(contact_page(crm)) == [own, "2 mailboxes need you Open the list"]
    crm.permissions = STAFF
    assert status_of(contact_page(crm))[1:] == []


# how it looks, and what it costs


def test_the_style_sheet_is_linked_once(crm: Host, write: Write) -> None:
    write("From Bob")
    assert contact_page(crm).count('<link rel="stylesheet"') == 1


def test_a_host_may_link_it_in_its_head(crm: Host) -> None:
    styled = PAGE.replace("{{ ms365_status", "<main>{{ ms365_status")
    with crm.app.test_request_context("/"):
        head = '{% from "ms365/host.html" import ms365_styles %}<head>{{ ms365_styles() }}</head>'
        page = render_template_string(head + styled, address="bob@x.example", limit=20)
    assert page.index("<link") < page.index("<main>")
    assert page.count("<link") == 1


def test_much_mail_costs_no_more_statements(crm: Host, add_message: AddMessage) -> None:
    def cost() -> int:
        seen: list[str] = []
        visitor = Visitor(crm.app)
        visitor.get("/contacts/bob@x.example")
        with crm.app.app_context():
            engine = crm.app.extensions["sqlalchemy"].engine

        def note(*given: Any) -> None:
            seen.append(given[2])

        event.listen(engine, "before_cursor_execute", note)
        visitor.get("/contacts/bob@x.example")
        event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    add_message(subject="One", from_address="bob@x.example", received_at=NOON)
    index(crm)
    few = cost()
    for number in range(60):
        add_message(subject=f"Letter {number}", from_address="bob@x.example", received_at=NOON)
    index(crm)
    assert (cost() - few, few <= 10) == (0, True)
