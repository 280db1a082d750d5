"""Answers of both services."""

from __future__ import annotations

import json

import msgspec
from werkzeug import Response

_NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}


def encode(payload: object) -> bytes:
    """JSON. A lone surrogate, as Exchange keeps them, goes out as an escape."""
    try:
        return msgspec.json.encode(payload)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(payload)).encode()


def json_response(
    payload: object, status: int = 200, content_type: str = "application/json; charset=utf-8"
) -> Response:
    """An answer in JSON."""
    return Response(encode(payload), status, content_type=content_type)


def token_response(payload: object, status: int = 200) -> Response:
    """An answer that nobody may keep."""
    response = json_response(payload, status)
    response.headers.update(_NO_STORE)
    return response


def page(html: str, status: int = 200) -> Response:
    """A page that no other site may frame."""
    response = Response(html, status, content_type="text/html; charset=utf-8")
    response.headers.update(_NO_STORE | {"X-Frame-Options": "DENY"})
    return response
