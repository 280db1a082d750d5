"""From a refused Graph request to our errors, by one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from flask_ms365.errors import DeltaExpired, GraphError, NotFound, Throttled, Unauthorized, Unavailable
from flask_ms365.graph.challenge import claims_in
from flask_ms365.waiting import retry_after

_SYNC_STATE = {"syncstatenotfound", "syncstateinvalid", "resyncrequired", "invalidsyncstatedata"}
_BY_STATUS: dict[int, type[GraphError]] = {401: Unauthorized, 404: NotFound, 410: DeltaExpired, 429: Throttled}
_PLAIN_CODE = re.compile(r"[A-Za-z0-9_.]{1,64}")


class _Error(msgspec.Struct):
    code: str | None = None
    inner: dict[str, Any] | None = msgspec.field(name="innerError", default=None)
    inner_lower: dict[str, Any] | None = msgspec.field(name="innererror", default=None)


class _Refusal(msgspec.Struct):
    error: _Error | None = None


def graph_error(status: int, headers: Mapping[str, str], body: bytes) -> GraphError:
    """Return the error of a refused request. Its text names status and code, never what Graph or we sent."""
    codes = _codes(body)
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else GraphError)
    if status in (400, 404, 410) and _SYNC_STATE & {code.lower() for code in codes}:
        kind = DeltaExpired
    error = kind(
        status=status,
        code=codes[-1] if codes else "",
        request_id=headers.get("request-id", ""),
        retry_after=retry_after(headers.get("Retry-After")) if status in (429, 503, 504) else None,
    )
    if isinstance(error, Unauthorized):
        error.claims = claims_in(headers)
    return error


def _codes(body: bytes) -> list[str]:
    """Return the error codes from the outermost to the most specific one."""
    try:
        error = msgspec.json.decode(body, type=_Refusal).error
    except msgspec.DecodeError:
        return []
    codes = [error.code] if error else []
    inner = (error.inner or error.inner_lower) if error else None
    while isinstance(inner, dict):
        codes.append(inner.get("code"))
        inner = inner.get("innerError") or inner.get("innererror")
    return [code for code in codes if isinstance(code, str) and _PLAIN_CODE.fullmatch(code)]
