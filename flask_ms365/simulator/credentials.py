"""How an app proves itself at /token: a secret, what its certificate signed, another provider's token, or nothing."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from werkzeug import Request

from .directory import App
from .errors import SignInError
from .tenant import Tenant

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LEEWAY = 300  # seconds


class _Registry(jws.JWSRegistry):
    """Headers as long as MSAL writes them: the whole certificate goes along."""

    max_header_length = 16 * 1024


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
    """A certificate names itself in the header of what it signs; any other token is one of another provider."""
    try:
        header, claims = (json.loads(_unpadded(part)) for part in assertion.split(".")[:2])
    except ValueError:
        raise SignInError(50013) from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise SignInError(50013)
    if "x5t#S256" in header or "x5t" in header:
        _check_certificate(tenant, app, header, assertion)
        if claims.get("iss") != app.client_id or claims.get("sub") != app.client_id:
            raise SignInError(50048)
    else:
        _check_federated(app, claims, assertion)
    _check_time(tenant, claims)


def _check_certificate(tenant: Tenant, app: App, header: dict[str, object], assertion: str) -> None:
    # MSAL leaves the padding of a thumbprint on
    thumbprints = {str(header.get(name)).rstrip("=") for name in ("x5t#S256", "x5t")}
    named = [each for each in app.certificates if thumbprints & {each.x5t_s256, each.x5t}]
    if not named:
        raise SignInError(700027, state="not registered", reason="The key was not found.")
    if not named[0].is_valid(tenant.clock()):
        raise SignInError(700027, state="expired", reason="The key used is expired.")
    if not _is_signed_by(named[0].public_key(), assertion):
        raise SignInError(
            700027, state="not registered", reason="The key was found, but use of the key to verify failed."
        )


def _check_federated(app: App, claims: dict[str, object], assertion: str) -> None:
    known = next((each for each in app.federated_credentials if each.matches(claims)), None)
    if known is None:
        raise SignInError(70021)
    if not _is_signed_by(known.public_key(), assertion):
        raise SignInError(50013)


def _is_signed_by(key: RSAKey, assertion: str) -> bool:
    try:
        jws.deserialize_compact(assertion, key, registry=_Registry(algorithms=["RS256", "PS256"]))
    except (JoseError, ValueError):
        return False
    return True


def _check_time(tenant: Tenant, claims: dict[str, object]) -> None:
    now = tenant.clock().timestamp()
    since, until = claims.get("nbf", now), claims.get("exp", 0)
    if not isinstance(since, (int, float)) or not isinstance(until, (int, float)):
        raise SignInError(500133)
    if not since - _LEEWAY <= now <= until + _LEEWAY:
        raise SignInError(500133)


def _unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
