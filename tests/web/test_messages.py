"""The list of messages: whose mail it shows, in which order, how one goes through it, and what that costs."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pytest
from sqlalchemy import event

from flask_ms365.mailboxes.indexing import Indexing
from flask_ms365.models import Message
from tests.conftest import Host
from tests.identity.conftest import session_of
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, main

MESSAGES = "/ms365/messages"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)
MOST = 8


def subjects(page: str) -> list[str]:
    return [html.unescape(subject) for subject in re.findall(r"ms365-subject[^>]*><bdi>(.*?)</bdi>", page)]


def link(page: str, rel: str) -> str:
    """Return where a link of the pager leads; empty where there is none."""
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return html.unescape(found[1]) if found else ""


def options(page: str, name: str) -> list[str]:
    """Return the words that a list box offers; none where there is no such box."""
    found = re.search(rf'<select[^>]*name="{name}">(.*?)</select>', page, re.DOTALL)
    return re.findall(r"<option[^>]*>(.*?)</option>", found[1]) if found else []


def walk(visitor: Visitor, address: str, rel: str) -> list[list[str]]:
    """Return the subjects of each page from ``address`` on."""
    pages = []
    while address:
        page = visitor.get(address).text
        pages.append(subjects(page))
        address = link(page, rel)
    return pages


def last_page(visitor: Visitor) -> str:
    """Return the address of the last page."""
    address = MESSAGES
    while following := link(visitor.get(address).text, "next"):
        address = following
    return address


def statements_of(host: Host, visitor: Visitor, address: str) -> list[str]:
    statements: list[str] = []
    with host.app.app_context():
        engine = host.app.extensions["sqlalchemy"].engine

    def note(connection: Any, cursor: Any, sql: str, *rest: Any) -> None:
        statements.append(sql)

    event.listen(engine, "before_cursor_execute", note)
    assert visitor.get(address).status_code == 200
    event.remove(engine, "before_cursor_execute", note)
    return statements


def test_the_newest_message_comes_first(visitor: Visitor, add_message: AddMessage) -> None:
    for hours, subject in ((2, "Second"), (3, "First"), (1, "Third")):
        add_message(subject=subject, received_at=NOON + timedelta(hours=hours))
    assert subjects(visitor.get(MESSAGES).text) == ["First", "Second", "Third"]


@pytest.fixture
def many(add_message: AddMessage) -> None:
    """Add 102 messages to two folders: three at each instant, and some without a date, over the edges of pages."""
    for number in range(102):
        received = NOON - timedelta(minutes=number // 3) if number < 70 else None
        add_message(subject=str(number), received_at=received, folder=("Inbox", "Sent Items")[number % 2])


@pytest.mark.usefixtures("many")
def test_every_message_is_on_exactly_one_page(visitor: Visitor) -> None:
    pages = walk(visitor, MESSAGES, "next")
    assert ([len(each) for each in pages], len(set(chain(*pages)))) == ([50, 50, 2], 102)


@pytest.mark.usefixtures("many")
def test_the_way_to_newer_mail_is_the_way_back_page_by_page(visitor: Visitor) -> None:
    there = walk(visitor, MESSAGES, "next")
    back = walk(visitor, last_page(visitor), "prev")
    assert back == there[::-1]


def test_the_first_page_on_the_way_back_is_a_whole_one(visitor: Visitor, add_message: AddMessage) -> None:
    for number in range(60):
        add_message(subject=str(number), received_at=NOON - timedelta(minutes=number))
    older = visitor.get(link(visitor.get(MESSAGES).text, "next")).text
    add_message(subject="New", received_at=NOON + timedelta(minutes=1))
    # a whole page newer than the second, and one more message before that
    newer = visitor.get(link(older, "prev")).text
    newest = visitor.get(link(newer, "prev"), follow_redirects=True).text
    assert (subjects(newer)[0], subjects(newest)[:2]) == ("0", ["New", "0"])
    assert (len(subjects(newest)), link(newest, "prev")) == (50, "")


def test_a_place_in_the_list_outlives_its_message(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    ids = [add_message(subject=str(number), received_at=NOON - timedelta(minutes=number)) for number in range(51)]
    older = link(visitor.get(MESSAGES).text, "next")
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        session.delete(session.get(Message, ids[49]))
        session.commit()
    assert subjects(visitor.get(older).text) == ["50"]


def test_the_way_back_keeps_mailbox_and_folder(visitor: Visitor, add_message: AddMessage) -> None:
    for number in range(51):
        add_message(received_at=NOON - timedelta(minutes=number))
    older = link(visitor.get(f"{MESSAGES}?mailbox=1&folder=1").text, "next")
    newer = link(visitor.get(older).text, "prev")
    assert [re.sub(r"(before|after)=[\d.]+&", "", each) for each in (older, newer)] == [
        f"{MESSAGES}?mailbox=1&folder=1"
    ] * 2


def test_a_folder_is_chosen_by_its_name_and_number_of_messages(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(subject="In the inbox")
    for number in (1, 2):
        add_message(subject=f"Sent {number}", folder="Sent Items", received_at=NOON + timedelta(hours=number))
    page = visitor.get(f"{MESSAGES}?folder=2").text
    assert options(visitor.get(MESSAGES).text, "folder") == ["All folders", "Inbox (1)", "Sent Items (2)"]
    assert (subjects(page), "Messages: 2" in page) == (["Sent 2", "Sent 1"], True)


def test_the_folder_of_another_mailbox_is_not_looked_at(visitor: Visitor, add_message: AddMessage) -> None:
    """It stays behind in the form when the mailbox is changed."""
    add_message(subject="Mine")
    add_message(owner_id=None, kind="system", subject="The team's")
    assert subjects(visitor.get(f"{MESSAGES}?mailbox=2&folder=1").text) == ["The team&#39;s".replace("&#39;", "'")]


def test_removed_mail_is_not_listed(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(subject="Removed", received_at=NOON, removed_at=NOON, removed_reason="deleted")
    add_message(subject="Still here", received_at=NOON)
    page = visitor.get(MESSAGES).text
    assert (subjects(page), "Messages: 1" in page) == (["Still here"], True)


def test_counting_ends_somewhere(visitor: Visitor, add_message: AddMessage, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("flask_ms365.mailboxes.reading", "flask_ms365.web.messages"):
        monkeypatch.setattr(f"{module}.COUNTED", 3)
    for number in range(5):
        add_message(folder="Inbox" if number else "Sent Items")
    page, sent = visitor.get(MESSAGES).text, visitor.get(f"{MESSAGES}?folder=1").text
    assert ("Messages: more than 3" in page, options(page, "folder")) == (True, ["All folders", "Inbox", "Sent Items"])
    assert "Messages: 1" in sent


def test_marks_are_words(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(is_read=False, has_attachments=True, is_draft=True)
    page = visitor.get(MESSAGES).text
    assert [mark for mark in ("Unread", "Attachment", "Draft") if mark not in main(page)] == []


# whose mail


def test_ones_own_mailbox_comes_before_the_teams(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(owner_id=None, kind="system", subject="The team")
    add_message(subject="Mine")
    page = visitor.get(MESSAGES).text
    assert options(page, "mailbox") == ["All mailboxes", "ana@contoso.com", "team@contoso.com"]
    assert subjects(page) == ["Mine"]


def test_a_few_mailboxes_can_be_read_as_one(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(owner_id=None, kind="system", subject="The team", received_at=NOON)
    add_message(subject="Mine", received_at=NOON - timedelta(hours=1))
    page = visitor.get(f"{MESSAGES}?mailbox=all").text
    assert subjects(page) == ["The team", "Mine"]
    assert re.findall(r'<bdi dir="ltr">(.*?)</bdi>', page) == ["team@contoso.com", "ana@contoso.com"]


def add_team(add_message: AddMessage, count: int) -> None:
    for number in range(count):
        add_message(owner_id=f"desk{number:02}", kind="system", subject=f"Desk {number}", received_at=NOON)


def test_more_than_ten_mailboxes_are_read_one_by_one(visitor: Visitor, add_message: AddMessage) -> None:
    add_team(add_message, 11)
    page = visitor.get(f"{MESSAGES}?mailbox=all").text
    assert (options(page, "mailbox")[:2], subjects(page)) == (["desk00@contoso.com", "desk01@contoso.com"], ["Desk 0"])


def index(host: Host) -> None:
    with host.app.app_context():
        Indexing(session=session_of(host), clock=lambda: NOON).chore()


@pytest.mark.parametrize("count", [11, 51])
def test_all_mailboxes_are_searched_however_many(
    host: Host, visitor: Visitor, add_message: AddMessage, count: int
) -> None:
    add_team(add_message, count)
    add_message(owner_id="ben", subject="Desk of Ben")
    index(host)
    page = visitor.get(f"{MESSAGES}?q=desk").text
    assert subjects(page) == ["Desk 0"]
    everywhere = html.unescape(re.findall(r'href="([^"]*)">Search in all mailboxes', page)[0])
    pages = [visitor.get(everywhere).text]
    while following := link(pages[-1], "next"):
        pages.append(visitor.get(following).text)
    assert sorted(chain(*map(subjects, pages))) == sorted(f"Desk {number}" for number in range(count))
    assert ("Inbox" in main(pages[0]), "desk05@contoso.com" in main(pages[0])) == (True, True)
    assert "Search in all mailboxes" not in pages[0]


@pytest.mark.parametrize("count", [11, 51])
def test_a_search_in_all_mailboxes_is_gone_on_with_by_its_form(
    host: Host, visitor: Visitor, add_message: AddMessage, count: int
) -> None:
    add_team(add_message, count)
    index(host)
    page = visitor.get(f"{MESSAGES}?mailbox=all&q=nothing").text
    assert re.search(r'<option value="all" selected>|type="hidden" name="mailbox" value="all"', page)
    assert subjects(visitor.get(f"{MESSAGES}?mailbox=all&address=&q=desk+7").text) == ["Desk 7"]
    assert subjects(visitor.get(f"{MESSAGES}?mailbox=all&address=&q=").text) == ["Desk 0"]


def test_a_search_in_all_mailboxes_takes_few_statements(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    add_team(add_message, 51)
    index(host)
    address = f"{MESSAGES}?mailbox=all&q=desk"
    assert len(statements_of(host, visitor, link(visitor.get(address).text, "next"))) <= MOST


def test_a_thousand_mailboxes_are_not_offered_but_found(visitor: Visitor, add_message: AddMessage) -> None:
    add_team(add_message, 51)
    page = visitor.get(MESSAGES).text
    assert (options(page, "mailbox"), 'name="address" value="desk00@contoso.com"' in page) == ([], True)
    assert subjects(visitor.get(f"{MESSAGES}?address=DESK42@contoso.com").text) == ["Desk 42"]
    assert subjects(visitor.get(f"{MESSAGES}?address=sk50").text) == ["Desk 50"]
    several = visitor.get(f"{MESSAGES}?address=desk4").text
    assert re.findall(r'<bdi dir="ltr">(.*?)</bdi>', several) == [f"desk4{digit}@contoso.com" for digit in range(10)]
    assert "No mailbox that you may read" in visitor.get(f"{MESSAGES}?address=desk_").text


@pytest.mark.parametrize("count", [2, 51])
def test_a_strangers_mailbox_is_not_there(visitor: Visitor, add_message: AddMessage, count: int) -> None:
    add_team(add_message, count)
    add_message(owner_id="ben", subject="Secret")
    addresses = [f"{MESSAGES}?mailbox={count + 1}", f"{MESSAGES}?mailbox=4711"]
    assert [visitor.get(address).status_code for address in addresses] == [404, 404]
    assert "Secret" not in visitor.get(f"{MESSAGES}?address=ben@contoso.com").text
    assert "ben@contoso.com" not in visitor.get(MESSAGES).text


def test_junk_in_the_query_is_not_looked_at(visitor: Visitor, add_message: AddMessage) -> None:
    add_message(subject="Still here")
    junk = ["x", "-1", "0", "9" * 30, "9" * 5000, "1.5x", "\0", "'", ".", "1.", ".x", "9" * 30 + ".1", "-.1", "--1.1"]
    names = ("before", "after", "folder", "mailbox", "conversation", "address")
    queries = [{name: text} for name in names for text in junk]
    pages = [visitor.get(MESSAGES, query_string=query, follow_redirects=True).text for query in queries]
    assert [query for query, page in zip(queries, pages, strict=True) if subjects(page) != ["Still here"]] == []


def test_a_message_with_nothing_in_it_is_listed(visitor: Visitor, add_message: AddMessage) -> None:
    add_message()
    page = visitor.get(MESSAGES).text
    assert ("(no subject)" in page, "No date" in page) == (True, True)


def test_what_a_stranger_wrote_is_never_markup(visitor: Visitor, add_message: AddMessage) -> None:
    hostile = '"><script>alert(1)</script>'
    add_message(folder=hostile, **dict.fromkeys(("subject", "from_name", "preview"), hostile))
    assert "<script>alert" not in visitor.get(MESSAGES).text


# what it costs


def test_a_list_of_messages_does_not_read_their_text(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    add_message(body="x" * 1000, body_content_type="text")
    statements = statements_of(host, visitor, MESSAGES)
    assert [sql for sql in statements if re.search(r"ms365_message\.body[ ,\n]", sql)] == []


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("rel", ["next", "prev"])
def test_every_page_takes_few_statements(host: Host, visitor: Visitor, rel: str) -> None:
    visitor.get(MESSAGES)  # the first request of an app asks a few things once
    counts, address = [], MESSAGES if rel == "next" else last_page(visitor)
    while address:
        counts.append(len(statements_of(host, visitor, address)))
        address = link(visitor.get(address).text, rel)
    assert (len(counts), max(counts) <= MOST, counts) == (3, True, counts)


def test_a_mailbox_of_many_folders_takes_few_statements(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    for number in range(120):
        add_message(folder=f"Folder {number}", subject=str(number), received_at=NOON - timedelta(minutes=number))
    pages = walk(visitor, MESSAGES, "next")
    assert list(chain(*pages)) == [str(number) for number in range(120)]
    assert walk(visitor, last_page(visitor), "prev")[-1] == pages[0]
    assert len(statements_of(host, visitor, link(visitor.get(MESSAGES).text, "next"))) <= MOST


@pytest.mark.parametrize("query", ["mailbox={mailbox}&q=Hello", "mailbox={mailbox}&q=Hello&before={id}"])
def test_a_search_in_one_mailbox_takes_few_statements(
    host: Host, visitor: Visitor, add_message: AddMessage, query: str
) -> None:
    ids = [add_message(subject="Hello") for _ in range(2)]
    with host.app.app_context():
        mailbox_id = host.app.extensions["sqlalchemy"].session.get(Message, ids[0]).mailbox_id
    address = f"{MESSAGES}?{query.format(mailbox=mailbox_id, id=ids[1])}"
    visitor.get(address)  # the first request of an app asks a few things once
    statements = statements_of(host, visitor, address)
    assert (len(statements) <= MOST, statements) == (True, statements)
