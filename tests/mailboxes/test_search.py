"""Search, on each database: what people type finds what they mean, and nothing that they may not read."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import event, text

from flask_ms365.mailboxes.search import PAGE
from flask_ms365.models import Mailbox, make_sqlite_index
from flask_ms365.models.search import FTS
from tests.mailboxes.searchable import Searchable, mail

__all__ = ["mail"]

LONG_AGO = datetime(2001, 1, 1, tzinfo=timezone.utc)
LETTERS: dict[str, dict[str, Any]] = {
    "Invoice 4711 for March": {
        "from_name": "Ana Ruíz",
        "from_address": "ana.ruiz@contoso.example",
        "recipients": [{"kind": "cc", "name": "Bob Smith", "address": "bob@fabrikam.example"}],
        "body": "<html><head><style>p { color: teal }</style></head><body><table><tr><td>total</td><td>net</td></tr>"
        "</table><p>Please <b>p</b>ay &amp; confirm</p><script>tracker()</script></body></html>",
        "body_content_type": "html",
    },
    "March the fourth": {"body": "The invoices are all paid: a < b > c", "body_content_type": "text"},
    "Договор подписан": {"body": "会議の議事録 Straße ﬁne", "body_content_type": "text"},
    "": {"preview": "What is not stored has its preview", "body": None, "body_content_type": "html"},
}


@pytest.fixture
def letters(mail: Searchable) -> Searchable:
    for subject, columns in LETTERS.items():
        mail.message(subject, **columns)
    mail.index()
    return mail


FOUND = {
    "invoice march": ["Invoice 4711 for March"],
    "march invoi": ["Invoice 4711 for March", "March the fourth"],
    "invoi march": [],  # only the last may be unfinished
    '"invoice"': ["Invoice 4711 for March"],
    "INVOICE 4711": ["Invoice 4711 for March"],
    '"for march"': ["Invoice 4711 for March"],
    '"march for"': [],
    '"march the': ["March the fourth"],
    "the": ["March the fourth"],
    "a b c": ["March the fourth"],
    "ana.ruiz@contoso.example": ["Invoice 4711 for March"],
    "ruiz": ["Invoice 4711 for March"],
    "bob@fabrikam": ["Invoice 4711 for March"],
    "pay confirm": ["Invoice 4711 for March"],
    "total net": ["Invoice 4711 for March"],
    "totalnet": [],
    "teal": [],
    "tracker": [],
    "договор": ["Договор подписан"],
    "подп": ["Договор подписан"],
    "議事": ["Договор подписан"],
    "事議": [],
    "STRASSE fine": ["Договор подписан"],
    "preview": [""],
}


def test_words_find_what_has_them_all(letters: Searchable) -> None:
    assert {typed: letters.found(typed) for typed in FOUND} == FOUND


NO_WORDS = [
    "",
    " ",
    '"',
    '""',
    "''",
    "!?",
    "*",
    ":*",
    "&|!",
    "<->",
    "()",
    "-",
    "+",
    "@",
    "%",
    "_",
    "\\",
    "\0",
    "🎉",
    "；",
]
NOTHING_LIKE_IT = [
    'never "unfinished',
    "never' OR 1=1 --",
    'never" OR words:march',
    "never AND NOT march",
    "never:* | march",
    "NEAR(never march)",
    "never +march -fourth ~the @4",
    "{words never}: ^never",
    "never\0march",
    "\ud800 never",
    "𠮷 never",
    "m@1 zm1 zzmarch",
    "never " * 2000,
    "n" * 10_000,
    "%_never",
]


def test_any_text_is_a_question(letters: Searchable) -> None:
    assert [typed for typed in NO_WORDS + NOTHING_LIKE_IT if letters.found(typed)] == []


def test_signs_between_words_mean_nothing(letters: Searchable) -> None:
    assert letters.found("+march & (fourth) | *") == ["March the fourth"]


def test_the_beginning_of_a_text_is_searched(mail: Searchable) -> None:
    mail.message("Long", body=f"first {'x ' * 9000}", body_content_type="text")
    mail.message("Longer", body=f"{'y ' * 15000} last", body_content_type="text")
    mail.index()
    assert (mail.found("first"), mail.found("last")) == (["Long"], [])


def test_a_word_is_known_by_its_beginning(mail: Searchable) -> None:
    mail.message("Encoded", body="A" * 9000, body_content_type="text")
    mail.index()
    assert mail.found("a" * 9000) == ["Encoded"]


ODD_HTML = {
    "boxes": "<div>" * 40_000,
    "unclosed": "<p" * 60_000 + "<style>" * 10_000,
    "comments": "<!--" * 50_000,
    "entities": "&#x10FFFF;&#0;&bogus;&" * 5000,
    "grows": "\ufdfa" * 60_000,
    "surrogates": "&#xD800;&#xDFFF; \U0001f600\U00020bb7" * 3000,
    "binary": "".join(map(chr, range(1, 55_000))),
}


def test_html_of_any_kind_is_indexed_without_ado(mail: Searchable) -> None:
    for name, body in ODD_HTML.items():
        mail.message(f"Odd {name}", body=body, body_content_type="html")
    began = time.process_time()
    mail.index()
    assert len(mail.found("odd")) == len(ODD_HTML)
    assert time.process_time() - began < 5  # a parser of HTML takes that for the boxes alone


def test_mail_is_found_only_where_it_may_be_read(mail: Searchable) -> None:
    mail.message("Ours")
    theirs = mail.mailbox(kind="user", owner_id="kim")
    mail.message("Theirs", mailbox_id=theirs, from_name="Ours")
    mail.index()
    assert mail.found("ours", readable=Mailbox.kind == "system") == ["Ours"]
    assert mail.found("ours", readable=Mailbox.kind == "system", mailbox_id=theirs) == []
    assert mail.found("ours", mailbox_id=theirs) == ["Theirs"]


def test_one_mailbox_is_not_mistaken_for_another_with_a_longer_number(mail: Searchable) -> None:
    others = [mail.mailbox() for _ in range(12)]
    for mailbox_id in others:
        mail.message(f"Hello {mailbox_id}", mailbox_id=mailbox_id)
    mail.index()
    assert [mail.found("hello", mailbox_id=key) for key in others] == [[f"Hello {key}"] for key in others]


def test_a_folder_is_searched_alone(mail: Searchable) -> None:
    folder_id = mail.folder(mail.mailboxes[0])
    mail.message("Hello inbox")
    mail.message("Hello folder", folder_id=folder_id)
    mail.index()
    assert mail.found("hello", folder_id=folder_id) == ["Hello folder"]


def test_a_folder_of_another_mailbox_has_nothing(mail: Searchable) -> None:
    mail.message("Hello")
    other = mail.mailbox()
    mail.index()
    assert mail.found("hello", mailbox_id=mail.mailboxes[0], folder_id=mail.folder(other)) == []


def test_mail_that_was_removed_is_not_found_even_before_the_index_knows(mail: Searchable) -> None:
    message_id = mail.message("Hello")
    mail.index()
    mail.session.execute(text(f"UPDATE ms365_message SET removed_at = received_at WHERE id = {message_id}"))
    assert mail.found("hello") == []


def pages(mail: Searchable, typed: str) -> list[str | None]:
    """Return the subjects of all pages, one after the other."""
    found = mail.search(typed)
    subjects = [message.subject for message in found.messages]
    while found.older:
        found = mail.search(typed, before=found.older)
        subjects += [message.subject for message in found.messages]
    return subjects


def test_pages_have_every_message_once_newest_first_and_undated_last(mail: Searchable) -> None:
    for number in range(2):
        mail.message(f"Undated word {number}", received_at=None)
    for number in range(PAGE):
        mail.message(f"Word {number}")
    mail.message("Another")
    for number in range(2):
        mail.message(f"Word at once {number}", received_at=LONG_AGO)
    mail.index()
    at_once = ["Word at once 1", "Word at once 0", "Undated word 1", "Undated word 0"]
    assert pages(mail, "word") == [*(f"Word {number}" for number in range(PAGE)), *at_once]


@pytest.fixture
def many(mail: Searchable) -> Searchable:
    """Return more mailboxes than a question can name, with mail in three of them."""
    for _ in range(101):
        mail.mailbox()
    mail.mailbox(kind="user", owner_id="kim")
    for number in range(PAGE + 10):
        mail.message(f"Common {number}", mailbox_id=mail.mailboxes[number % 2])
    mail.message("Common and rare", mailbox_id=mail.mailboxes[100])
    mail.message("Common and theirs", mailbox_id=mail.mailboxes[-1])
    mail.index()
    return mail


def test_a_word_that_is_everywhere_is_found_in_all_of_many_mailboxes(many: Searchable) -> None:
    of_team = Mailbox.kind == "system"
    found = many.search("common", readable=of_team)
    assert [message.subject for message in found.messages] == [f"Common {number}" for number in range(PAGE)]
    older = many.found("common", readable=of_team, before=found.messages[-1].id)
    assert older == [*(f"Common {number}" for number in range(PAGE, PAGE + 10)), "Common and rare"]


def test_a_rare_word_is_found_in_all_of_many_mailboxes(many: Searchable) -> None:
    assert many.found("rare") == ["Common and rare"]
    assert many.found("theirs", readable=Mailbox.kind == "system") == []


def test_a_search_takes_few_statements(many: Searchable) -> None:
    statements: list[str] = []
    before = many.search("common").messages[-1].id
    engine = many.session.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    many.found("common", before=before)
    assert len(statements) <= 6


def drop_index(mail: Searchable) -> None:
    """Leave an SQLite as ``create_all`` makes it, to new connections."""
    for name in ("insert", "delete"):
        mail.session.execute(text(f"DROP TRIGGER {FTS}_{name}"))
    mail.session.execute(text(f"DROP TABLE {FTS}"))
    mail.session.commit()
    mail.session.get_bind().dispose()


def test_an_sqlite_without_the_index_looks_through_every_message(letters: Searchable) -> None:
    if letters.session.get_bind().dialect.name != "sqlite":
        pytest.skip("other databases have one")
    drop_index(letters)
    letters.message("March on", received_at=None)
    letters.index()
    assert letters.found("march") == ["Invoice 4711 for March", "March the fourth", "March on"]
    assert letters.found('"the fourth"') == ["March the fourth"]
    assert letters.found("fourth", mailbox_id=letters.mailboxes[0]) == ["March the fourth"]
    assert letters.found("%") == []


def test_a_migration_lets_sqlite_index_the_words_that_are_there(letters: Searchable) -> None:
    if letters.session.get_bind().dialect.name == "sqlite":
        drop_index(letters)
    make_sqlite_index(letters.session.connection())
    assert letters.found("march the") == ["March the fourth"]


def test_search_says_when_it_is_behind(mail: Searchable) -> None:
    mail.message("Hello")
    assert mail.search("hello").is_behind
    mail.index()
    assert not mail.search("hello").is_behind
