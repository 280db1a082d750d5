"""A Microsoft 365 tenant: its apps, users and tokens, and the switches of its sign-in service."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime

from .clock import Clock, utc_now
from .directory import App, User
from .errors import GraphError, SignInError
from .grants import Grants
from .keys import SigningKey, first_key
from .mailbox import Mailbox

_ANY_ACCOUNT = ("common", "organizations", "consumers")


class Tenant:
    """The tenant and what is in it.

    - `access_token_seconds`: the life of an access token, given as `expires_in`.
    - `strict_refresh_rotation`: whether a refresh token that is used twice ends the sign-in (Microsoft's does not).
    - `user_consent_allowed`: whether users may consent to mail permissions without an admin.
    """

    apps: dict[str, App]
    users: dict[str, User]
    grants: Grants
    signing_keys: list[SigningKey]
    next_sign_in_errors: list[int]
    challenges: dict[str, datetime]
    access_token_seconds: int
    strict_refresh_rotation: bool
    user_consent_allowed: bool

    def __init__(self, *, domain: str = "contoso.onmicrosoft.com", clock: Clock = utc_now) -> None:
        self.tenant_id = str(uuid.uuid4())
        self.tenant_domain = domain
        self.clock = clock
        self.empty()

    def empty(self) -> None:
        """Forget everybody and everything; the tenant id stays."""
        self.apps = {}
        self.users = {}
        self.grants = Grants(self.clock)
        self.signing_keys = [first_key()]
        self.next_sign_in_errors = []
        self.challenges = {}
        self.access_token_seconds = 3600
        self.strict_refresh_rotation = False
        self.user_consent_allowed = True

    def register_app(
        self,
        redirect_uris: Iterable[str] = (),
        name: str = "Demo",
        application_permissions: Iterable[str] = ("Mail.Read", "User.Read.All"),
    ) -> App:
        """Register an app with one secret. Its application permissions are consented to already."""
        app = App(str(uuid.uuid4()), name, list(redirect_uris), set(application_permissions))
        app.add_secret()
        self.apps[app.client_id] = app
        return app

    def add_user(self, upn: str, name: str | None = None, password: str | None = None) -> User:
        """Add a user with a mailbox. A shared mailbox is a user whom nobody signs in as."""
        user = User(
            oid=str(uuid.uuid4()),
            upn=upn,
            name=name or upn.partition("@")[0].title(),
            password=password or secrets.token_urlsafe(9),
            mailbox=Mailbox(upn, self.clock),
        )
        self.users[user.oid] = user
        return user

    def user(self, name: str) -> User | None:
        """The user of an object id or a user principal name, in any letter case."""
        wanted = name.lower()
        return next((u for u in list(self.users.values()) if wanted in (u.oid, u.upn.lower())), None)

    def revoke(self, user: User) -> None:
        """Revoke a user's sessions: refresh tokens die with 50173, access tokens live until they expire."""
        self.grants.revoke(lambda grant: grant.user is user)

    def challenge(self, user: User) -> None:
        """Let Graph refuse the user's present tokens by a claims challenge, where the client said it can handle it."""
        self.challenges[user.oid] = self.clock()

    def expire_access_tokens(self) -> None:
        """Let every access token given out so far be expired."""
        self.grants.expire_access_tokens()

    def roll_keys(self) -> None:
        """Sign with a new key from now on; the old one is no longer published."""
        self.signing_keys = [SigningKey()]

    def sign_in_error(self, code: int) -> None:
        """Let the next sign-in end with this AADSTS error."""
        self.next_sign_in_errors.append(code)

    def tenant_of(self, name: str) -> str:
        """The GUID behind a tenant name in a URL, or the literal that /common and /organizations stand for."""
        if name.lower() in _ANY_ACCOUNT:
            return "{tenantid}"
        if name.lower() in (self.tenant_id, self.tenant_domain):
            return self.tenant_id
        raise SignInError(90002 if _is_tenant_name(name) else 900023, tenant=name)

    def app_of(self, client_id: str | None) -> App:
        """The app of a client id."""
        if not client_id:
            raise SignInError(900144, parameter="client_id")
        app = self.apps.get(client_id.lower())
        if app is None:
            raise SignInError(700016, client_id=client_id, tenant="Contoso")
        if not app.is_enabled:
            raise SignInError(7000112, client_id=client_id, name=app.name)
        return app

    def mailbox_user(self, name: str) -> User:
        """The user whose mailbox a Graph path names."""
        user = self.user(name)
        if user is None:
            raise GraphError(404, "ErrorInvalidUser", f"The requested user '{name}' is invalid.")
        if not user.has_mailbox:
            raise GraphError(
                404,
                "MailboxNotEnabledForRESTAPI",
                "The mailbox is either inactive, soft-deleted, or is hosted on-premise.",
            )
        return user


def _is_tenant_name(name: str) -> bool:
    try:
        uuid.UUID(name)
    except ValueError:
        return "." in name.strip(".")
    return True
