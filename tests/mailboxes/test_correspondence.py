"""The mail with one address on each database: in full letters, from it or to it, as far as it may be read."""

from __future__ import annotations

from typing import Any

from sqlalchemy import false, true

from flask_ms365.mailboxes.correspondence import Correspondence, correspondence
from flask_ms365.models import Mailbox
from tests.mailboxes.searchable import Searchable, mail

__all__ = ["mail"]

BOB = "bob@x.example"


def with_bob(mail: Searchable, *, readable: Any = None, limit: int = 20) -> Correspondence:
    may = true() if readable is None else readable
    return correspondence(mail.session, BOB, readable=may, limit=limit)


def subjects(found: Correspondence) -> list[list[str | None]]:
    return [[message.subject for message in messages] for messages in found.conversations]


def to(address: str) -> list[dict[str, str]]:
    return [{"kind": "cc", "name": "", "address": address}]


def test_from_and_to_an_address_by_conversation(mail: Searchable) -> None:
    mail.message("Re: Offer", from_address="Bob@X.example", conversation_id="1")
    mail.message("Lunch", from_address="ana@x.example", recipients=to(BOB))
    mail.message("Offer", from_address="ana@x.example", recipients=to(BOB), conversation_id="1")
    mail.message("For Rob", from_address="rob@x.example", recipients=to("bob@x.example.org"))
    mail.message("About him", from_address="rob@x.example", body=f"Ask {BOB}", body_content_type="text")
    mail.index()
    assert subjects(with_bob(mail)) == [["Re: Offer", "Offer"], ["Lunch"]]


def test_what_is_not_indexed_yet_is_there_too(mail: Searchable) -> None:
    mail.message("Indexed", from_address=BOB)
    mail.index()
    mail.message("New", from_address=BOB)
    found = with_bob(mail)
    assert (subjects(found), found.is_behind) == ([["Indexed"], ["New"]], False)


def test_only_of_mailboxes_that_may_be_read(mail: Searchable) -> None:
    other = mail.mailbox()
    for mailbox_id in (mail.mailboxes[0], other):
        mail.message(f"In {mailbox_id}", mailbox_id=mailbox_id, from_address=BOB)
    mail.index()
    mail.message("New", mailbox_id=other, from_address=BOB)
    assert subjects(with_bob(mail, readable=Mailbox.id == mail.mailboxes[0])) == [[f"In {mail.mailboxes[0]}"]]
    assert subjects(with_bob(mail, readable=false())) == []


def test_no_more_than_asked_for(mail: Searchable) -> None:
    for number in range(60):
        mail.message(f"Letter {number}", from_address=BOB)
    mail.index()
    found = with_bob(mail, limit=2)
    assert (subjects(found), found.has_more) == ([["Letter 0"], ["Letter 1"]], True)
    assert len(with_bob(mail, limit=55).conversations) == 55


def test_mail_that_only_mentions_the_address_does_not_hide_the_rest(mail: Searchable) -> None:
    for number in range(60):
        mail.message(f"About him {number}", from_address="rob@x.example", body=BOB, body_content_type="text")
    mail.message("From Bob", from_address=BOB)
    mail.index()
    assert subjects(with_bob(mail)) == [["From Bob"]]
