"""What the sign-in service has given out: codes, refresh tokens and access tokens."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .clock import Clock
from .directory import App, User
from .errors import SignInError

CODE_LIFE = timedelta(minutes=10)
REFRESH_TOKEN_LIFE = timedelta(days=90)
SPA_SIGN_IN_LIFE = timedelta(hours=24)
# what /common and /organizations stand for where a tenant id is expected
ANY_TENANT = "{tenantid}"


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """What the app asked for at /authorize, checked."""

    app: App
    tenant_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    code_challenge_method: str = "plain"
    response_mode: str = "query"
    is_capable: bool = False


@dataclass
class Grant:
    """One sign-in of a user to an app: the family of all tokens that descend from it."""

    app: App
    user: User
    scopes: tuple[str, ...]
    issued_at: datetime
    revoked_at: datetime | None = None


@dataclass
class Code:
    """An authorization code: one use, ten minutes."""

    value: str
    grant: Grant
    request: AuthorizationRequest
    issued_at: datetime
    is_redeemed: bool = False


@dataclass
class RefreshToken:
    """A refresh token. Using one makes another; the used one stays valid."""

    grant: Grant
    issued_at: datetime
    is_used: bool = False


@dataclass(frozen=True, kw_only=True)
class AccessToken:
    """An access token, opaque to everybody but Graph. Without a user it is an app-only one."""

    value: str
    app: App
    user: User | None
    permissions: frozenset[str]
    issued_at: datetime
    expires_at: datetime
    is_capable: bool = False


@dataclass
class Grants:
    """The memory of the sign-in service."""

    clock: Clock
    codes: dict[str, Code] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    access_tokens: dict[str, AccessToken] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def issue_code(self, request: AuthorizationRequest, user: User) -> str:
        """A code for the redirect."""
        now = self.clock()
        grant = Grant(request.app, user, request.scopes, now)
        code = Code(f"1.AXkA{secrets.token_urlsafe(120)}", grant, request, now)
        self.codes[code.value] = code
        return code.value

    def redeem_code(self, value: str, app: App, tenant_id: str, redirect_uri: str, verifier: str | None) -> Code:
        """The code, checked in the order in which the service complains."""
        code = self.codes.get(value)
        if code is None:
            raise SignInError(70000) if value.startswith("1.") else SignInError(9002313, error="invalid_grant")
        if code.grant.app is not app:
            raise SignInError(70000)
        if tenant_id != code.request.tenant_id and ANY_TENANT not in (tenant_id, code.request.tenant_id):
            raise SignInError(700005)
        if code.is_redeemed:
            raise SignInError(54005)
        if code.issued_at + CODE_LIFE <= self.clock():
            raise SignInError(70008)
        if code.request.redirect_uri != redirect_uri:
            raise SignInError(500112, redirect_uri=redirect_uri, expected=code.request.redirect_uri)
        _check_verifier(code.request, verifier)
        with self._lock:
            was_redeemed, code.is_redeemed = code.is_redeemed, True
        if was_redeemed:
            raise SignInError(54005)
        return code

    def issue_refresh_token(self, grant: Grant) -> str:
        """A refresh token of a grant."""
        value = f"1.AXkA{secrets.token_urlsafe(360)}"
        self.refresh_tokens[value] = RefreshToken(grant, self.clock())
        return value

    def redeem_refresh_token(self, value: str, app: App, *, strict: bool) -> Grant:
        """The grant behind a refresh token; `strict` lets a token that comes back a second time end the family."""
        token = self.refresh_tokens.get(value)
        if token is None:
            raise SignInError(70000) if value.startswith("1.") else SignInError(9002313, error="invalid_grant")
        if token.grant.app is not app:
            raise SignInError(70000)
        with self._lock:  # of two that come at once, one is the second
            is_back, token.is_used = token.is_used, True
        if strict and is_back:
            token.grant.revoked_at = token.grant.revoked_at or self.clock()
        self._check_alive(token)
        return token.grant

    def issue_access_token(
        self, app: App, user: User | None, permissions: Iterable[str], seconds: int, *, is_capable: bool = False
    ) -> AccessToken:
        """An access token for Graph."""
        now = self.clock()
        token = AccessToken(
            value=f"eyJ0eXAiOiJKV1QiLCJub25jZSI6I{secrets.token_urlsafe(600)}",
            app=app,
            user=user,
            permissions=frozenset(permissions),
            issued_at=now,
            expires_at=now + timedelta(seconds=seconds),
            is_capable=is_capable,
        )
        self.access_tokens[token.value] = token
        return token

    def expire_access_tokens(self) -> None:
        """Let every access token given out so far be expired."""
        now = self.clock()
        for token in list(self.access_tokens.values()):
            self.access_tokens[token.value] = replace(token, expires_at=now)

    def revoke(self, concerns: Callable[[Grant], bool]) -> None:
        """End the grants that a condition picks; access tokens live on until they expire."""
        now = self.clock()
        for token in list(self.refresh_tokens.values()):
            if concerns(token.grant) and token.grant.revoked_at is None:
                token.grant.revoked_at = now

    def _check_alive(self, token: RefreshToken) -> None:
        issued = f"{token.grant.issued_at:%Y-%m-%dT%H:%M:%S.0000000Z}"
        if token.grant.revoked_at:
            raise SignInError(50173, issued=issued, valid_from=f"{token.grant.revoked_at:%Y-%m-%dT%H:%M:%S.0000000Z}")
        if token.grant.app.platform == "spa" and token.grant.issued_at + SPA_SIGN_IN_LIFE <= self.clock():
            raise SignInError(700084, issued=issued)
        if token.issued_at + REFRESH_TOKEN_LIFE <= self.clock():
            raise SignInError(700082, issued=issued)


def _check_verifier(request: AuthorizationRequest, verifier: str | None) -> None:
    if request.code_challenge is None:
        return
    if not verifier:
        raise SignInError(50148)
    challenge = verifier
    if request.code_challenge_method == "S256":
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    if challenge != request.code_challenge:
        raise SignInError(501481)
