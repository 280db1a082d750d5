"""Real mail, as Exchange would file it: decoded leniently, whatever is wrong with it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from flask_ms365.simulator import Recipient
from flask_ms365.simulator.compose import compose
from flask_ms365.simulator.mime import UnreadableMail, parse, serialize

ALTERNATIVE = b"""Subject: Both
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

words
--b
Content-Type: text/html

<p>page</p>
--b--
"""


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: =?utf-8?B?w4RuZGVydW5n?=", "Änderung"),
        (b"Subject: =?utf-8?Q?one?=\n =?utf-8?Q?two?=", "onetwo"),
        (b"Subject: =?x-unknown?Q?caf=E9?=", "café"),
        ("Subject: Änderung".encode(), "Änderung"),
        ("Subject: Änderung".encode("latin-1"), "Änderung"),
        (b"Subject:", ""),
        (b"X-Other: 1", None),
    ],
)
def test_a_subject_is_decoded(header: bytes, subject: str | None) -> None:
    assert parse(header + b"\n\nbody").subject == subject


@pytest.mark.parametrize(
    ("header", "recipients"),
    [
        (b"To: Ada <ada@x.example>, bob@x.example", [("Ada", "ada@x.example"), ("bob@x.example", "bob@x.example")]),
        (b"To: =?utf-8?Q?M=C3=BCller=2C_Jo?= <jo@x.example>", [("Müller, Jo", "jo@x.example")]),
        (b"To: undisclosed-recipients:;", []),
        (b"To: ", []),
    ],
)
def test_recipients_are_names_and_addresses(header: bytes, recipients: list[tuple[str, str]]) -> None:
    assert parse(header + b"\n\n").recipients == tuple(Recipient("to", *one) for one in recipients)


@pytest.mark.parametrize(
    ("date", "sent_at"),
    [
        (b"Tue, 01 Sep 2026 10:15:30 +0200", datetime(2026, 9, 1, 8, 15, 30, tzinfo=timezone.utc)),
        (b"Tue, 01 Sep 2026 10:15:30", datetime(2026, 9, 1, 10, 15, 30, tzinfo=timezone.utc)),
        (b"yesterday", None),
        (b"Tue, 99 Sep 2026 10:15:30 +0200", None),
        (b"Fri, 31 Dec 9999 23:59:59 -1200", None),
    ],
)
def test_a_broken_date_is_no_date(date: bytes, sent_at: datetime | None) -> None:
    assert parse(b"Date: " + date + b"\n\n").sent_at == sent_at


def test_html_is_preferred_and_the_text_kept() -> None:
    mail = parse(ALTERNATIVE)
    assert (mail.content_type, mail.body) == ("html", "<p>page</p>")
    assert mail.body_as("text") == ("text", "words")


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "x-nonsense", "base64", "\0"])
def test_a_body_in_any_charset_is_text(charset: str) -> None:
    source = f"Subject: x\nContent-Type: text/plain; charset={charset}\n\n".encode() + "Grüße".encode("latin-1")
    assert parse(source).body.startswith("Gr")


def test_a_later_text_is_an_attachment() -> None:
    source = ALTERNATIVE.replace(b"multipart/alternative", b"multipart/mixed").replace(b"text/html", b"text/plain")
    mail = parse(source)
    assert mail.body == "words"
    assert [a.name for a in mail.attachments] == ["ATT00001.txt"]


def test_an_invitation_is_an_event_message() -> None:
    source = ALTERNATIVE.replace(b"text/html", b"text/calendar; method=REQUEST")
    assert parse(source).odata_type == "#microsoft.graph.eventMessageRequest"


def test_an_attached_message_is_an_item() -> None:
    source = b"Content-Type: message/rfc822\n\nSubject: Inner\n\nHello"
    (attachment,) = parse(source).attachments
    assert (attachment.kind, attachment.name) == ("item", "Inner")


def test_a_file_name_by_rfc_2231_is_decoded() -> None:
    source = b"Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''%C3%84.pdf\n\nx"
    assert parse(source).attachments[0].name == "Ä.pdf"


def test_bytes_without_a_header_are_no_mail() -> None:
    with pytest.raises(UnreadableMail):
        parse(b"\n\njust text")


def test_written_mail_has_a_mime_form() -> None:
    mail = compose(
        subject="Grüße", html="<p>Hi</p>", to=["kim@contoso.example"], attachments=[("a.txt", "text/plain", b"x")]
    )
    again = parse(serialize(mail))
    assert (again.subject, again.body.strip(), again.attachments[0].content) == ("Grüße", "<p>Hi</p>", b"x")
