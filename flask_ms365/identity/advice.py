"""What an AADSTS code means for an admin, and what to do about it.

Microsoft asks that nobody decides by these numbers, since they change: they only choose the words here. What the code
does is decided by the OAuth ``error``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask_ms365.identity.advice_table import BY_ERROR, TABLE, Row
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.words import Words

_LONGEST = 300  # characters of Microsoft's text that may be shown
_READ = 4096  # characters of it that are looked at: more is not from Microsoft
_GLOBAL_LOGIN = CLOUDS["global"].login
_LOGINS = {login for cloud in CLOUDS.values() for login in cloud.logins}

_CODE = re.compile(r"AADSTS(\d{4,8})", re.ASCII)
# the parts stand on lines of their own or are set apart by spaces, also by ones that do not break
_GUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_TRACE = re.compile(rf"Trace\s+ID:\s*({_GUID})", re.IGNORECASE)
_CORRELATION = re.compile(rf"Correlation\s+ID:\s*({_GUID})", re.IGNORECASE)
_TIMESTAMP = re.compile(r"Timestamp:\s*([0-9]{4}-[0-9]{2}-[0-9]{2}\s[0-9]{2}:[0-9]{2}:[0-9]{2}Z)")
# what has the length of a token or the mark of a client secret, and is no GUID
_SECRET = re.compile(rf"(?<![\w-])(?!{_GUID}(?![\w-]))(?=\S*\d)[\w.~+=-]{{32,}}|\S*\dQ~\S*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Plain words for a failure, a next step, and what support at Microsoft will ask for.

    ``page`` is a key of :data:`portal.PAGES`, ``look_up`` Microsoft's own page about the code; either may be empty.
    ``said`` is Microsoft's own text: show it escaped, below *Details*, and only to those who may see the settings.
    """

    message: str
    next_step: str
    code: str = ""
    page: str = ""
    look_up: str = ""
    trace: str = ""
    correlation: str = ""
    timestamp: str = ""
    said: str = ""

    @property
    def text(self) -> Words:
        """What happened and what to do, as one sentence after the other."""
        return Words("%(message)s %(next_step)s", message=self.message, next_step=self.next_step)


def advise(error: str, description: str, *, login: str = _GLOBAL_LOGIN) -> Advice:
    """Return advice for an OAuth error. ``login`` is the origin that answered."""
    description = description[:_READ]
    code = _first(_CODE, description)
    row, look_up = _row(error, code, login), _look_up(code, login)
    return Advice(
        message=row.message,
        next_step=row.next_step,
        code=code,
        page=row.page,
        look_up=look_up,
        trace=_first(_TRACE, description),
        correlation=_first(_CORRELATION, description),
        timestamp=_first(_TIMESTAMP, description).replace("\xa0", " "),
        said=said(description),
    )


def said(description: str) -> str:
    """Return Microsoft's own text, fit to be shown: cut, on one line, without what could be a secret."""
    # what is not printable includes the characters that turn the text after them around
    spaced = "".join(" " if char.isspace() or not char.isprintable() else char for char in description[:_READ])
    line = _SECRET.sub("…", " ".join(spaced.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _row(error: str, code: str, login: str) -> Row:
    known = TABLE.get(code) or BY_ERROR.get(error)
    if known:
        return known
    look_up = Words("Look it up at %(url)s", url=_look_up(code, login)) if code else Words("Sign in again.")
    return Row(Words("Microsoft refused the sign-in."), look_up)


def _look_up(code: str, login: str) -> str:
    """Return where Microsoft explains a code; a proxy or a simulator does not."""
    return f"{login if login in _LOGINS else _GLOBAL_LOGIN}/error?code={code}" if code else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
