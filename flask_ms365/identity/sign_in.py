"""One sign-in from the button to the verified account.

The state of a sign-in is a row in the database, not the host's session: it works under ``SameSite=Strict``, cannot be
replayed from an old cookie, and a hundred abandoned starts do not fill the cookie jar. The browser holds only the
``state`` parameter and a binding cookie; the row holds their hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from sqlalchemy import ColumnElement, delete, select, update

from flask_ms365 import audit
from flask_ms365.crypto import Keyring
from flask_ms365.errors import SignInFailed, TokenError
from flask_ms365.identity import token_endpoint
from flask_ms365.identity.advice import advise
from flask_ms365.identity.id_token import Account, Identity, verify_id_token
from flask_ms365.identity.keys import SigningKeys, may_be_issuer
from flask_ms365.identity.portal import admin_consent_url
from flask_ms365.identity.problems import FLOW_MINUTES, PROBLEMS, problem
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.scopes import SCOPES, missing_scopes
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.keys.canary import keep_canary
from flask_ms365.models import OAuthFlow, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.words import Words, as_json

_LONGEST = 4096  # a code has been seen at 2 KB; more than this is not from Microsoft


class Purpose(str, Enum):  # StrEnum is 3.11
    """What a flow is for; it decides who may finish it and where it ends."""

    OWN = "own"
    SYSTEM = "system"
    SIGN_IN = "sign_in"
    CONSENT = "consent"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Started:
    """Where to send the browser, and the cookie that binds the sign-in to it."""

    url: str = field(repr=False)
    binding: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Whose browser has come back: its binding cookie, the host's user, and whether they may still do this."""

    binding: str | None = field(repr=False)
    user_id: str | None
    is_allowed: bool


@dataclass(frozen=True, kw_only=True)
class SignedIn:
    """A sign-in that passed every check."""

    flow: OAuthFlow
    registration: AppRegistration
    identity: Identity
    tokens: TokenPair


class SignIn:
    """Begins and finishes sign-ins."""

    def __init__(self, *, session: AnySession, keyring: Keyring, clock: Callable[[], datetime]) -> None:
        self._session = session
        self._keyring = keyring
        self._clock = clock
        self._keys = SigningKeys(clock=clock)

    def begin(
        self,
        registration: AppRegistration,
        *,
        purpose: Purpose,
        redirect_uri: str,
        user_id: str = "",
        scopes: Sequence[str] = SCOPES,
        mailbox_id: int | None = None,
        expected: Account | None = None,
        next_path: str | None = None,
        login_hint: str = "",
        claims: str = "",
    ) -> Started:
        """Store a new flow and return where to send the browser.

        ``expected`` is the only account that may sign in, ``login_hint`` the name to fill in for the person, ``claims``
        what Microsoft wants to see this time.
        """
        state, binding, verifier = (secrets.token_urlsafe(48) for _ in range(3))
        nonce, now = secrets.token_urlsafe(24), self._clock()
        flow = OAuthFlow(
            id=_hash(state),
            outcome_id=secrets.token_hex(16),
            binding=_hash(binding),
            user_id=user_id,
            purpose=str(purpose),
            mailbox_id=mailbox_id,
            expected=list(expected) if expected else None,
            next_path=next_path,
            nonce=nonce,
            code_verifier=self._keyring.seal(verifier, _context(_hash(state))),
            redirect_uri=redirect_uri,
            scopes=list(scopes),
            registration=registration.fingerprint,
            created_at=now,
            expires_at=now + timedelta(minutes=FLOW_MINUTES),
        )
        with write_transaction(self._session):
            keep_canary(self._session, self._keyring)
            self._session.execute(delete(OAuthFlow).where(_is_over(now)))
            self._session.add(flow)
        if purpose is Purpose.CONSENT:
            url = admin_consent_url(registration, redirect_uri, state=state, scopes=scopes)
            return Started(url=url, binding=binding)
        url = token_endpoint.authorize_url(
            registration,
            redirect_uri=redirect_uri,
            scopes=scopes,
            state=state,
            nonce=nonce,
            verifier=verifier,
            login_hint=login_hint,
            claims=claims,
        )
        return Started(url=url, binding=binding)

    def find(self, args: Mapping[str, list[str]]) -> OAuthFlow:
        """Return the flow that an answer belongs to; raise :exc:`SignInFailed`."""
        values = [value for name in ("state", "code", "error") for value in args.get(name, [])]
        once = all(len(args.get(name, [])) <= 1 for name in ("state", "code", "error", "iss"))
        if not once or not args.get("state") or any(not v or len(v) > _LONGEST or "\0" in v for v in values):
            raise problem("malformed")
        flow = self._session.get(OAuthFlow, _hash(args["state"][0]), populate_existing=True)
        if flow is None:
            raise problem("state")
        # as it was read: looking at it later must neither open a transaction nor see what another callback wrote
        self._session.expunge(flow)
        return flow

    def finish(
        self,
        flow: OAuthFlow,
        args: Mapping[str, list[str]],
        *,
        registration: Callable[[], AppRegistration],
        visitor: Visitor,
    ) -> SignedIn:
        """Accept an answer and return who signed in, with what Microsoft gave; raise :exc:`SignInFailed`."""
        app = self.accept(flow, args, registration=registration, visitor=visitor)
        return self._exchange(flow, args, app)

    def accept(
        self,
        flow: OAuthFlow,
        args: Mapping[str, list[str]],
        *,
        registration: Callable[[], AppRegistration],
        visitor: Visitor,
    ) -> AppRegistration:
        """Run the checks that come before the code, in order, and use the flow up; raise :exc:`SignInFailed`."""
        self._check_flow(flow, visitor)
        app = registration()
        self._consume(flow)
        if flow.registration != app.fingerprint:
            raise problem("registration")
        _check_answer(args, app)
        return app

    def consented(self, flow: OAuthFlow, args: Mapping[str, list[str]]) -> None:
        """Keep that an admin allowed the app, after :meth:`accept`. Which tenant it was, anybody could have written."""
        if args.get("admin_consent", [""])[0].lower() != "true":
            raise problem("malformed")
        with write_transaction(self._session):
            self.succeeded(flow)
            audit.record(self._session, "consent.given", at=self._clock(), actor=flow.user_id)

    def succeeded(self, flow: OAuthFlow) -> None:
        """Within a transaction: keep that a flow ended well."""
        ended = update(OAuthFlow).where(OAuthFlow.id == flow.id).values(problem={}, code_verifier=None)
        rows_changed(self._session, ended)

    def failed(self, flow: OAuthFlow, error: SignInFailed) -> None:
        """Use a flow up and keep why it ended, for the page that tells it to the user who began."""
        words = {
            "check": error.check,
            "message": as_json(error.words),
            "next_step": as_json(error.next_step),
            "code": error.code,
            "trace": error.trace,
            "seen": error.seen,
        }
        ended = update(OAuthFlow).where(OAuthFlow.id == flow.id, OAuthFlow.problem.is_(None))
        ended = ended.values(consumed_at=self._clock(), code_verifier=None, problem=words)
        with write_transaction(self._session):
            rows_changed(self._session, ended)

    def outcome(self, outcome_id: str, *, user_id: str) -> OAuthFlow | None:
        """Return the sign-in of this user that ``outcome_id`` names: an ended one, or one that is just being finished.

        ``problem`` of the latter is None.
        """
        if not outcome_id.isalnum():  # it comes from a URL, and PostgreSQL takes no NUL
            return None
        wanted = select(OAuthFlow).where(OAuthFlow.outcome_id == outcome_id, OAuthFlow.user_id == user_id)
        return self._session.scalar(wanted.where(OAuthFlow.consumed_at.is_not(None)))

    def _exchange(self, flow: OAuthFlow, args: Mapping[str, list[str]], app: AppRegistration) -> SignedIn:
        """Exchange the code of an accepted answer and verify who signed in; raise :exc:`SignInFailed`."""
        if not args.get("code"):
            raise problem("malformed")
        try:
            tokens = token_endpoint.exchange_code(
                app,
                code=args["code"][0],
                redirect_uri=flow.redirect_uri,
                verifier=self._keyring.open(flow.code_verifier or "", _context(flow.id)),
                needs_refresh_token="offline_access" in flow.scopes,
            )
            identity = verify_id_token(
                tokens.id_token,
                access_token=tokens.access_token,
                registration=app,
                keys=self._keys,
                nonce=flow.nonce,
                now=self._clock(),
            )
        except TokenError as exc:
            raise SignInFailed(exc.error or "token", exc.words, code=exc.code, trace=exc.trace) from None
        issuer = args.get("iss", [""])[0]
        if issuer and f"/{identity.tid}/" not in issuer:  # where the settings name no tenant, only this tells which
            raise problem("issuer")
        _check_scopes(tokens.scopes, flow.scopes)
        return SignedIn(flow=flow, registration=app, identity=identity, tokens=tokens)

    def _check_flow(self, flow: OAuthFlow, visitor: Visitor) -> None:
        if flow.consumed_at is not None:
            raise problem("state")
        if flow.expires_at <= self._clock():
            raise problem("expired")
        if not hmac.compare_digest(_hash(visitor.binding or ""), flow.binding):
            raise problem("binding")
        if flow.user_id and visitor.user_id != flow.user_id:
            raise problem("user")
        if not visitor.is_allowed:
            raise problem("allowed")

    def _consume(self, flow: OAuthFlow) -> None:
        """Use the flow up: of two callbacks at the same instant one wins."""
        with write_transaction(self._session):
            unused = update(OAuthFlow).where(OAuthFlow.id == flow.id, OAuthFlow.consumed_at.is_(None))
            is_first = rows_changed(self._session, unused.values(consumed_at=self._clock())) == 1
        if not is_first:
            raise problem("state")


def _is_over(now: datetime) -> ColumnElement[bool]:
    """Outcomes are shown for a day; an abandoned start is known for an hour, to tell who comes late that it is late."""
    is_abandoned = OAuthFlow.consumed_at.is_(None) & (OAuthFlow.expires_at < now - timedelta(hours=1))
    return is_abandoned | (OAuthFlow.expires_at < now - timedelta(days=1))


def _check_answer(args: Mapping[str, list[str]], registration: AppRegistration) -> None:
    """Read Microsoft's answer: ``error`` before ``code``; its text is anybody's, so it only picks our words."""
    issuer = args.get("iss", [""])[0]
    if issuer and not may_be_issuer(registration, issuer):
        raise problem("issuer")
    if args.get("error"):
        advice = advise(args["error"][0], args.get("error_description", [""])[0], login=registration.authority)
        raise SignInFailed("refused", advice.message, next_step=advice.next_step, code=advice.code, trace=advice.trace)


def _check_scopes(granted: tuple[str, ...], asked: Sequence[str]) -> None:
    """Name what Microsoft left out; without permission to read mail there is nothing to connect."""
    missing = missing_scopes(granted, asked)
    if any(scope.startswith("Mail.") for scope in missing):
        message = Words("Microsoft did not grant the permission to read mail: %(missing)s.", missing=", ".join(missing))
        raise SignInFailed("scope", message, next_step=PROBLEMS["scope"][1])


def _context(flow_id: str) -> str:
    return f"ms365_oauth_flow:{flow_id}:code_verifier"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
