"""``ms365.content``: what lies behind a message, on demand."""

from __future__ import annotations

import tracemalloc
from email import message_from_bytes

import pytest
from flask import Response

from flask_ms365.errors import GraphError, NotFound, SignInNeeded, Throttled, Unauthorized, Unavailable
from flask_ms365.models import Mailbox, Message
from tests.content.conftest import File, Kept

MB = 1024 * 1024
PDF = File(name="a.pdf", content_type="application/pdf", content=b"%PDF-1.7 \x00\xff")


def item(content: bytes, name: str = "Inside") -> File:
    return File(name=name, content=content, kind="item")


def test_a_file_is_its_bytes_with_name_and_type(kept: Kept) -> None:
    content = kept.contents.attachment(kept.file(PDF))
    assert (content.name, content.content_type, content.kind) == ("a.pdf", "application/pdf", "file")
    assert b"".join(content) == PDF.content


def test_one_of_several_files_is_that_one(kept: Kept) -> None:
    first, second = kept.ids(kept.deliver(PDF, File(name="b.txt", content=b"b")))
    assert [b"".join(kept.contents.attachment(each)) for each in (second, first)] == [b"b", PDF.content]


@pytest.mark.parametrize(
    ("start", "content_type", "name"),
    [
        (b"Subject: Inside\r\n\r\nhello", "message/rfc822", "Inside.eml"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "text/vcard", "Inside.vcf"),
        (b"begin:vcalendar\r\nVERSION:2.0", "text/calendar", "Inside.ics"),
    ],
)
def test_an_item_comes_as_what_it_is(kept: Kept, start: bytes, content_type: str, name: str) -> None:
    content = kept.contents.attachment(kept.file(item(start)))
    assert (content.kind, content.content_type, content.name) == ("item", content_type, name)
    assert b"".join(content) == start


def test_a_link_says_that_it_is_one_and_asks_microsoft_nothing(kept: Kept) -> None:
    link = kept.file(File(name="Plan.docx", kind="reference"))
    with pytest.raises(GraphError, match="link to a file in the cloud") as caught:
        kept.contents.attachment(link)
    assert (caught.value.code, kept.requests("/$value")) == ("referenceAttachment", 0)


@pytest.mark.parametrize(("stored", "asked"), [("logo@1", "logo@1"), ("<logo@1>", "logo@1"), ("logo@1", "<logo@1>")])
def test_an_inline_image_is_found_by_its_content_id(kept: Kept, stored: str, asked: str) -> None:
    logo = File(name="logo.png", content_type="image/png", content=b"\x89PNG", is_inline=True, content_id=stored)
    content = kept.contents.inline(kept.deliver(PDF, logo), asked)
    assert (content.content_type, b"".join(content)) == ("image/png", b"\x89PNG")


@pytest.mark.parametrize("asked", ["Logo", "logo ", "", "log"])
def test_another_content_id_is_not_found(kept: Kept, asked: str) -> None:
    message = kept.deliver(PDF, File(content=b"1", content_id="logo x"))
    with pytest.raises(NotFound):
        kept.contents.inline(message, asked)


def test_an_inline_image_of_another_message_is_not_found(kept: Kept) -> None:
    kept.deliver(File(content=b"1", content_id="logo"))
    with pytest.raises(NotFound):
        kept.contents.inline(kept.deliver(PDF), "logo")


def test_a_message_is_mime_named_by_its_subject(kept: Kept) -> None:
    content = kept.contents.mime(kept.deliver(PDF, subject="Q1/Q2: invoices"))
    parsed = message_from_bytes(b"".join(content))
    assert (content.name, content.content_type, content.kind) == ("Q1_Q2_ invoices.eml", "message/rfc822", "message")
    assert (parsed["Subject"], parsed.get_content_type()) == ("Q1/Q2: invoices", "multipart/mixed")


def test_a_message_without_a_subject_has_a_name(kept: Kept) -> None:
    content = kept.contents.mime(kept.deliver(subject=None))
    content.close()
    assert content.name == "message.eml"


def test_what_nobody_stored_is_not_found(kept: Kept) -> None:
    for read in (kept.contents.attachment, kept.contents.mime):
        with pytest.raises(NotFound):
            read(4711)


def test_what_is_gone_at_microsoft_is_not_found(kept: Kept) -> None:
    message = kept.deliver(PDF)
    [attachment] = kept.ids(message)
    kept.mailbox.delete(kept.mailbox.messages()[0].id)
    with pytest.raises(NotFound):
        kept.contents.attachment(attachment)
    with pytest.raises(NotFound):
        kept.contents.mime(message)


def test_a_body_of_a_response_needs_no_app_context_and_no_session(kept: Kept) -> None:
    response = Response(kept.contents.attachment(kept.file(PDF)), content_type="application/pdf")
    assert response.get_data() == PDF.content


def test_the_callers_transaction_is_left_alone(kept: Kept) -> None:
    attachment = kept.file(PDF)
    with kept.host.app.app_context():
        box = kept.session.get(Mailbox, kept.mailbox_id())
        box.label = "mine"
        assert b"".join(kept.host.ms365.content.attachment(attachment)) == PDF.content
        assert box in kept.session.dirty


def test_thirty_megabytes_pass_through_little_memory(kept: Kept) -> None:
    attachment = kept.file(File(name="big.zip", content=bytes(30 * MB)))
    tracemalloc.start()
    try:
        content = kept.contents.attachment(attachment)
        total = sum(len(chunk) for chunk in content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (total, peak < 3 * MB) == (30 * MB, True), peak


def test_throttled_before_the_first_byte_is_waited_for(kept: Kept) -> None:
    attachment = kept.file(PDF)
    kept.simulator.fail_next(r"/\$value", 429, headers={"Retry-After": "0"})
    assert b"".join(kept.contents.attachment(attachment)) == PDF.content


def test_a_long_wait_is_told(kept: Kept) -> None:
    attachment = kept.file(PDF)
    kept.simulator.fail_next(r"/\$value", 429, headers={"Retry-After": "300"})
    with pytest.raises(Throttled) as caught:
        kept.contents.attachment(attachment)
    assert caught.value.retry_after == 300


def test_a_token_that_died_meanwhile_is_replaced(kept: Kept) -> None:
    attachment = kept.file(PDF)
    kept.simulator.fail_next(r"/\$value", 401)
    assert b"".join(kept.contents.attachment(attachment)) == PDF.content


def test_a_second_401_is_told(kept: Kept) -> None:
    attachment = kept.file(PDF)
    kept.simulator.fail_next(r"/\$value", 401, times=2)
    with pytest.raises(Unauthorized):
        kept.contents.attachment(attachment)


@pytest.mark.parametrize("code", ["ErrorCannotOpenFileAttachment", "ErrorCorruptData"])
def test_what_is_damaged_is_told_and_not_tried_again(kept: Kept, code: str) -> None:
    attachment = kept.file(PDF)
    kept.mailbox.fail_attachment(kept.mailbox.messages()[0].id, "a.pdf", code=code)
    with pytest.raises(GraphError, match="damaged where it is kept") as caught:
        kept.contents.attachment(attachment)
    assert (caught.value.code, isinstance(caught.value, Unavailable), kept.requests("/$value")) == (code, False, 1)


def test_a_mailbox_that_is_disconnected_asks_for_a_sign_in(kept: Kept) -> None:
    attachment = kept.file(PDF)
    with kept.host.app.app_context():
        kept.session.get(Mailbox, kept.mailbox_id()).connection_id = None
        kept.session.commit()
    with pytest.raises(SignInNeeded):
        kept.contents.attachment(attachment)


def test_ids_of_any_characters_stay_within_their_mailbox(kept: Kept) -> None:
    message = kept.deliver(PDF)
    with kept.host.app.app_context():
        kept.session.get(Message, message).graph_id = "../../users/bob/messages/x?y#z"
        kept.session.commit()
    with pytest.raises(GraphError):
        kept.contents.mime(message)
    assert [record.query for record in kept.simulator.requests if "bob" in record.path] == [""]
    assert all("/me/messages/" in record.path for record in kept.simulator.requests if "bob" in record.path)
