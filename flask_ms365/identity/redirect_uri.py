"""Microsoft's own rules on redirect URIs, told before Entra or a sign-in refuses one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from flask_ms365.config import LOOPBACK_HOSTS
from flask_ms365.words import Words

_LONGEST = 256
_REFUSED = re.compile(r"[!$'(),;*]")


def redirect_uri_problems(uri: str) -> Iterator[Words]:
    """Yield why Entra would not take ``uri`` as the redirect URI of a Web platform."""
    parts = urlsplit(uri)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK_HOSTS:
        yield Words("Microsoft accepts only https addresses, except on localhost.")
    elif parts.scheme != "https" and parts.hostname != "localhost":
        yield Words("Entra's form takes http for localhost only. Enter this address in the app's manifest there.")
    if len(uri) > _LONGEST:
        yield Words("Microsoft accepts at most %(count)s characters here.", count=_LONGEST)
    if found := _REFUSED.search(uri):
        yield Words("Microsoft does not accept the character %(character)s here.", character=found[0])
