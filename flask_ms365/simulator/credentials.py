"""How an app proves at /token that it is the app: a secret, a certificate's signature, or nothing."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from joserfc import jws
from joserfc.errors import JoseError
from werkzeug import Request

from .directory import App
from .errors import SignInError
from .keys import Certificate
from .tenant import Tenant

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, kw_only=True)
class Credential:
    """What a token request presents, in its body or as HTTP Basic."""

    client_id: str | None
    secret: str | None = field(repr=False)
    assertion: str | None = field(repr=False)

    @classmethod
    def of(cls, request: Request) -> Credential:
        """Read it; HTTP Basic form-urlencodes both its halves (RFC 6749 2.3.1)."""
        fields, basic = request.form, request.authorization
        name, password = None, None
        if basic is not None and basic.type == "basic":
            name, password = unquote_plus(basic.username or ""), unquote_plus(basic.password or "")
        is_signed = fields.get("client_assertion_type") == _ASSERTION_TYPE
        return cls(
            client_id=fields.get("client_id") or name,
            secret=fields.get("client_secret") or password,
            assertion=fields.get("client_assertion") if is_signed else None,
        )

    @property
    def is_presented(self) -> bool:
        """Whether there is any."""
        return bool(self.secret or self.assertion)


def check_credential(tenant: Tenant, app: App, credential: Credential, grant_type: str) -> None:
    """Refuse an app that does not prove who it is, and a public one that tries to."""
    if app.platform == "public" and credential.is_presented:
        raise SignInError(700025)
    if credential.assertion:
        _check_assertion(tenant, app, credential.assertion)
    elif credential.secret:
        _check_secret(app, credential.secret)
    elif grant_type == "client_credentials":
        raise SignInError(7000216)
    elif app.platform == "web":
        raise SignInError(7000218)


def _check_secret(app: App, value: str) -> None:
    known = next((secret for secret in app.secrets if secret.value == value), None)
    if known is None:
        raise SignInError(7000215, client_id=app.client_id)
    if known.is_expired:
        raise SignInError(7000222, client_id=app.client_id)


def _check_assertion(tenant: Tenant, app: App, assertion: str) -> None:
    try:
        header = json.loads(_unpadded(assertion.split(".")[0]))
        certificate = _certificate(app, header)
        found = jws.deserialize_compact(assertion, certificate.public_key(), algorithms=["RS256", "PS256"])
        claims = json.loads(found.payload)
    except (JoseError, ValueError, AttributeError):
        raise SignInError(700027) from None
    if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
        raise SignInError(50048)
    now = tenant.clock().timestamp()
    if not float(claims.get("nbf", now)) - 300 <= now <= float(claims.get("exp", 0)) + 300:
        raise SignInError(50013)


def _certificate(app: App, header: dict[str, str]) -> Certificate:
    for certificate in app.certificates:
        if header.get("x5t#S256") == certificate.x5t_s256 or header.get("x5t") == certificate.x5t:
            return certificate
    raise SignInError(700027)


def _unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
