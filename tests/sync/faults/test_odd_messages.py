"""Fault 51: messages without what messages have, from other ages, and with what no database takes."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import select

from flask_ms365.models import Message
from flask_ms365.simulator import Recipient
from tests.sync.conftest import Synced
from tests.sync.faults.conftest import deliver, delta_of, first_page, on_sqlite, page, rows

MISSING: list[dict[str, Any]] = [
    {"sender": None},
    {"subject": None},
    {"subject": ""},
    {"sent_at": None},
    {"is_undated": True},
    {"sender": (None, "bob@x.example")},
    {"sender": ("Bob", None)},
    {"sender": ("Bob", "/O=EXCHANGELABS/OU=EXCHANGE ADMINISTRATIVE GROUP/CN=BOB")},
    {"to": [("Undisclosed", None)]},
    {"sender": None, "subject": None, "sent_at": None, "is_undated": True, "to": ()},
]


def test_what_a_message_lacks_is_null(synced: Synced) -> None:
    """Fault 51, without sender, subject or date."""
    for missing in MISSING:
        synced.mailbox.deliver(**({"subject": "Odd", "text": "x"} | missing))
    synced.sync()

    assert synced.sync().changes == {}
    assert synced.differences() == []


@on_sqlite
@pytest.mark.parametrize("item", [{}, {"subject": "Nameless"}, {"id": None}, {"id": ""}, {"id": 5}], ids=str)
def test_an_item_without_id_is_in_nobodys_way(synced: Synced, item: dict[str, Any]) -> None:
    """Fault 51, without id."""
    deliver(synced, 3)
    synced.simulator.fail_next(delta_of(synced), 200, page(item, next_link=first_page(synced)))
    synced.sync()

    assert synced.differences() == []
    assert set(rows(synced)) == {"inbox 0", "inbox 1", "inbox 2"}


def test_a_message_of_any_year_is_stored(synced: Synced) -> None:
    """Fault 51, years 1 and 9999."""
    for year in (1, 999, 1969, 9999):
        moment = datetime(year, 7, 1, 12, 30, 59, tzinfo=timezone.utc)
        synced.mailbox.deliver(subject=f"{year}", text="x", received_at=moment, sent_at=moment)
    synced.sync()

    assert synced.sync().changes == {}
    assert synced.differences() == []


def _only_message(synced: Synced) -> Message:
    with synced.host.app.app_context():
        message: Message = synced.session.scalars(select(Message)).one()
        return message


@on_sqlite
def test_ten_thousand_recipients_are_stored(synced: Synced) -> None:
    """Fault 51, 10,000 recipients."""
    people = [(f"Person {number} Ñandú", f"person{number}@x.example") for number in range(10_000)]
    synced.mailbox.deliver(subject="All", text="x", to=people)
    synced.sync()

    assert synced.differences() == []
    assert len(_only_message(synced).recipients) == 10_000


TEXTS = [
    pytest.param("a\0b", "ab", id="NUL"),
    pytest.param("invoice\u202efdp.exe", "invoice\u202efdp.exe", id="bidi"),
    pytest.param("a \ud83d b", "a \ufffd b", id="a lone high surrogate"),
    pytest.param("a \ude00 b", "a \ufffd b", id="a lone low surrogate"),
    pytest.param("🚲👩‍👩‍👧", "🚲👩‍👩‍👧", id="beyond the BMP"),
    pytest.param("\ufffe\uffff\u0001\u001f\u007f\u2028", "\ufffe\uffff\u0001\u001f\u007f\u2028", id="controls"),
    pytest.param("\\u0000 \\ud83d", "\\u0000 \\ud83d", id="what only looks like an escape"),
    pytest.param("x" * 100_000, "x" * 100_000, id="100000 characters"),
]


@on_sqlite
@pytest.mark.parametrize(("sent", "stored"), TEXTS)
def test_text_arrives_as_near_as_every_database_can_hold_it(synced: Synced, sent: str, stored: str) -> None:
    """Fault 51, NUL, bidi and lone surrogates, in the subject and everywhere else."""
    synced.mailbox.deliver(
        subject=sent,
        text=sent,
        sender=(sent, "bob@x.example"),
        to=[(sent, sent)],
        attachments=[(sent, "text/plain", b"x")],
    )
    synced.mailbox.update(synced.mailbox.messages()[0].id, categories=[sent])
    synced.sync()
    assert synced.sync().changes == {}

    message = _only_message(synced)
    assert (message.subject, message.from_name, message.categories) == (stored, stored, [stored])
    assert message.recipients == [Recipient("to", stored, stored)._asdict()]


@on_sqlite
@pytest.mark.parametrize("kind", ["eventMessage", "eventMessageRequest", "eventMessageResponse"])
def test_what_is_no_plain_mail_is_stored_as_mail(synced: Synced, kind: str) -> None:
    """Fault 51, items that are more than messages."""
    synced.mailbox.deliver(subject="Meet", text="x", odata_type=f"#microsoft.graph.{kind}")
    synced.sync()

    assert synced.differences() == []
