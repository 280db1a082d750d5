"""Mail written by a test: from keywords, from anything that is a mail already, or many at once."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from .message import Attachment, Mail, Person, Recipient, preview_of
from .mime import parse

AnyMail = Mail | EmailMessage | bytes | str | Path
AnyAttachment = Attachment | tuple[str, str, bytes]
People = Iterable[str | tuple[str | None, str | None]]

_numbers = itertools.count(1)
_WORDS = [
    "invoice",
    "order",
    "delivery",
    "meeting",
    "contract",
    "question",
    "answer",
    "ticket",
    "update",
    "report",
    "customer",
    "project",
    "budget",
    "schedule",
    "review",
    "draft",
    "access",
    "printer",
    "laptop",
    "password",
    "holiday",
    "training",
    "survey",
    "feedback",
]
_NAMES = ("Ada Buyer", "Kim Example", "Jürgen Groß", "Zoë Ångström", "Li Wei 李伟", "Olá Ñandú", "Sam O'Neil")


def read(mail: AnyMail) -> Mail:
    """The mail in whatever form it was given; a `str` is a path."""
    if isinstance(mail, Mail):
        return mail
    if isinstance(mail, EmailMessage):
        return parse(mail.as_bytes())
    return parse(mail if isinstance(mail, bytes) else Path(mail).read_bytes())


def compose(
    *,
    subject: str | None = "Hello",
    text: str | None = None,
    html: str | None = None,
    sender: str | tuple[str | None, str | None] | None = ("Ada Buyer", "ada@fabrikam.example"),
    to: People = (),
    cc: People = (),
    bcc: People = (),
    reply_to: People = (),
    sent_at: datetime | None = None,
    importance: str = "normal",
    internet_message_id: str | None = None,
    thread: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    attachments: Iterable[AnyAttachment] = (),
    odata_type: str | None = None,
) -> Mail:
    """Write a mail from its parts; mail of one `thread` is one conversation.

    `odata_type` is what an item is that is no plain mail, such as `#microsoft.graph.eventMessageRequest`.
    """
    from_ = None if sender is None else _person(sender)
    message_id = internet_message_id or f"<{next(_numbers):08}@simulator.example>"
    people = {"to": to, "cc": cc, "bcc": bcc, "reply_to": reply_to}
    body = html if html is not None else text or ""
    return Mail(
        subject=subject,
        from_=from_,
        sender=from_,
        recipients=tuple(Recipient(kind, *_person(one)) for kind, group in people.items() for one in group),
        sent_at=sent_at,
        content_type="text" if html is None else "html",
        body=body,
        text=None if html is None else text,
        preview=preview_of("text" if html is None else "html", body),
        importance=importance,
        internet_message_id=message_id,
        thread=thread or message_id,
        headers=tuple(headers),
        attachments=tuple(_attachment(one) for one in attachments),
        odata_type=odata_type,
    )


def fabricate(count: int, body_size: int, newest: datetime) -> Iterator[tuple[Mail, datetime]]:
    """Distinct plausible mail of about `body_size` characters of HTML, a minute apart, the newest last."""
    filler = _filler(body_size)
    for number in range(count):
        received_at = newest - timedelta(minutes=count - number)
        yield _fabricated(number, filler, received_at), received_at


def _fabricated(number: int, filler: str, received_at: datetime) -> Mail:
    name, word = _NAMES[number % len(_NAMES)], _WORDS[number % len(_WORDS)]
    person = Person(name, f"person{number % 997}@fabrikam.example")
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    opening = f"Hello, this is {word} number {number}, reference {digest}."
    return Mail(
        subject=f"{word.title()} {number}",
        from_=person,
        sender=person,
        recipients=(Recipient("to", "Support", "support@contoso.example"),),
        sent_at=received_at - timedelta(seconds=3),
        content_type="html",
        body=f"<html><head></head><body><p>{opening}</p>{filler}</body></html>",
        text=None,
        preview=opening,
        internet_message_id=f"<{digest[:24]}@fabrikam.example>",
        thread=f"thread {number // 3}",
    )


def _filler(size: int) -> str:
    lines = (
        f'<p style="margin:0 0 8px 0">{" ".join(_WORDS[(line + word) % len(_WORDS)] for word in range(14))}</p>\r\n'
        for line in range(size // 60)
    )
    return "".join(lines)[: max(size - 180, 0)]


def _person(one: str | tuple[str | None, str | None]) -> Person:
    return Person(one, one) if isinstance(one, str) else Person(*one)


def _attachment(one: AnyAttachment) -> Attachment:
    if isinstance(one, Attachment):
        return one
    name, content_type, content = one
    return Attachment(name=name, content_type=content_type, content=content)
