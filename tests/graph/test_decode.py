"""What Graph sends becomes values that every database can hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flask_ms365.errors import Unavailable
from flask_ms365.graph.decode import decode
from flask_ms365.graph.types import DeltaPage, FolderData, MessageData, Page


def _message(subject_json: str) -> MessageData:
    body = f'{{"value":[{{"id":"m","subject":{subject_json}}}],"@odata.deltaLink":"x"}}'
    return decode(body.encode(), DeltaPage).value[0]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        pytest.param(r'"a\u0000b"', "ab", id="NUL is dropped"),
        pytest.param(r'"a\\u0000b"', r"a\u0000b", id="an escaped backslash is text"),
        pytest.param(r'"a\\\u0000b"', "a\\b", id="a backslash and then NUL"),
        pytest.param(r'"a\ud83d b"', "a\ufffd b", id="a lone high surrogate"),
        pytest.param(r'"a\ude00"', "a\ufffd", id="a lone low surrogate"),
        pytest.param(r'"\ud83d\ude00\u0000"', "😀", id="a pair is one character"),
        pytest.param(r'"\ud83d\ud83d\ude00"', "\ufffd😀", id="a lone one before a pair"),
        pytest.param(r'"\\ud83d \ud83d"', "\\ud83d \ufffd", id="only the real escape"),
        pytest.param("null", None, id="null"),
    ],
)
def test_a_subject_is_stored_as(sent: str, stored: str | None) -> None:
    assert _message(sent).subject == stored


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("changeKey", "a\0b"),
        ("internetMessageId", "a\0b"),
        ("conversationId", "a\0b"),
        ("importance", "a\0b"),
        ("bodyPreview", "a\0b"),
        ("webLink", "a\0b"),
        ("categories", ["a\0b"]),
        ("flag", {"flagStatus": "a\0b"}),
        ("body", {"contentType": "a\0b", "content": None}),
        ("body", {"contentType": None, "content": "a\0b"}),
        ("from", {"emailAddress": {"name": "a\0b"}}),
        ("sender", {"emailAddress": {"address": "a\0b"}}),
        ("toRecipients", [{"emailAddress": {"name": "a\0b"}}]),
        ("replyTo", [{"emailAddress": {"address": "a\0b"}}]),
    ],
)
def test_nul_is_dropped_wherever_it_is(name: str, value: Any) -> None:
    """Fault 51."""
    holding = json.dumps({"value": [{"id": "m", name: value}]})

    assert decode(holding.encode(), DeltaPage) == decode(holding.replace(r"\u0000", "").encode(), DeltaPage)


def test_bytes_that_are_no_utf_8_do_not_stop_a_page() -> None:
    body = b'{"value":[{"id":"m","subject":"a\xffb"}],"@odata.deltaLink":"x"}'

    assert decode(body, DeltaPage).value[0].subject == "a\ufffdb"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"value":[{"id":"m","sub',
        b'{"value":{}}',
        b'{"value":[5]}',
        b'{"error":{"code":"x"}}',
        b'{"value":[],"@odata.nextLink":5}',
        b"[" * 5000,
    ],
)
def test_what_is_no_page_is_worth_another_try(body: bytes) -> None:
    with pytest.raises(Unavailable, match="could not be read"):
        decode(body, DeltaPage)


@pytest.mark.parametrize(
    ("name", "nonsense"),
    [
        ("receivedDateTime", "10000-01-01T00:00:00Z"),
        ("receivedDateTime", "0000-00-00T00:00:00Z"),
        ("subject", 5),
        ("isRead", "yes"),
        ("toRecipients", "bob"),
        ("toRecipients", [None]),
        ("from", {"emailAddress": {"name": []}}),
        ("body", {"content": {}}),
        ("flag", []),
        ("categories", [1]),
    ],
)
def test_a_property_that_makes_no_sense_is_null_and_the_page_is_read(name: str, nonsense: Any) -> None:
    """Fault 51."""
    good = {"id": "good", "subject": "Good"}
    odd = {"id": "odd", "importance": "high", name: nonsense}
    body = json.dumps({"@odata.nextLink": "next", "value": [good, odd, good]}).encode()

    page = decode(body, DeltaPage)
    assert ([item.id for item in page.value], page.next_link) == (["good", "odd", "good"], "next")
    assert page.value[1] == decode(json.dumps(odd | {name: None}).encode(), MessageData)
    assert decode(json.dumps(odd).encode(), MessageData) == page.value[1]


def test_an_answer_of_another_shape_is_worth_another_try_whatever_was_asked_for() -> None:
    with pytest.raises(Unavailable, match="could not be read"):
        decode(b'{"value":[{}]}', Page[FolderData])


@pytest.mark.parametrize("message", [{"subject": "x"}, {"id": None}, {"id": 5}])
def test_a_message_without_an_id_is_left_out_of_its_page(message: dict[str, Any]) -> None:
    """Fault 51."""
    body = json.dumps({"@odata.deltaLink": "end", "value": [message, {"id": "good"}]}).encode()

    page = decode(body, DeltaPage)
    assert ([item.id for item in page.value], page.delta_link) == (["good"], "end")


@pytest.mark.parametrize(
    "date",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59.9999999Z",
        "2026-09-01T08:15:30.9356913Z",
        "2026-09-01T13:45:30+05:30",
    ],
)
def test_dates_are_read_in_every_form_that_was_seen(date: str) -> None:
    body = json.dumps({"value": [{"id": "m", "receivedDateTime": date}]}).encode()

    assert str(decode(body, DeltaPage).value[0].received_date_time).startswith(date[:10])
