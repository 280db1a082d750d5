"""Another identity provider, as Kubernetes or GitHub is one: it signs tokens that stand for an app at Microsoft."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

ISSUER = "https://oidc.example.com/cluster-7"
SUBJECT = "system:serviceaccount:mail:flask-ms365"
AUDIENCE = "api://AzureADTokenExchange"


class Provider:
    """Who signs. Each has a key of its own; the first one's is made once a run."""

    def __init__(self, *, is_first: bool = False) -> None:
        self._key = _first_key() if is_first else _new_key()

    @property
    def public_pem(self) -> bytes:
        """What the simulator checks signatures with."""
        return self._key.as_pem(private=False)

    def token(self, now: datetime, *, minutes: int = 60, **claims: Any) -> str:
        """Return a token from ``now`` on; claims by keyword take the place of the usual ones."""
        since = int(now.timestamp())
        usual = {
            "iss": ISSUER,
            "sub": SUBJECT,
            "aud": AUDIENCE,
            "nbf": since,
            "iat": since,
            "exp": since + minutes * 60,
        }
        return jwt.encode({"alg": "RS256", "kid": "1"}, {**usual, **claims}, self._key)


def _new_key() -> RSAKey:
    key: RSAKey = RSAKey.generate_key(2048)
    return key


_first_key = cache(_new_key)
