"""The app registration in Entra, as one flow or one refresh uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import quote


@dataclass(frozen=True, kw_only=True)
class AppRegistration:
    """Client id, secret and tenant with the origins they belong to: one generation of the settings."""

    client_id: str
    client_secret: str = field(repr=False)
    tenant: str
    authority: str
    graph: str
    # the cloud's key, see clouds.py; authority and graph are its origins unless the deployment names others
    cloud: str = "global"
    # the secret that the present one replaced, while nobody knows yet whether the new one works
    previous_secret: str | None = field(default=None, repr=False)
    # called once Microsoft has taken the new one
    secret_worked: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def with_previous_secret(self, secret: str | None, worked: Callable[[], None]) -> AppRegistration:
        """Return a registration that falls back to ``secret`` until the new one has worked."""
        return replace(self, previous_secret=secret, secret_worked=worked)

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
