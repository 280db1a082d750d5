"""Sign in to the host itself with a Microsoft account: the host learns who it is, and we keep no token."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from flask.typing import ResponseReturnValue

from flask_ms365 import audit
from flask_ms365.errors import SignInFailed
from flask_ms365.identity.allowed_accounts import AllowedAccounts
from flask_ms365.identity.id_token import Identity
from flask_ms365.identity.problems import problem
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.scopes import SIGN_IN_SCOPES
from flask_ms365.identity.sign_in import Purpose, SignIn, Started, Visitor
from flask_ms365.models import OAuthFlow, write_transaction
from flask_ms365.models.base import AnySession

# the host's code that takes a verified identity in; None lets us lead on to where the visitor wanted to go
SignInHandler = Callable[[Identity], ResponseReturnValue | None]


@dataclass(kw_only=True)
class HostSignIn:
    """Signs people in to one app. ``allowed`` returns who may, or None where nobody may; ``handlers`` is read late."""

    session: AnySession
    sign_in: SignIn
    registration: Callable[[], AppRegistration]
    allowed: Callable[[], AllowedAccounts | None]
    handlers: Sequence[SignInHandler]
    clock: Callable[[], datetime]

    @property
    def handler(self) -> SignInHandler | None:
        """What the host does with people who have signed in; without it nobody is asked to."""
        return self.handlers[-1] if self.handlers else None

    def begin(self, *, redirect_uri: str, next_path: str | None) -> Started:
        """Begin the sign-in of a visitor whom nobody knows yet; raise NotConfigured or NoEncryptionKey."""
        return self.sign_in.begin(
            self.registration(),
            purpose=Purpose.SIGN_IN,
            redirect_uri=redirect_uri,
            scopes=SIGN_IN_SCOPES,
            next_path=next_path,
        )

    def finish(self, flow: OAuthFlow, args: Mapping[str, list[str]], visitor: Visitor) -> Identity:
        """Return who signed in and may; raise :exc:`SignInFailed`."""
        # read before the registration: a tenant that is no longer the flow's ends it there
        allowed = self.allowed()
        if allowed is None or self.handler is None:
            raise problem("off")
        identity = self.sign_in.finish(flow, args, registration=self.registration, visitor=visitor).identity
        try:
            allowed.check(identity)
        except SignInFailed as refusal:
            with write_transaction(self.session):
                self._record("sign_in.refused", identity, reason=refusal.check)
            raise
        with write_transaction(self.session):
            self.sign_in.succeeded(flow)
            self._record("user.signed_in", identity)
        return identity

    def _record(self, action: str, identity: Identity, **detail: str) -> None:
        """Write down who it was. Only a verified account is: else anybody on the way in could fill the audit log."""
        name = identity.upn or identity.oid
        audit.record(
            self.session,
            action,
            at=self.clock(),
            actor=name,
            target=name,
            tid=identity.tid,
            oid=identity.oid,
            **detail,
        )
