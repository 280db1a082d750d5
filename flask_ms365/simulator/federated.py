"""Federated credentials: an app proves itself by a token that another provider gave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from joserfc.jwk import RSAKey

TOKEN_EXCHANGE = "api://AzureADTokenExchange"


@dataclass(frozen=True)
class FederatedCredential:
    """Whose tokens stand for the app."""

    issuer: str
    subject: str
    audience: str
    public_pem: str | bytes = field(repr=False)

    def matches(self, claims: Mapping[str, object]) -> bool:
        """Whether a token is meant: every character counts, letter case included."""
        audience = claims.get("aud")
        return (
            claims.get("iss") == self.issuer
            and claims.get("sub") == self.subject
            and audience in (self.audience, [self.audience])
        )

    def public_key(self) -> RSAKey:
        """The key that checks signatures."""
        key: RSAKey = RSAKey.import_key(self.public_pem)
        return key
