"""The app registration in Entra, as one flow or one refresh uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote

from flask_ms365.identity.credentials import Credential


@dataclass(frozen=True, kw_only=True)
class AppRegistration:
    """Client id, credential and tenant with the origins they belong to: one generation of the settings."""

    client_id: str
    # None where nobody has entered one yet: links need none
    credential: Credential | None = field(repr=False)
    tenant: str
    authority: str
    graph: str
    # the cloud's key, see clouds.py; authority and graph are its origins unless the deployment names others
    cloud: str = "global"
    # what the present credential replaced, while nobody knows yet whether the new one works
    previous: Credential | None = field(default=None, repr=False)
    # called once Microsoft has taken the new one
    credential_worked: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def with_previous(self, credential: Credential, worked: Callable[[], None]) -> AppRegistration:
        """Return a registration that falls back to ``credential`` until the new one has worked."""
        return replace(self, previous=credential, credential_worked=worked)

    @property
    def fingerprint(self) -> str:
        """What a flow must find unchanged when it comes back."""
        return hashlib.sha256(f"{self.authority}|{self.graph}|{self.tenant}|{self.client_id}".encode()).hexdigest()

    @property
    def credential_fingerprint(self) -> str:
        """What tells the credential from others; empty where there is none."""
        return self.credential.fingerprint if self.credential else ""

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
