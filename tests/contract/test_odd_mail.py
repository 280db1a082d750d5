"""Mail that no tidy mailbox has, and mail that cannot be read. Over the simulator only."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import quote

import pytest

from flask_ms365.simulator import Attachment

from .client import Desk, Graph, graph_error_of

DELTA = "/me/mailFolders/inbox/messages/delta"
IMMUTABLE = 'IdType="ImmutableId"'


@pytest.fixture
def me(desk: Desk) -> Graph:
    """Graph, signed in."""
    return desk.graph()


def test_a_message_may_lack_sender_subject_and_date(desk: Desk, me: Graph) -> None:
    desk.box.deliver(subject=None, sender=None, sent_at=None, is_undated=True)
    (message,) = me.get(DELTA).json()["value"]
    assert (message["subject"], message["receivedDateTime"], message["sentDateTime"]) == (None, None, None)
    assert not {"from", "sender"} & message.keys()


@pytest.mark.parametrize("year", [1, 9999])
def test_a_message_may_be_of_any_year(desk: Desk, me: Graph, year: int) -> None:
    desk.box.deliver(subject="Odd", received_at=datetime(year, 12, 31, tzinfo=timezone.utc))
    assert me.get(DELTA).json()["value"][0]["receivedDateTime"] == f"{year:04}-12-31T00:00:00Z"


@pytest.mark.parametrize("message_id", ["A" * 2_000, "AAk/+=", "AAkÄ🚲"])
def test_an_id_may_be_of_any_length_and_letters(desk: Desk, me: Graph, message_id: str) -> None:
    desk.box.deliver(subject="Odd", message_id=message_id)
    assert me.get(DELTA, Prefer=IMMUTABLE).json()["value"][0]["id"] == message_id
    path = f"/me/messages/{quote(message_id, safe='')}"
    assert me.get(path, Prefer=IMMUTABLE).json()["subject"] == "Odd"
    desk.box.delete(message_id)
    assert graph_error_of(me.get(path)) == (404, "ErrorItemNotFound")


def test_a_subject_may_hold_what_no_database_takes(desk: Desk, me: Graph) -> None:
    desk.box.deliver(subject="a\0b \u202etxt.exe \ud83d c")
    assert rb'"a\u0000b' in me.get(f"{DELTA}?$select=subject").data
    assert rb"\ud83d c" in me.get(f"{DELTA}?$select=subject").data


def test_a_message_may_have_ten_thousand_recipients(desk: Desk, me: Graph) -> None:
    desk.box.deliver(subject="All", to=[f"{number}@x.example" for number in range(10_000)])
    assert len(me.get(DELTA).json()["value"][0]["toRecipients"]) == 10_000


def test_what_is_no_plain_mail_says_so(desk: Desk, me: Graph) -> None:
    desk.box.deliver(subject="Meet", odata_type="#microsoft.graph.eventMessageRequest")
    assert me.get(DELTA).json()["value"][0]["@odata.type"] == "#microsoft.graph.eventMessageRequest"


@pytest.mark.parametrize(("status", "code"), [(500, "ErrorCorruptData"), (504, None)])
def test_a_corrupt_message_may_break_the_page_that_tells_its_body(
    desk: Desk, me: Graph, status: int, code: str | None
) -> None:
    message_id = desk.box.deliver(subject="Corrupt")
    desk.box.fail_message(message_id, status, code, in_pages=True)
    assert me.get(DELTA).status == status
    assert me.get(f"{DELTA}?$select=subject,body").status == status
    assert me.get(f"/me/messages/{message_id}").status == status
    slim = me.get(f"{DELTA}?$select=subject", Prefer=IMMUTABLE).json()
    assert [one["id"] for one in slim["value"]] == [message_id]


def test_a_healed_message_is_read_again(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Corrupt")
    desk.box.fail_message(message_id, in_pages=True)
    desk.box.heal_message(message_id)
    assert [me.get(path).status for path in (DELTA, f"/me/messages/{message_id}")] == [200, 200]


def test_an_answer_that_is_too_large_is_an_empty_504(desk: Desk, me: Graph) -> None:
    desk.box.largest_answer = 30_000
    desk.box.deliver_many(4, body_size=8_000)
    answer = me.get(DELTA, Prefer="odata.maxpagesize=4")
    assert (answer.status, answer.data) == (504, b"")
    assert len(me.get(DELTA, Prefer="odata.maxpagesize=2").json()["value"]) == 2


def test_a_link_that_was_too_large_goes_on_in_smaller_pages(desk: Desk, me: Graph) -> None:
    desk.box.deliver_many(4, body_size=8_000)
    link = me.get(DELTA, Prefer="odata.maxpagesize=1").json()["@odata.nextLink"]
    desk.box.largest_answer = 30_000
    assert me.get(link, Prefer="odata.maxpagesize=3").status == 504
    assert len(me.round(link, Prefer="odata.maxpagesize=1")[0]) == 3


def test_one_attachment_may_be_impossible_to_open(desk: Desk, me: Graph) -> None:
    message_id = desk.box.deliver(subject="Two files", attachments=[("a.txt", "text/plain", b"a"), ("b", "x/y", b"b")])
    desk.box.fail_attachment(message_id, "a.txt")
    path = f"/me/messages/{message_id}/attachments"
    bad, good = me.get(f"{path}?$select=id,name").json()["value"]
    assert graph_error_of(me.get(f"{path}/{bad['id']}/$value")) == (500, "ErrorCannotOpenFileAttachment")
    assert me.get(f"{path}/{good['id']}/$value").data == b"b"


def test_the_content_of_an_attachment_is_streamed(desk: Desk, me: Graph) -> None:
    content = bytes(range(256)) * 1_000
    message_id = desk.box.deliver(subject="File", attachments=[Attachment(name="a", content=content)])
    path = f"/me/messages/{message_id}/attachments"
    answer = me.get(f"{path}/{me.get(path).json()['value'][0]['id']}/$value", Accept_Encoding="gzip")
    assert (answer.headers["Transfer-Encoding"], "Content-Length" in answer.headers) == ("chunked", False)
    assert answer.data == content
