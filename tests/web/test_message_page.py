"""The page of one message: who, when, what was done with it, and where its text and its files are."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any

import pytest

from flask_ms365.models import Attachment
from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.conftest import AddMessage, main, words

MESSAGES = "/ms365/messages"
NOON = datetime(2026, 3, 3, 12, tzinfo=timezone.utc)


def attach(host: Host, message_id: int, **fields: Any) -> int:
    """Put the row of an attachment beside a message; return its id."""
    with host.app.app_context():
        session = host.app.extensions["sqlalchemy"].session
        given = {"graph_id": "a", "mailbox_id": 1, "kind": "file", **fields}
        row = Attachment(message_id=message_id, **given)
        session.add(row)
        session.commit()
        return int(row.id)


def page_of(visitor: Visitor, add_message: AddMessage, **fields: Any) -> str:
    return str(visitor.get(f"{MESSAGES}/{add_message(**fields)}").text)


def value(page: str, label: str) -> str:
    """Return what stands beside a label."""
    return words(page, rf"<dt[^>]*>{label}</dt>\s*<dd[^>]*>(.*?)</dd>")


def test_a_message_that_does_not_exist_is_404(visitor: Visitor) -> None:
    numbers = ["0", "4711", "9" * 18, "9" * 30]
    assert [visitor.get(f"{MESSAGES}/{number}").status_code for number in numbers] == [404] * 4


def test_a_message_with_nothing_in_it_is_shown(visitor: Visitor, add_message: AddMessage) -> None:
    page = page_of(visitor, add_message)
    assert ("(no subject)" in page, "No date" in page, "This message has no text." in page) == (True, True, True)


def test_what_a_stranger_wrote_is_never_markup(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    hostile = '"><script>alert(1)</script>'
    people = [{"kind": "to", "name": hostile, "address": hostile}]
    texts = dict.fromkeys(("subject", "from_name", "from_address", "sender_name", "preview", "web_link"), hostile)
    number = add_message(recipients=people, categories=[hostile], folder=hostile, conversation_id="c", **texts)
    add_message(folder=hostile, conversation_id="c", **texts)
    attach(host, number, name=hostile, content_type=hostile)
    pages = [visitor.get(f"{MESSAGES}/{number}").text, visitor.get(f"{MESSAGES}?conversation={number}").text]
    assert ["<script>alert" in page for page in pages] == [False, False]


def test_a_link_that_is_not_to_a_web_page_is_left_out(visitor: Visitor, add_message: AddMessage) -> None:
    links = ["javascript:alert(1)", "http://outlook.example", "https", "https:[", "//evil", "data:x"]
    pages = [page_of(visitor, add_message, web_link=link) for link in links]
    assert [link for link, page in zip(links, pages, strict=True) if "Open in Outlook" in page] == []


def test_recipients_are_listed_by_kind(visitor: Visitor, add_message: AddMessage) -> None:
    people = [
        {"kind": "to", "name": "Ben", "address": "ben@contoso.com"},
        {"kind": "cc", "name": None, "address": "cleo@contoso.com"},
        {"kind": "cc", "name": "Dan", "address": None},
        {"kind": "cc", "name": "eve@contoso.com", "address": "eve@contoso.com"},
        {"kind": "bcc", "name": None, "address": None},
    ]
    page = page_of(visitor, add_message, recipients=people)
    assert (value(page, "To"), value(page, "Cc"), value(page, "Bcc")) == (
        "Ben < ben@contoso.com >",
        "cleo@contoso.com , Dan , eve@contoso.com",
        "",
    )


def test_names_cannot_turn_the_text_around_them(visitor: Visitor, add_message: AddMessage) -> None:
    reversing = "\u202egnp.exe"
    page = page_of(visitor, add_message, from_name=reversing, from_address="a@b.example", subject=reversing)
    assert page.count(f"<bdi>{reversing}</bdi>") == 2


def test_many_recipients_fold_away(visitor: Visitor, add_message: AddMessage) -> None:
    people = [{"kind": "to", "name": None, "address": f"p{number}@contoso.com"} for number in range(30)]
    page = page_of(visitor, add_message, recipients=people)
    folded = words(page, r"<details[^>]*>(.*?)</details>")
    assert (folded.startswith("And 10 more p20@contoso.com"), page.count("@contoso.com") >= 30) == (True, True)


def test_who_sent_it_for_somebody_else_is_told(visitor: Visitor, add_message: AddMessage) -> None:
    both = {"from_name": "Boss", "from_address": "boss@contoso.com"}
    page = page_of(visitor, add_message, sender_name="Kim", sender_address="kim@contoso.com", **both)
    same = page_of(visitor, add_message, sender_name="Boss", sender_address="BOSS@contoso.com", **both)
    assert (value(page, "Sent by"), value(same, "Sent by")) == ("Kim < kim@contoso.com >", "")


@pytest.mark.parametrize(
    ("fields", "mark"),
    [
        ({"is_read": False}, "Unread"),
        ({"is_draft": True}, "Draft"),
        ({"importance": "high"}, "High importance"),
        ({"importance": "low"}, "Low importance"),
        ({"flag_status": "flagged"}, "Flagged"),
        ({"flag_status": "complete"}, "Flag: done"),
        ({"removed_at": NOON, "removed_reason": "deleted"}, "Deleted in Outlook, seen on 3 Mar 2026, 12:00 UTC"),
        ({"removed_at": NOON, "removed_reason": "unselected"}, "Moved in Outlook to a folder that is not read"),
    ],
)
def test_what_was_done_with_it_is_said_in_words(
    visitor: Visitor, add_message: AddMessage, fields: dict[str, Any], mark: str
) -> None:
    marked, plain = page_of(visitor, add_message, **fields), page_of(visitor, add_message)
    assert (mark in main(marked), mark in main(plain)) == (True, False)


def test_folder_mailbox_and_categories_are_named(visitor: Visitor, add_message: AddMessage) -> None:
    page = page_of(visitor, add_message, folder="Projects", categories=["Red", "Urgent"])
    assert (value(page, "Folder"), value(page, "Categories")) == ("Projects ( ana@contoso.com )", "Red , Urgent")


def test_attachments_are_downloads_and_links_are_not(host: Host, visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message()
    file = attach(host, number, name="a.pdf", content_type="application/pdf", size=2048)
    attach(host, number, name="Plan.docx", kind="reference")
    page = visitor.get(f"{MESSAGES}/{number}").text
    assert re.findall(r'href="(/ms365/attachments/\d+)"', page) == [f"/ms365/attachments/{file}"]
    assert [text for text in ("2 KB", "Link to a file in the cloud") if text not in main(page)] == []


def test_a_message_can_be_downloaded_whole(visitor: Visitor, add_message: AddMessage) -> None:
    number = add_message()
    assert f'href="{MESSAGES}/{number}.eml"' in visitor.get(f"{MESSAGES}/{number}").text
