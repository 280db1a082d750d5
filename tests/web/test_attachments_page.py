"""Downloads: attachments and whole messages, for those who may read them, and never as anything that runs."""

from __future__ import annotations

from email import message_from_bytes

import pytest
from sqlalchemy import select

from flask_ms365 import simulator as microsoft
from flask_ms365.models import Attachment, Mailbox
from flask_ms365.simulator import Simulator
from tests.conftest import Host
from tests.visitor import Visitor
from tests.web.conftest import Deliver, main

File = microsoft.Attachment
PDF = File(name="a.pdf", content_type="application/pdf", content=b"%PDF-1.7 \x00\xff")


@pytest.fixture
def visitor(connected: Host) -> Visitor:
    return connected.visitor()


def address_of(host: Host, message_id: int) -> str:
    """Return the address of the last attachment of a message."""
    with host.app.app_context():
        rows = select(Attachment.id).where(Attachment.message_id == message_id).order_by(Attachment.id.desc())
        found = host.app.extensions["sqlalchemy"].session.scalars(rows).first()
    return f"/ms365/attachments/{found}"


@pytest.fixture
def pdf(connected: Host, deliver: Deliver) -> str:
    """Return the address of a PDF that came to Ana."""
    return address_of(connected, deliver(subject="Report", attachments=[PDF]))


def test_an_attachment_is_a_download_under_its_name(visitor: Visitor, pdf: str) -> None:
    answer = visitor.get(pdf)
    expected = {
        "Content-Type": "application/pdf",
        "Content-Disposition": "attachment; filename=a.pdf",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    assert {name: answer.headers[name] for name in expected} == expected
    assert answer.data == PDF.content


@pytest.mark.parametrize(
    "content_type",
    [
        "text/html",
        "TEXT/HTML; charset=utf-8",
        "image/svg+xml",
        "application/xhtml+xml",
        "text/xml",
        "text/javascript",
        "application/x-shockwave-flash",
        "application/vnd.ms-htmlhelp+xml",
        "multipart/related",
        "nonsense",
        "",
    ],
)
def test_what_may_run_is_sent_as_bytes(connected: Host, visitor: Visitor, deliver: Deliver, content_type: str) -> None:
    file = File(name="x.html", content_type=content_type, content=b"<script>alert(1)</script>")
    answer = visitor.get(address_of(connected, deliver(attachments=[file])))
    assert (answer.content_type, answer.headers["Content-Disposition"].split(";")[0]) == (
        "application/octet-stream",
        "attachment",
    )


@pytest.mark.parametrize(
    "name", ['a"b;c=\r\nX: y.txt', "../../etc/passwd", "Ünïcödé 日本.txt", "\u202egpj.exe", "x" * 500]
)
def test_a_strangers_file_name_stays_inside_its_header(
    connected: Host, visitor: Visitor, deliver: Deliver, name: str
) -> None:
    answer = visitor.get(address_of(connected, deliver(attachments=[File(name=name, content=b"x")])))
    told = answer.headers["Content-Disposition"]
    assert (answer.status_code, answer.data, "X" in answer.headers) == (200, b"x", False)
    assert (told.startswith("attachment"), "/" in told, "\u202e" in told) == (True, False, False)


def test_head_tells_what_get_would_send(visitor: Visitor, pdf: str) -> None:
    asked, told = visitor.head(pdf), visitor.get(pdf)
    names = ("Content-Type", "Content-Disposition", "Content-Security-Policy")
    assert (asked.status_code, asked.data) == (200, b"")
    assert [asked.headers[name] for name in names] == [told.headers[name] for name in names]


def test_an_attached_message_comes_as_a_message(connected: Host, visitor: Visitor, deliver: Deliver) -> None:
    inside = File(name="Inside", content=b"Subject: Inside\r\n\r\nhello", kind="item")
    answer = visitor.get(address_of(connected, deliver(attachments=[inside])))
    assert (answer.content_type, answer.headers["Content-Disposition"]) == (
        "message/rfc822",
        "attachment; filename=Inside.eml",
    )


def test_a_whole_message_comes_as_eml(visitor: Visitor, deliver: Deliver) -> None:
    answer = visitor.get(f"/ms365/messages/{deliver(subject='Report: 1/2', text='Hello')}.eml")
    assert (answer.content_type, answer.headers["Content-Disposition"]) == (
        "message/rfc822",
        'attachment; filename="Report_ 1_2.eml"',
    )
    assert message_from_bytes(answer.data)["Subject"] == "Report: 1/2"


def test_strangers_and_those_who_are_signed_out_get_nothing(
    connected: Host, visitor: Visitor, deliver: Deliver, simulator: Simulator
) -> None:
    number = deliver(attachments=[PDF])
    simulator.requests.clear()
    addresses = [address_of(connected, number), f"/ms365/messages/{number}.eml"]
    connected.user_id = "ben"
    assert [visitor.get(each).status_code for each in addresses] == [404, 404]
    connected.permissions.clear()
    assert [visitor.get(each).status_code for each in addresses] == [403, 403]
    assert len(simulator.requests) == 0


def test_what_is_not_there_is_404(visitor: Visitor) -> None:
    addresses = ["/ms365/attachments/4711", "/ms365/messages/4711.eml", "/ms365/attachments/0"]
    assert [visitor.get(each).status_code for each in addresses] == [404] * 3


# what goes wrong


def test_what_microsoft_has_no_more_is_told(visitor: Visitor, pdf: str, mailbox: microsoft.Mailbox) -> None:
    mailbox.delete(mailbox.messages()[-1].id)
    answer = visitor.get(pdf)
    assert (answer.status_code, "Microsoft does not have it any more" in main(answer.text)) == (404, True)
    assert "Content-Disposition" not in answer.headers


def test_a_link_to_the_cloud_leads_to_outlook(connected: Host, visitor: Visitor, deliver: Deliver) -> None:
    number = deliver(attachments=[File(name="Plan.docx", kind="reference")])
    answer = visitor.get(address_of(connected, number))
    assert (answer.status_code, "link to a file in the cloud" in main(answer.text)) == (404, True)
    assert "Open in Outlook" in main(answer.text)


@pytest.mark.parametrize(
    ("status", "headers", "retry_after", "words"),
    [
        (429, {"Retry-After": "300"}, "300", "Microsoft asked us to slow down. Try again in 5 minutes."),
        (503, {"Retry-After": "60"}, "60", "Try again in a minute."),
    ],
)
def test_what_may_go_well_later_says_when(
    visitor: Visitor,
    pdf: str,
    simulator: Simulator,
    status: int,
    headers: dict[str, str],
    retry_after: str,
    words: str,
) -> None:
    simulator.fail_next(r"/\$value", status, headers=headers, times=9)
    answer = visitor.get(pdf)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, retry_after)
    assert words in main(answer.text)


def test_what_is_damaged_at_microsoft_is_told(visitor: Visitor, pdf: str, mailbox: microsoft.Mailbox) -> None:
    mailbox.fail_attachment(mailbox.messages()[-1].id, "a.pdf", code="ErrorCorruptData")
    answer = visitor.get(pdf)
    assert (answer.status_code, "it is damaged where it is kept" in main(answer.text)) == (502, True)


def test_a_sign_in_that_ended_is_told(connected: Host, visitor: Visitor, pdf: str) -> None:
    with connected.app.app_context():
        session = connected.app.extensions["sqlalchemy"].session
        session.scalars(select(Mailbox)).one().connection_id = None
        session.commit()
    answer = visitor.get(pdf)
    assert (answer.status_code, "must sign in again" in main(answer.text)) == (502, True)


@pytest.fixture
def stored(connected: Host, visitor: Visitor, deliver: Deliver) -> str:
    """Return the address of a PDF that is stored by policy."""
    with connected.app.app_context():
        connected.ms365.settings.save({"store_attachments": "1"})
    return address_of(connected, deliver(attachments=[PDF]))


def test_what_is_stored_asks_microsoft_nothing_and_tells_its_length(
    visitor: Visitor, stored: str, simulator: Simulator
) -> None:
    simulator.requests.clear()
    answer = visitor.get(stored)
    assert (answer.data, answer.headers["Content-Length"]) == (PDF.content, str(len(PDF.content)))
    assert (visitor.head(stored).headers["Content-Length"], len(simulator.requests)) == (str(len(PDF.content)), 0)
