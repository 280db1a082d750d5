"""From a refused Graph request to our errors, by one table."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from flask_ms365.errors import DeltaExpired, GraphError, NotFound, Throttled, Unauthorized, Unavailable

_LONGEST_WAIT = 6 * 3600.0
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
    return kind(
        status=status,
        code=codes[-1] if codes else "",
        request_id=headers.get("request-id", ""),
        retry_after=retry_after(headers.get("Retry-After")) if status in (429, 503, 504) else None,
    )


def retry_after(value: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds to wait: Graph sends whole numbers, decimals, dates, nonsense, or nothing."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(timezone.utc))).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(max(seconds, 0.0), _LONGEST_WAIT) if seconds == seconds else None


def backoff(attempt: int, *, base: float, cap: float) -> float:
    """Return a random wait that grows with the attempts, so that many clients do not come back at once."""
    return random.uniform(0.5, 1.0) * float(min(cap, base * 2 ** min(attempt, 30)))


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
