"""The app registration in Entra, as one flow or one refresh uses it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from urllib.parse import quote

# Least first: reading mail, and a refresh token to go on reading. User.Read names the mailbox.
SCOPES = ("openid", "profile", "offline_access", "User.Read", "Mail.Read")


@dataclass(frozen=True, kw_only=True)
class AppRegistration:
    """Client id, secret and tenant with the origins they belong to: one generation of the settings."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant: str
    authority: str
    graph: str

    @property
    def fingerprint(self) -> str:
        """What a flow must find unchanged when it comes back."""
        return hashlib.sha256(f"{self.authority}|{self.tenant}|{self.client_id}".encode()).hexdigest()

    @property
    def authorize_url(self) -> str:
        """Where people sign in."""
        return f"{self._tenant_url}/oauth2/v2.0/authorize"

    @property
    def token_url(self) -> str:
        """Where codes and refresh tokens are exchanged."""
        return f"{self._tenant_url}/oauth2/v2.0/token"

    @property
    def discovery_url(self) -> str:
        """Where the issuer and the signing keys are named."""
        return f"{self._tenant_url}/v2.0/.well-known/openid-configuration"

    @property
    def _tenant_url(self) -> str:
        return f"{self.authority}/{quote(self.tenant, safe='')}"
