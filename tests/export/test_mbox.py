"""mbox: what Python reads back is what went in, whatever mail looks like."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from email.header import decode_header, make_header
from email.message import Message as Mime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_ms365.export.mbox import quoted
from flask_ms365.simulator import Attachment as File
from tests.export.conftest import deliver, export, read_mbox, text_of
from tests.sync.conftest import Synced


def exported(synced: Synced, path: Path) -> list[Mime]:
    result = export(synced.host, "--format", "mbox", "--output", str(path / "mail.mbox"))
    assert result.exit_code == 0, result.output
    return read_mbox(path / "mail.mbox")


def only(synced: Synced, path: Path, **mail: Any) -> Mime:
    """Return the one message of a mailbox, exported; another one follows it."""
    deliver(synced, mail.pop("subject", "One"), **mail)
    deliver(synced, "Another")
    first, second = exported(synced, path)
    assert second["Subject"] == "Another"
    return first


def in_words(value: object) -> str:
    return str(make_header(decode_header(str(value))))


@given(st.lists(st.sampled_from([b"From ", b">From ", b"F", b"rom ", b"\n", b"\r\n", b">", b"x", b""])), st.data())
def test_lines_are_quoted_however_they_come(parts: list[bytes], data: st.DataObject) -> None:
    text = b"".join(parts)
    expected = re.sub(rb"^(?=>*From )", b">", text, flags=re.MULTILINE)
    cut = data.draw(st.integers(0, len(text)))
    assert b"".join(quoted([text])) == b"".join(quoted(parts)) == b"".join(quoted([text[:cut], text[cut:]])) == expected


@given(st.binary(max_size=200))
def test_unquoting_gives_the_same_bytes_back(text: bytes) -> None:
    assert re.sub(rb"^>(?=>*From )", b"", b"".join(quoted([text])), flags=re.MULTILINE) == text


@pytest.mark.parametrize("text", ["From here on", "Hello\nFrom here on", ">From\n>>From x\n\nFrom y", "\nFrom \n"])
def test_lines_that_begin_with_from_begin_no_message(synced: Synced, tmp_path: Path, text: str) -> None:
    lines = text_of(only(synced, tmp_path, text=text)).rstrip("\n").split("\n")
    assert [re.sub(r"^>(?=>*From )", "", line) for line in lines] == text.rstrip("\n").split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "Grüße, żółw, Ελλάδα",
        "emoji \U0001f600 and \U0001f469\u200d\U0001f4bb",
        "x" * 5000,
        "ü" * 100_000,
        "=?utf-8?q?no?= = equal signs",
        "tabs\tand\x0bodd\x0cspaces",
        "",
    ],
    ids=["8 bit", "emoji", "a long line", "huge", "equal signs", "controls", "empty"],
)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_a_text_is_the_same(synced: Synced, tmp_path: Path, kind: str, text: str) -> None:
    mime = only(synced, tmp_path, **{"text": None, kind: text})
    assert text_of(mime).rstrip("\n") == text
    assert mime.get_content_type() == ("text/html" if kind == "html" else "text/plain")


@pytest.mark.parametrize(
    "subject",
    [
        "Plain",
        "Grüße \U0001f600 " * 20,
        "a" * 3000,
        "looks =?utf-8?q?encoded?=",
        "two\nlines\r\nInjected: header",
        "From me",
        "",
    ],
    ids=["plain", "emoji", "long", "encoded", "injected", "from", "empty"],
)
def test_a_subject_is_the_same_on_one_line(synced: Synced, tmp_path: Path, subject: str) -> None:
    mime = only(synced, tmp_path, subject=subject)
    assert in_words(mime["Subject"] or "") == " ".join(subject.splitlines()).strip()
    assert mime["Injected"] is None


def test_people_are_the_same(synced: Synced, tmp_path: Path) -> None:
    people = {
        "sender": ('Ada "the" Büyer, Ltd.', "ada@fabrikam.example"),
        "to": [("Bob", "bob@contoso.example"), ("Carol, C.", "carol@contoso.example")],
        "cc": [("Müller", "m@contoso.example")],
    }
    mime = only(synced, tmp_path, **people)
    assert in_words(mime["From"]) == 'Ada "the" Büyer, Ltd. <ada@fabrikam.example>'
    assert str(mime["To"]).replace("\n", "") == 'Bob <bob@contoso.example>, "Carol, C." <carol@contoso.example>'
    assert in_words(mime["Cc"]) == "Müller <m@contoso.example>"


@pytest.mark.parametrize("address", ["no address", "ünï@cödé.example", "a\nb@c.example", ""])
def test_an_address_may_be_anything(synced: Synced, tmp_path: Path, address: str) -> None:
    mime = only(synced, tmp_path, sender=("Odd", address))
    assert "Odd" in in_words(mime["From"])


def test_the_first_line_says_who_and_when(synced: Synced, tmp_path: Path) -> None:
    moment = datetime(2026, 3, 1, 9, 5, 7, tzinfo=timezone.utc)
    deliver(synced, "One", received_at=moment, sent_at=moment)
    (mime,) = exported(synced, tmp_path)
    first = (tmp_path / "mail.mbox").read_bytes().split(b"\n")[0]
    assert first == b"From ada@fabrikam.example Sun Mar  1 09:05:07 2026"
    assert mime["Date"] == "Sun, 01 Mar 2026 09:05:07 +0000"


def test_a_message_without_dates_and_sender_is_one_all_the_same(synced: Synced, tmp_path: Path) -> None:
    deliver(synced, "One", is_undated=True, sender=None)
    (mime,) = exported(synced, tmp_path)
    assert mime["Subject"] == "One"
    assert (tmp_path / "mail.mbox").read_bytes().startswith(b"From MAILER-DAEMON ")


def test_attachments_that_are_stored_are_in_it_and_others_are_listed(synced: Synced, tmp_path: Path) -> None:
    with synced.host.app.app_context():
        synced.host.ms365.settings.save({"store_attachments": "1"})
    small = File(name="grün.bin", content_type="application/x-odd", content=bytes(range(256)) * 1000)
    large = File(name="large.bin", content=bytes(2 * 1024 * 1024))
    item = File(name="Inside", content=b"Subject: Inside\r\n\r\nFrom me", kind="item")
    mime = only(synced, tmp_path, html="<p>Text</p>", attachments=[small, large, item])
    text, first, second, third = (part for part in mime.walk() if not part.is_multipart())
    assert text.get_content_type() == "text/html"
    assert (first.get_filename(), first.get_content_type()) == ("grün.bin", "application/x-odd")
    assert first.get_payload(decode=True) == small.content
    assert (second.get_filename(), second.get_payload(decode=True)) == ("large.bin", b"")
    assert "not stored" in str(second["X-MS365-Content"])
    assert (third.get_filename(), third.get_payload(decode=True)) == ("Inside.eml", item.content)


def test_inline_images_keep_their_name_in_the_text(synced: Synced, tmp_path: Path) -> None:
    logo = File(name="logo.png", content_type="image/png", content=b"png", is_inline=True, content_id="logo@1")
    mime = only(synced, tmp_path, html='<img src="cid:logo@1">', attachments=[logo])
    image = next(part for part in mime.walk() if part.get_content_type() == "image/png")
    assert (image["Content-ID"], image.get_content_disposition()) == ("<logo@1>", "inline")
