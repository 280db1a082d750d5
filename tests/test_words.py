"""Sentences for people: an English text everywhere, and pattern and values where somebody can translate them."""

from __future__ import annotations

import json
import pickle

import pytest

from flask_ms365.errors import GraphError, KeyMissing, MS365Error, NoEncryptionKey, Throttled
from flask_ms365.words import Words, as_json, counted, from_json

LOOK_UP = Words("Look it up at %(url)s", url="https://login.example/error?code=1")
SENTENCES = [
    "Microsoft's own text",
    Words("Sign in again."),
    Words("100% of it"),
    LOOK_UP,
    Words("%(message)s %(next_step)s", message=Words("It failed."), next_step=LOOK_UP),
    counted("%(count)s mailbox", "%(count)s mailboxes", 1),
    counted("%(count)s mailbox of %(name)s", "%(count)s mailboxes of %(name)s", 2, name="Ana"),
]


def parts(text: str) -> object:
    """Return what a text can be translated by."""
    return (text.pattern, text.pattern_for_one, dict(text.values)) if isinstance(text, Words) else text


def test_words_read_as_english() -> None:
    assert [str(each) for each in SENTENCES] == [
        "Microsoft's own text",
        "Sign in again.",
        "100% of it",
        "Look it up at https://login.example/error?code=1",
        "It failed. Look it up at https://login.example/error?code=1",
        "1 mailbox",
        "2 mailboxes of Ana",
    ]


@pytest.mark.parametrize("text", SENTENCES)
def test_stored_words_stay_translatable(text: str) -> None:
    read = from_json(json.loads(json.dumps(as_json(text))))
    assert (read, parts(read)) == (text, parts(text))


@pytest.mark.parametrize("text", SENTENCES)
def test_words_travel_between_processes(text: str) -> None:
    read = pickle.loads(pickle.dumps(text))
    assert (read, parts(read)) == (text, parts(text))


@pytest.mark.parametrize("error", [MS365Error(), NoEncryptionKey(), KeyMissing("abc"), Throttled(status=429, code="x")])
def test_an_error_keeps_its_sentence_translatable(error: MS365Error) -> None:
    assert (type(error.words), error.words) == (Words, str(error))


def test_an_error_of_graph_names_status_and_code() -> None:
    assert str(GraphError(status=403, code="Denied")) == "Microsoft Graph refused a request. (HTTP 403 Denied)"
