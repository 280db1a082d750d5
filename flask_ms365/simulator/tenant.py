"""A Microsoft 365 tenant: its apps, users and tokens, and the switches of its sign-in service."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime

from .clock import Clock, utc_now
from .clouds import CLOUDS, Cloud, CloudKey
from .directory import App, User
from .errors import GraphError, SignInError
from .grants import ANY_TENANT, Grants
from .keys import SigningKey, first_key
from .mailbox import Mailbox

_PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
SHARED_ENDPOINTS = {"common": ANY_TENANT, "organizations": ANY_TENANT, "consumers": _PERSONAL_ACCOUNTS}


class Tenant:
    """The tenant and what is in it.

    - `access_token_seconds`: the life of an access token, given as `expires_in`.
    - `strict_refresh_rotation`: whether a refresh token that is used twice ends the sign-in (Microsoft's does not).
    - `user_consent_allowed`: whether users may consent to mail permissions without an admin.
    - `admin_consent_requests`: whether users who may not can ask an admin on the spot (the admin consent workflow).
    - `cloud`: the cloud that discovery speaks of.
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
    admin_consent_requests: bool
    cloud: CloudKey
    _elsewhere: dict[str, tuple[str, CloudKey | None]]

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
        self.admin_consent_requests = False
        self.cloud = "global"
        self._elsewhere = {}

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

    def delete_app(self, app: App) -> None:
        """Delete an app registration: nobody knows its client id from now on."""
        del self.apps[app.client_id]

    def add_tenant(self, domain: str = "fabrikam.onmicrosoft.com") -> str:
        """Let there be another organization in this cloud, and return its tenant id. It knows no app of ours."""
        return self._add_elsewhere(domain, None)

    def add_tenant_of_another_cloud(self, tenant: str, cloud: CloudKey) -> str:
        """Let a tenant, named by domain or id, live in another cloud, and return its tenant id."""
        return self._add_elsewhere(tenant, cloud)

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
        if name.lower() in SHARED_ENDPOINTS:
            return SHARED_ENDPOINTS[name.lower()]
        if name.lower() in self._names():
            return self.tenant_id
        if name.lower() not in self._elsewhere:
            raise SignInError(90002 if _is_tenant_name(name) else 900023, tenant=name)
        return self._elsewhere[name.lower()][0]

    def cloud_of(self, name: str) -> Cloud:
        """The cloud that a tenant lives in."""
        _, elsewhere = self._elsewhere.get(name.lower(), (name, None))
        return CLOUDS[elsewhere or self.cloud]

    def is_federated(self, name: str) -> bool:
        """Whether a tenant signs in at another host, in a cloud that this one knows."""
        here, there = CLOUDS[self.cloud], self.cloud_of(name)
        return there.login_host != here.login_host and here.knows_tenants_of(there)

    def check_cloud(self, name: str) -> None:
        """Refuse a tenant that signs in at another host."""
        there = self.cloud_of(name)
        if there.login_host != CLOUDS[self.cloud].login_host:
            raise SignInError(90038, tenant=name, cloud=there.name)

    def app_of(self, client_id: str | None) -> App:
        """The app of a client id."""
        if not client_id:
            raise SignInError(900144, parameter="client_id")
        if not _is_guid(client_id):
            raise SignInError(90112)
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

    @property
    def neighbours(self) -> set[str]:
        """The ids of all tenants but this one."""
        return {tenant_id for tenant_id, _ in self._elsewhere.values()}

    def _names(self) -> set[str]:
        """Everything that names this tenant: its id, its first domain, and the domains of its users."""
        domains = {user.upn.lower().rpartition("@")[2] for user in list(self.users.values())}
        return {self.tenant_id, self.tenant_domain, *domains}

    def _add_elsewhere(self, name: str, cloud: CloudKey | None) -> str:
        tenant_id = name.lower() if _is_guid(name) else str(uuid.uuid4())
        self._elsewhere[name.lower()] = self._elsewhere[tenant_id] = (tenant_id, cloud)
        return tenant_id


def _is_tenant_name(name: str) -> bool:
    return _is_guid(name) or "." in name.strip(".")


def _is_guid(text: str) -> bool:
    return _GUID.fullmatch(text) is not None
