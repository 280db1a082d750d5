"""From bytes to typed values. What no database can hold is cleaned away before it is a value."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from flask_ms365.errors import Unavailable
from flask_ms365.graph.types import DeltaPage, MessageData
from flask_ms365.words import Words

T = TypeVar("T")

# a \u escape after an even number of backslashes is one; a high surrogate counts only with its low half
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"\\\\|" + _PAIR + rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(\\u0000)")

_SEVENTH_DECIMAL = re.compile(rb"(\.\d{6})\d+")


def decode(body: bytes, kind: type[T]) -> T:
    """Return ``body`` as ``kind``; NUL is dropped and lone surrogates become U+FFFD.

    A property of a message that makes no sense is null: it must not keep a whole page from being read, for ever.

    Raise :exc:`Unavailable` for what is no JSON of that shape: a cut answer is worth another try.
    """
    if body.rfind(b"\\u0000") >= 0:  # from the end: that way Python takes a fifth of the time for megabytes
        body = _clean(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return _decode_odd(_clean(body), kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable(
            Words("Microsoft Graph sent an answer that could not be read."), code="malformedAnswer"
        ) from None


def _decode_odd(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        if kind is MessageData:
            return msgspec.json.decode(_sensible(body), type=kind)
        if kind is not DeltaPage:
            raise
    page = msgspec.json.decode(body, type=dict[str, Raw])
    items = [_sensible(item) for item in msgspec.json.decode(page.get("value", b""), type=list[Raw])]
    # a message without an id cannot be known again, so it is left out
    value = Raw(msgspec.json.encode([item for item in items if _fits(item)]))
    return msgspec.json.decode(msgspec.json.encode({**page, "value": value}), type=kind)


def _sensible(message: bytes) -> Raw:
    """Return a message in JSON where each property that does not fit is null."""
    properties = msgspec.json.decode(message, type=dict[str, Raw])
    return Raw(msgspec.json.encode({name: _sense(name, value) for name, value in properties.items()}))


def _sense(name: str, value: Raw) -> Raw | None:
    # the last moment of .NET's calendar has seven decimals, which would be rounded to the year 10000
    for candidate in (value, Raw(_SEVENTH_DECIMAL.sub(rb"\1", bytes(value)))):
        if name == "id" or _fits(msgspec.json.encode({"id": "", name: candidate})):
            return candidate
    return None


def _fits(message: bytes) -> bool:
    try:
        msgspec.json.decode(message, type=MessageData)
    except msgspec.ValidationError:
        return False
    return True


def _clean(body: bytes) -> bytes:
    return _ESCAPE.sub(_replacement, body.decode("utf-8", "replace").encode())


def _replacement(match: re.Match[bytes]) -> Any:
    lone, nul = match.groups()
    return rb"\ufffd" if lone else b"" if nul else match.group()
