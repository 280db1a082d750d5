"""What the sign-in service says of itself and of a tenant, to anybody who asks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from flask_ms365.errors import TokenError, TokenUnavailable
from flask_ms365.identity.advice import advise
from flask_ms365.identity.bounded import TOO_MUCH, TooMuch, bound, read_bounded
from flask_ms365.words import Words

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class _Refusal:
    """What any 4xx says here: there is no such tenant, or not in this cloud."""

    error: str
    error_description: str = ""

    def as_error(self) -> TokenError:
        advice = advise(self.error, self.error_description)
        return TokenUnavailable(advice.text, error=self.error, code=advice.code, trace=advice.trace, advice=advice)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer of the sign-in service. ``seconds`` it took; ``date`` is its clock, where it sent one."""

    status: int
    body: bytes
    seconds: float
    date: datetime | None

    def decode(self, kind: type[T]) -> T:
        """Return the document; raise a :exc:`TokenError` where this is none."""
        import msgspec  # late: pages never need it

        is_refusal = 400 <= self.status < 500
        if self.status != 200 and not is_refusal:
            raise TokenUnavailable(Words("Microsoft's sign-in service answered %(status)s.", status=self.status))
        try:
            if is_refusal:
                raise msgspec.json.decode(self.body, type=_Refusal).as_error()
            return msgspec.json.decode(self.body, type=kind)
        except msgspec.DecodeError:
            raise TokenUnavailable(
                Words("Microsoft's sign-in service answered something that is no document of its own.")
            ) from None


def fetch(url: str) -> Answer:
    """Read a public document; raise :exc:`TokenUnavailable` where nobody answers."""
    import urllib3  # late: sign-ins need it once a day, and pages never

    began = time.monotonic()
    try:
        with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=10)) as pool:
            bound(pool)
            response = pool.request("GET", url, redirect=False, preload_content=False)
            try:
                body = read_bounded(response)
            finally:
                response.close()
    except urllib3.exceptions.HTTPError as exc:
        unreachable = Words("Microsoft's sign-in service could not be reached (%(kind)s).", kind=type(exc).__name__)
        raise TokenUnavailable(unreachable) from None
    except TooMuch:
        raise TokenUnavailable(TOO_MUCH) from None
    return Answer(
        status=response.status, body=body, seconds=time.monotonic() - began, date=_date(response.headers.get("Date"))
    )


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None
