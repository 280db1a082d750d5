"""Which Microsoft accounts may sign in to the host."""

from __future__ import annotations

from dataclasses import dataclass

from flask_ms365.identity.id_token import Identity
from flask_ms365.identity.problems import problem

# the tenant that all personal accounts are in: their sign-in names are addresses of anybody's domain
_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"
_GUEST = "#ext#"


@dataclass(frozen=True, kw_only=True)
class AllowedAccounts:
    """Tenants by their id, narrowed by the domains of sign-in names where any are named.

    No tenants are the one that the app registration names; the ID token's issuer was held to it.
    """

    tenants: tuple[str, ...]
    domains: tuple[str, ...]

    def check(self, identity: Identity) -> None:
        """Raise :exc:`SignInFailed` for an account that may not sign in."""
        if self.tenants and identity.tid not in self.tenants:
            raise problem("tenant")
        if self.domains and _domain_of(identity) not in self.domains:
            raise problem("domain")


def _domain_of(identity: Identity) -> str:
    """Return the domain that vouches for an account; empty where none does.

    Entra verifies the domains of a tenant's own people. The name of a guest or of a personal account says nothing.
    """
    upn = identity.upn or ""
    # ASCII first: other letters, such as the Kelvin sign, turn into ASCII ones in lower case
    is_own = upn.isascii() and upn.count("@") == 1 and identity.tid != _PERSONAL and _GUEST not in upn.lower()
    return upn.partition("@")[2].lower() if is_own else ""
