"""Claims that a request for tokens carries: what this client can handle, and what Microsoft wants to see this time."""

from __future__ import annotations

import json
from typing import Any

# we can answer challenges in the middle of a token's life, and so get tokens that live for a day
_CAPABLE: dict[str, Any] = {"access_token": {"xms_cc": {"values": ["cp1"]}}}
_LONGEST = 4096  # characters


def with_claims(wanted: str = "") -> str:
    """Return the ``claims`` parameter: our capability, and the ``wanted`` claims of a challenge."""
    asked = json.loads(checked_claims(wanted) or "{}")
    for part, ours in _CAPABLE.items():
        theirs = asked.get(part)
        asked[part] = {**(theirs if isinstance(theirs, dict) else {}), **ours}
    return json.dumps(asked, separators=(",", ":"))


def checked_claims(text: object) -> str:
    """Return the claims of a challenge, as they are stored and sent on; empty for what is none."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return ""
    try:
        claims = json.loads(text)
    except ValueError:
        return ""
    return json.dumps(claims, separators=(",", ":")) if isinstance(claims, dict) and claims else ""
