"""A page of mail that is likely to be known is decoded no further than it takes to see that it is."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest
from msgspec import UNSET

from flask_ms365.errors import Unavailable
from flask_ms365.graph.decode import decode
from flask_ms365.graph.outlines import OutlinedPage, outlined
from flask_ms365.graph.types import DeltaPage

MESSAGE = {
    "id": "m",
    "changeKey": "k1",
    "subject": "Hello",
    "receivedDateTime": "2026-11-23T10:00:00Z",
    "isRead": True,
    "body": {"contentType": "text", "content": "x"},
}


def page_of(*messages: Any, **links: str) -> bytes:
    return json.dumps({"value": messages, "@odata.nextLink": "https://graph/next", **links}).encode()


def test_an_outline_says_what_a_message_is_known_by() -> None:
    page = outlined(page_of(MESSAGE))
    assert isinstance(page, OutlinedPage)
    (outline,) = page.outlines
    assert (outline.id, outline.change_key, outline.is_read, outline.removed) == ("m", "k1", True, None)
    assert outline.received_date_time == datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
    assert (page.next_link, page.delta_link) == ("https://graph/next", None)


def test_what_is_left_out_is_not_null() -> None:
    page = outlined(page_of({"id": "m", "@removed": {"reason": "deleted"}}))
    assert isinstance(page, OutlinedPage)
    (outline,) = page.outlines
    assert outline.removed is not None
    assert (outline.change_key, outline.is_read) == (UNSET, UNSET)


def test_the_messages_are_those_of_a_page_that_was_decoded_at_once() -> None:
    body = page_of(MESSAGE, {**MESSAGE, "id": "n", "subject": "a\0b"})
    assert outlined(body).value == decode(body, DeltaPage).value


@pytest.mark.parametrize(
    "odd", [{"id": None}, {"isRead": "perhaps"}, {"receivedDateTime": "9999-12-31T23:59:59.9999999Z"}]
)
def test_a_page_that_has_no_outlines_is_decoded_at_once(odd: dict[str, Any]) -> None:
    body = page_of(MESSAGE, {**MESSAGE, **odd})
    page = outlined(body)
    assert isinstance(page, DeltaPage)
    assert page == decode(body, DeltaPage)


def test_a_page_that_is_cut_is_no_page() -> None:
    with pytest.raises(Unavailable):
        outlined(page_of(MESSAGE)[:-5])
