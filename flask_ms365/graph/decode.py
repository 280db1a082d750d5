"""From bytes to typed values. What no database can hold is cleaned away before it is a value."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from flask_ms365.errors import Unavailable
from flask_ms365.words import Words

T = TypeVar("T")

# a \u escape after an even number of backslashes is one; a high surrogate counts only with its low half
_PAIR = rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(rb"\\\\|" + _PAIR + rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|(\\u0000)")


def decode(body: bytes, kind: type[T]) -> T:
    """Return ``body`` as ``kind``; NUL is dropped and lone surrogates become U+FFFD.

    Raise :exc:`Unavailable` for what is no JSON of that shape: a cut answer is worth another try.
    """
    if b"\\u0000" in body:
        body = _clean(body)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return msgspec.json.decode(_clean(body), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable(
            Words("Microsoft Graph sent an answer that could not be read."), code="malformedAnswer"
        ) from None


def _clean(body: bytes) -> bytes:
    return _ESCAPE.sub(_replacement, body.decode("utf-8", "replace").encode())


def _replacement(match: re.Match[bytes]) -> Any:
    lone, nul = match.groups()
    return rb"\ufffd" if lone else b"" if nul else match.group()
