"""A conversation: what of it stands beside a message, and the page where it is read as a whole."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, main, words
from tests.web.test_messages import MOST, statements_of

MESSAGES = "/ms365/messages"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)


def add_turns(add_message: AddMessage, count: int, **fields: Any) -> list[int]:
    """Add a conversation, the newest message first; return the ids, the oldest first."""
    given = {"conversation_id": "c", "body": "<p>Text</p>", "body_content_type": "html", **fields}
    return [
        add_message(from_name=f"Person {number}", received_at=NOON + timedelta(minutes=number), **given)
        for number in reversed(range(count))
    ][::-1]


def card(page: str) -> str:
    return words(page, r"Conversation</h2>(.*?)</ol>")


def test_the_other_messages_stand_beside_a_message_in_order_of_time(visitor: Visitor, add_message: AddMessage) -> None:
    first, second, third = add_turns(add_message, 3)
    page = visitor.get(f"{MESSAGES}/{second}").text
    assert re.findall(r"Person \d|This message", card(page)) == ["Person 0", "Person 1", "This message", "Person 2"]
    assert re.findall(rf'href="{MESSAGES}/(\d+)">', page) == [str(first), str(third)]


def test_folder_and_marks_stand_beside_each(visitor: Visitor, add_message: AddMessage) -> None:
    (first,) = add_turns(add_message, 1)
    add_turns(add_message, 1, folder="Sent Items", is_read=False, is_draft=True)
    shown = card(visitor.get(f"{MESSAGES}/{first}").text)
    assert [mark for mark in ("Unread", "Draft", "Sent Items", "Inbox") if mark not in shown] == []


def test_a_message_without_others_has_no_conversation(visitor: Visitor, add_message: AddMessage) -> None:
    alone = [add_turns(add_message, 1)[0], add_message(), add_message()]
    assert ["Conversation</h2>" in visitor.get(f"{MESSAGES}/{number}").text for number in alone] == [False] * 3


def test_another_mailbox_is_another_conversation(visitor: Visitor, add_message: AddMessage) -> None:
    """Two mailboxes may have the same message; whoever reads one may not read the other for that."""
    mine, _ = add_turns(add_message, 2)
    add_turns(add_message, 1, owner_id="ben", subject="Ben's")
    add_message(owner_id="ben", conversation_id="c", from_name="Ben's friend")
    pages = [visitor.get(f"{MESSAGES}/{mine}").text, visitor.get(f"{MESSAGES}?conversation={mine}").text]
    assert ["Ben" in page for page in pages] == [False, False]


def test_removed_mail_is_left_out_unless_it_is_the_one_that_is_open(visitor: Visitor, add_message: AddMessage) -> None:
    first, _ = add_turns(add_message, 2)
    removed = add_message(conversation_id="c", from_name="Gone", removed_at=NOON, removed_reason="deleted")
    assert "Gone" not in card(visitor.get(f"{MESSAGES}/{first}").text)
    assert "Gone This message" in card(visitor.get(f"{MESSAGES}/{removed}").text)


def test_the_whole_conversation_unfolds_message_by_message(visitor: Visitor, add_message: AddMessage) -> None:
    ids = add_turns(add_message, 3)
    page = visitor.get(f"{MESSAGES}?conversation={ids[0]}").text
    assert re.findall(r"<details [^>]*?( open)?>", page) == ["", "", " open"]
    frames = re.findall(r"<iframe[^>]*>", page)
    assert [re.findall(r'src="(.*?)"', frame) for frame in frames] == [[f"{MESSAGES}/{each}/body"] for each in ids]
    assert {("sandbox=" in frame, 'loading="lazy"' in frame) for frame in frames} == {(True, True)}


def test_a_long_conversation_shows_its_newest_messages(visitor: Visitor, add_message: AddMessage) -> None:
    ids = add_turns(add_message, 55)
    page = visitor.get(f"{MESSAGES}?conversation={ids[0]}").text
    assert (page.count("<iframe"), "Older messages are not shown." in page) == (50, True)
    assert f"{MESSAGES}/{ids[-1]}/body" in page


def test_a_strangers_conversation_is_404(visitor: Visitor, add_message: AddMessage) -> None:
    theirs = add_turns(add_message, 2, owner_id="ben")[0]
    assert visitor.get(f"{MESSAGES}?conversation={theirs}").status_code == 404


def test_a_message_alone_is_a_conversation_of_one(visitor: Visitor, add_message: AddMessage) -> None:
    page = visitor.get(f"{MESSAGES}?conversation={add_message(from_name='Alone')}").text
    assert ("Alone" in main(page), "<iframe" in page) == (True, False)


def test_both_pages_take_few_statements(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    ids = add_turns(add_message, 20)
    visitor.get(MESSAGES)  # the first request of an app asks a few things once
    for address in (f"{MESSAGES}/{ids[3]}", f"{MESSAGES}?conversation={ids[3]}"):
        statements = statements_of(host, visitor, address)
        assert (len(statements) <= MOST, statements) == (True, statements)
