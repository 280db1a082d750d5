"""A claims challenge: Graph wants a new access token at once, and says what it must carry."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

_LONGEST = 8192  # characters of the header that are looked at
# one or more challenges, each with parameters in any order; values are quoted
_PARAMETER = re.compile(r'(?<![a-z_])([a-z_]{1,32})\s?=\s?"([^"]*)"', re.IGNORECASE)


def claims_in(headers: Mapping[str, str]) -> str:
    """Return the claims, as JSON that nobody has checked; empty where the 401 is no challenge."""
    header = headers.get("WWW-Authenticate", "")[:_LONGEST]
    parameters = {name.lower(): value for name, value in _PARAMETER.findall(header)}
    if parameters.get("error") != "insufficient_claims":
        return ""
    text = parameters.get("claims", "").strip().rstrip("=")
    try:
        return base64.urlsafe_b64decode(text.replace("+", "-").replace("/", "_") + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return ""
