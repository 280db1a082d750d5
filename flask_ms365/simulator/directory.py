"""Who is in the tenant: app registrations with their credentials, and users with their mailboxes."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from .federated import TOKEN_EXCHANGE, FederatedCredential
from .keys import Certificate
from .mailbox import Mailbox

Platform = Literal["web", "spa", "public"]
Audience = Literal[
    "AzureADMyOrg", "AzureADMultipleOrgs", "AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount"
]

_LOOPBACK = ("localhost", "127.0.0.1")
_SECRET_ALPHABET = string.ascii_letters + string.digits + "_~.-"


class Secret(NamedTuple):
    """A client secret. The portal shows its id beside the value, and people paste the wrong one."""

    id: str
    value: str
    is_expired: bool = False


@dataclass
class App:
    """An app registration.

    - `platform`: what its redirect URIs are registered under: `web`, `spa`, or `public` (mobile and desktop).
    - `sign_in_audience`: whose accounts it is for, as the manifest writes it.
    - `certificates`, `federated_credentials`: what it may prove itself with beside its secrets.
    - `application_permissions`: the app roles that an admin has consented to, out of `listed_permissions`, which is
      what the registration asks for.
    - `withheld_scopes`: what never makes it into a token, whatever was consented.
    - `allowed_mailboxes`: the addresses that Exchange lets the app reach with app roles; None is all.
    - `exchange_scope`: the addresses that Exchange's RBAC for Applications lets the app read, beside the app roles.
    - `installed_in`: ids of other tenants that have the app among their enterprise applications.
    - `assigned_users`: ids of the users who may sign in; None is all.
    - `error`: an AADSTS number that every token request of this app ends with.
    """

    client_id: str
    name: str
    redirect_uris: list[str]
    application_permissions: set[str]
    secrets: list[Secret] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)
    federated_credentials: list[FederatedCredential] = field(default_factory=list)
    consents: dict[str, set[str]] = field(default_factory=dict)
    withheld_scopes: set[str] = field(default_factory=set)
    allowed_mailboxes: set[str] | None = None
    exchange_scope: set[str] = field(default_factory=set)
    is_enabled: bool = True
    needs_admin_consent: bool = False
    platform: Platform = "web"
    sign_in_audience: Audience = "AzureADMultipleOrgs"
    listed_permissions: set[str] = field(default_factory=lambda: {"Mail.Read", "User.Read.All"})
    installed_in: set[str] = field(default_factory=set)
    assigned_users: set[str] | None = None
    error: int | None = None
    object_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def client_secret(self) -> str:
        """The value of the newest secret; empty where all are gone."""
        return self.secrets[-1].value if self.secrets else ""

    @property
    def secret_id(self) -> str:
        """The id of the newest secret: what people paste by mistake."""
        return self.secrets[-1].id

    def add_secret(self, expired: bool = False) -> str:
        """Make a client secret and return its value."""
        self.secrets.append(Secret(str(uuid.uuid4()), _secret_value(), expired))
        return self.client_secret

    def expire_secret(self, value: str | None = None) -> None:
        """Let a secret expire: the newest one, or the one named."""
        expired = value or self.client_secret
        self.secrets = [s._replace(is_expired=s.is_expired or s.value == expired) for s in self.secrets]

    def remove_secret(self, value: str) -> None:
        """Delete a secret in the portal."""
        self.secrets = [secret for secret in self.secrets if secret.value != value]

    def add_certificate(self, pem: str | bytes) -> Certificate:
        """Upload the public certificate that client assertions are signed with."""
        self.certificates.append(Certificate(pem))
        return self.certificates[-1]

    def add_federated_credential(
        self, issuer: str, subject: str, public_key: str | bytes, audience: str = TOKEN_EXCHANGE
    ) -> FederatedCredential:
        """Trust tokens of another provider that have exactly this issuer, subject and audience.

        `public_key` is the provider's, as PEM: the real service reads it from the issuer.
        """
        self.federated_credentials.append(FederatedCredential(issuer, subject, audience, public_key))
        return self.federated_credentials[-1]

    def consent(self, user: User, scopes: Iterable[str]) -> None:
        """Note that a user accepted these scopes."""
        self.consents.setdefault(user.oid, set()).update(scopes)

    def consented(self, user: User) -> set[str]:
        """What the user (or an admin, for everybody) has accepted."""
        return self.consents.get(user.oid, set()) | self.consents.get("*", set())

    def withdraw_consent(self) -> None:
        """Remove every consent to this app, of users and of the admin."""
        self.consents.clear()
        self.application_permissions.clear()

    def require_assignment(self, *users: User) -> None:
        """Let only these users sign in, as "Assignment required" does in the portal."""
        self.assigned_users = {user.oid for user in users}

    def admits(self, user: User) -> bool:
        """Whether the user is assigned to the app, where that is required."""
        return self.assigned_users is None or user.oid in self.assigned_users

    def accepts(self, redirect_uri: str) -> bool:
        """Whether the redirect URI is registered; for localhost the port is not compared.

        Microsoft registers no http address but of the loopback, whatever this list says.
        """
        address = urlsplit(redirect_uri)
        if address.scheme == "http" and address.hostname not in _LOOPBACK:
            return False
        return any(_without_local_port(uri) == _without_local_port(redirect_uri) for uri in self.redirect_uris)


@dataclass
class User:
    """A user of the tenant.

    `aliases` are other addresses of the mailbox.
    `error` is an AADSTS number that every sign-in and refresh of this user ends with (50076 for "needs MFA", say).
    `is_admin` says whether the user may consent on behalf of everybody.
    """

    oid: str
    upn: str
    name: str
    password: str
    mailbox: Mailbox
    has_mailbox: bool = True
    is_enabled: bool = True
    is_admin: bool = True
    error: int | None = None
    delegates: set[str] = field(default_factory=set)
    aliases: list[str] = field(default_factory=list)

    def share_with(self, other: User) -> None:
        """Give another user full access to this mailbox, as an Exchange admin does."""
        self.delegates.add(other.oid)


def _secret_value() -> str:
    """A value of the shape that the portal gives out since 2021: aB38Q~…"""
    characters = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(37))
    return f"{characters[:3]}8Q~{characters[3:]}"


def _without_local_port(uri: str) -> str:
    head, separator, rest = uri.partition("://localhost")
    if not separator:
        return uri
    return f"{head}{separator}/{rest.partition('/')[2]}"
