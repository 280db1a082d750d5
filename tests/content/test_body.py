"""``ms365.content.body``: the text of a message, stored or not."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from flask_ms365.content import contents
from flask_ms365.content.content import Body
from flask_ms365.errors import GraphError, NotFound, Throttled
from flask_ms365.models import Message, write_transaction
from tests.content.conftest import Kept

HTML = "<p>Grüße \U0001f600</p>"


def deliver(kept: Kept, **mail: str) -> int:
    """Deliver a message whose text is not stored here."""
    return kept.deliver(**(mail or {"html": HTML}))


def test_a_text_that_is_not_stored_is_read_from_microsoft(kept: Kept) -> None:
    assert kept.contents.body(deliver(kept)) == Body("html", HTML)


def test_a_plain_text_says_that_it_is_one(kept: Kept) -> None:
    assert kept.contents.body(deliver(kept, text="Hello")) == Body("text", "Hello")


@pytest.mark.parametrize("text", ["<p>Stored</p>", ""])
def test_a_stored_text_asks_microsoft_nothing(kept: Kept, text: str) -> None:
    message = deliver(kept)
    with kept.host.app.app_context(), write_transaction(kept.session):
        kept.session.execute(update(Message).values(body=text, body_content_type="html"))
    asked = len(kept.simulator.requests)
    assert kept.contents.body(message) == Body("html", text)
    assert len(kept.simulator.requests) == asked


def test_what_microsoft_has_no_more_is_not_found(kept: Kept) -> None:
    message = deliver(kept)
    kept.mailbox.delete(kept.mailbox.messages()[0].id)
    with pytest.raises(NotFound):
        kept.contents.body(message)
    with pytest.raises(NotFound, match="no such message"):
        kept.contents.body(message + 1)


def test_a_text_that_is_too_large_is_told(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST_BODY", 1000)
    message = deliver(kept, text="x" * 2000)
    with pytest.raises(GraphError) as caught:
        kept.contents.body(message)
    assert caught.value.code == "tooLarge"


def test_a_long_wait_is_told(kept: Kept) -> None:
    message = deliver(kept)
    kept.simulator.fail_next(r"/messages/", 429, headers={"Retry-After": "300"})
    with pytest.raises(Throttled):
        kept.contents.body(message)


def test_no_transaction_stays_open(kept: Kept) -> None:
    message = deliver(kept)
    with kept.host.app.app_context():
        kept.contents.body(message)
        assert not kept.session().in_transaction()
