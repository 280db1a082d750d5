"""What a page has shown, in a few letters: where they are still the same, there is nothing to tell."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from flask import Response, make_response, request


def version_of(*shown: Iterable[object]) -> str:
    """Return a short text that changes with any of ``shown``, and says nothing about it."""
    return hashlib.sha256(repr([list(part) for part in shown]).encode()).hexdigest()[:20]


def only_if_changed(version: str, render: Callable[[], str]) -> Response:
    """Answer 304, without a body, to whoever has ``version`` already; what costs is left out then."""
    # a proxy that packs answers makes strong tags weak
    is_known = request.if_none_match.contains_weak(version)
    response = make_response("", 304) if is_known else make_response(render())
    response.set_etag(version)
    return response
