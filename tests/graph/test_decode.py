"""What Graph sends becomes values that every database can hold."""

from __future__ import annotations

import json

import pytest

from flask_ms365.errors import Unavailable
from flask_ms365.graph.decode import decode
from flask_ms365.graph.types import DeltaPage, MessageData


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


def test_bytes_that_are_no_utf_8_do_not_stop_a_page() -> None:
    body = b'{"value":[{"id":"m","subject":"a\xffb"}],"@odata.deltaLink":"x"}'

    assert decode(body, DeltaPage).value[0].subject == "a\ufffdb"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"value":[{"id":"m","sub', b'{"value":{}}', b'{"value":[{"subject":"no id"}]}', b"[" * 5000],
)
def test_what_is_no_page_is_worth_another_try(body: bytes) -> None:
    with pytest.raises(Unavailable, match="could not be read"):
        decode(body, DeltaPage)


@pytest.mark.parametrize(
    "date",
    ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-09-01T08:15:30.9356913Z", "2026-09-01T13:45:30+05:30"],
)
def test_dates_are_read_in_every_form_that_was_seen(date: str) -> None:
    body = json.dumps({"value": [{"id": "m", "receivedDateTime": date}]}).encode()

    assert str(decode(body, DeltaPage).value[0].received_date_time).startswith(date[:10])
