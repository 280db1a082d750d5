"""One call to Graph: who calls, for which mailbox, with which options, and whether it may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote, urlencode

from werkzeug import Request

from .directory import User
from .errors import GraphError
from .grants import AccessToken
from .odata import Prefer, selected
from .representation import DEFAULT_PROPERTIES, Json, Shape, check_selected
from .tenant import Tenant

Need = Literal["profile", "basic", "read", "write"]

_ENOUGH: dict[Need, frozenset[str]] = {
    "profile": frozenset({"User.Read", "User.Read.All", "User.ReadBasic.All"}),
    "basic": frozenset({"Mail.ReadBasic", "Mail.Read", "Mail.ReadWrite"}),
    "read": frozenset({"Mail.Read", "Mail.ReadWrite"}),
    "write": frozenset({"Mail.ReadWrite"}),
}
_SCOPED_ROLE = frozenset({"Mail.Read"})
_NOT_BASIC = ("body", "bodyPreview", "uniqueBody")
_DENIED = "Access is denied. Check credentials and try again."


@dataclass
class Call:
    """A call to the mailbox of a user; `root` is what the caller wrote before the mailbox's own path."""

    tenant: Tenant
    request: Request
    token: AccessToken
    user: User
    root: str
    prefer: Prefer = field(init=False)

    def __post_init__(self) -> None:
        self.box = self.user.mailbox
        self.args = self.request.args
        self.prefer = Prefer.of(self.request.headers.get("Prefer", ""))
        self.shape = Shape(self.box, self.prefer.immutable, self.prefer.body)

    def check_permission(self, need: Need) -> None:
        """Refuse a call that the token's permissions on this mailbox do not cover; app roles are `check_roles`."""
        caller = self.token.user
        if need == "profile":
            if caller and not self._profile_permissions(caller) & self.token.permissions:
                raise _insufficient()
        elif caller is None:
            self._check_access_policy()
        elif not self._permissions(caller) & _ENOUGH[need]:
            raise GraphError(403, "ErrorAccessDenied", _DENIED)

    def names(self, text: str | None = None) -> list[str] | None:
        """The selected message properties; a token for basic mail never sees a body."""
        names = text.split(",") if text else selected(self.args)
        check_selected(names or ())
        if self._is_basic():
            return [name for name in names or DEFAULT_PROPERTIES if name not in _NOT_BASIC]
        return names

    def link(self, path: str, options: dict[str, str]) -> str:
        """An absolute link to continue with."""
        return f"{self.origin}{self.root}{path}?{urlencode(options, quote_via=quote, safe='$,')}"

    def context(self, path: str) -> str:
        """The @odata.context of an answer."""
        return f"{self.origin}/v1.0/$metadata#{path}"

    @property
    def origin(self) -> str:
        """The address that the caller used."""
        return self.request.host_url.rstrip("/")

    def json(self) -> Json:
        """The body of the request."""
        body = self.request.get_json(silent=True)
        if not isinstance(body, dict):
            raise GraphError(400, "UnableToDeserializePostBody", "were unable to deserialize ")
        return body

    def _is_basic(self) -> bool:
        return not self._permissions(self.token.user) & _ENOUGH["read"]

    def _profile_permissions(self, caller: User) -> frozenset[str]:
        """What reads this profile: `User.Read` alone reads nobody's but one's own."""
        return _ENOUGH["profile"] if caller is self.user else _ENOUGH["profile"] - {"User.Read"}

    def _check_access_policy(self) -> None:
        allowed = self.token.app.allowed_mailboxes
        if is_in_scope(self.token, self.user.upn):
            return
        if allowed is not None and self.user.upn.lower() not in _lower(allowed):
            raise GraphError(403, "ErrorAccessDenied", "Access to OData is disabled.")

    def _permissions(self, caller: User | None) -> frozenset[str]:
        """The token's permissions on this mailbox: on somebody else's the shared ones count, with full access."""
        if caller is None:
            in_scope = _SCOPED_ROLE if is_in_scope(self.token, self.user.upn) else frozenset()
            return _without_all(self.token.permissions) | in_scope
        shared = frozenset(name.removesuffix(".Shared") for name in self.token.permissions if name.endswith(".Shared"))
        if caller is self.user:
            return self.token.permissions | shared
        return shared if caller.oid in self.user.delegates else frozenset()


def check_roles(token: AccessToken, need: Need, owner: str) -> None:
    """Refuse an app-only token without the app role: Graph looks at that before it looks for the user."""
    if token.user is not None or _ENOUGH[need] & _without_all(token.permissions):
        return
    if _ENOUGH[need] & _SCOPED_ROLE and is_in_scope(token, owner):
        return
    if need == "profile":
        raise _insufficient()
    raise GraphError(403, "ErrorAccessDenied", _DENIED)


def is_in_scope(token: AccessToken, address: str) -> bool:
    """Whether Exchange's RBAC for Applications lets the app read a mailbox; it adds to what Entra consented to."""
    return address.lower() in _lower(token.app.exchange_scope)


def _without_all(permissions: Iterable[str]) -> frozenset[str]:
    return frozenset(name.removesuffix(".All") for name in permissions)


def _insufficient() -> GraphError:
    return GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")


def _lower(addresses: Iterable[str]) -> set[str]:
    return {address.lower() for address in addresses}
