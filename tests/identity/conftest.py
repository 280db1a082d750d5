"""A sign-in that has begun, and Microsoft's side of it under the test's control."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jws
from sqlalchemy import func, select

from flask_ms365.models import Connection, Mailbox
from flask_ms365.simulator import App, Simulator, User
from flask_ms365.simulator.keys import SigningKey
from tests.conftest import CALLBACK, Host
from tests.sync.conftest import synced
from tests.visitor import Visitor, sign_in_at_microsoft

__all__ = ["synced"]

CALLBACK_PATH = "/ms365/oauth/callback"
CONNECTED = "Your mail is being read"  # what only the page after a good sign-in says
SCOPE = "openid profile User.Read Mail.Read"


def session_of(host: Host) -> Any:
    return host.app.extensions["sqlalchemy"].session


def engine_of(host: Host) -> Any:
    with host.app.app_context():
        return host.app.extensions["sqlalchemy"].engine


def counts(host: Host) -> tuple[int, int]:
    """Return how many connections and mailboxes are stored."""
    with host.app.app_context():
        session = session_of(host)
        connections, mailboxes = (
            session.scalar(select(func.count()).select_from(each)) for each in (Connection, Mailbox)
        )
        return connections, mailboxes


def come_back(visitor: Visitor, query: str) -> str:
    """Arrive at the callback; return the page that it leads to. It always leads to one."""
    answer = visitor.get(f"{CALLBACK_PATH}?{query}")
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"].startswith("/ms365/my-email?outcome=")
    return visitor.get(answer.headers["Location"]).text


def sign(key: SigningKey, payload: bytes, **head: object) -> str:
    """Return a compact token over any bytes at all, signed with one of Microsoft's keys."""
    return jws.serialize_compact({"alg": "RS256", "kid": key.kid, **head}, payload, key._key)


@dataclass
class SignInBegun:
    """Ana has pressed *Connect*; her browser is at Microsoft's door."""

    host: Host
    simulator: Simulator
    registration: App
    user: User
    visitor: Visitor
    url: str

    @property
    def asked(self) -> dict[str, str]:
        """What the authorize request asks for."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.url).query).items()}

    def sign_in(self) -> str:
        """Sign in and accept; return the query that the browser is sent back with."""
        return urlsplit(sign_in_at_microsoft(self.url, self.user)).query

    def return_with(self, **query: str) -> str:
        """Return with the right state and ``query``; return the page that tells how it went."""
        return come_back(self.visitor, urlencode({"state": self.asked["state"], **query}))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good ID token, with changes; None leaves a claim out."""
        now = int(time.time())
        good = {
            "aud": self.registration.client_id,
            "iss": f"{self.simulator.url}/{self.simulator.tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + 3900,
            "sub": "pairwise",
            "tid": self.simulator.tenant_id,
            "oid": self.user.oid,
            "nonce": self.asked["nonce"],
            "name": self.user.name,
            "preferred_username": self.user.upn,
        }
        return {name: value for name, value in {**good, **changes}.items() if value is not None}

    def signed(self, **changes: Any) -> str:
        """Return an ID token with Microsoft's own signature."""
        return sign(self.simulator.signing_keys[0], json.dumps(self.claims(**changes)).encode())

    def return_with_tokens(self, **changes: Any) -> str:
        """Return with a code for which the token endpoint gives a good answer with ``changes``; None leaves out."""
        access = self.simulator.grants.issue_access_token(self.registration, self.user, SCOPE.split(), 3600)
        good = {
            "token_type": "Bearer",
            "scope": SCOPE,
            "expires_in": 3600,
            "access_token": access.value,
            "refresh_token": "1.refresh",
            "id_token": self.signed(),
        }
        body = {name: value for name, value in {**good, **changes}.items() if value is not None}
        self.simulator.fail_next(r"/oauth2/v2\.0/token$", 200, body)
        return self.return_with(code="1.code")


@pytest.fixture
def begun(configured: Host, simulator: Simulator, registration: App, ana: User) -> SignInBegun:
    """Return a sign-in as the button begins it; the button itself has tests of its own."""
    visitor = configured.visitor()
    with configured.app.app_context():
        connect = configured.app.extensions["ms365.state"].connect
        started = connect.begin(user_id="ana", redirect_uri=CALLBACK)
    visitor.set_cookie("ms365-flow", started.binding, httponly=True, samesite="Lax")
    return SignInBegun(configured, simulator, registration, ana, visitor, started.url)
