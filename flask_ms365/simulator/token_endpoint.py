"""/token: codes, refresh tokens and app-only tokens, and everything it can refuse."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import unquote_plus

from joserfc import jws
from joserfc.errors import JoseError
from werkzeug import Request, Response

from .authorize import is_capable
from .directory import App, User
from .discovery import issuer_of, origin_of
from .errors import SignInError
from .grants import Grant
from .keys import Certificate
from .responses import token_response
from .scopes import OPENID, granted_scope, parse_scopes
from .tenant import Tenant

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def token(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Answer a token request."""
    tenant.tenant_of(tenant_name)
    grant_type = _required(request, "grant_type")
    answer = _GRANT_TYPES.get(grant_type)
    if answer is None:
        raise SignInError(70003, grant_type=grant_type)
    if answer is _client_credentials and tenant_name.lower() in ("common", "consumers"):
        raise SignInError(9001023)
    return token_response(answer(tenant, request, _authenticated_app(tenant, request)))


def _authorization_code(tenant: Tenant, request: Request, app: App) -> dict[str, object]:
    code = tenant.grants.redeem_code(
        _required(request, "code"), app, request.form.get("redirect_uri", ""), request.form.get("code_verifier")
    )
    scopes = _wanted_scopes(request, code.grant)
    answer = _delegated(tenant, request, code.grant, scopes, is_capable=code.request.is_capable)
    if "openid" in code.grant.scopes:
        answer["id_token"] = _id_token(tenant, request, code.grant, code.request.nonce)
    return answer


def _refresh_token(tenant: Tenant, request: Request, app: App) -> dict[str, object]:
    grant = tenant.grants.redeem_refresh_token(
        _required(request, "refresh_token"), app, strict=tenant.strict_refresh_rotation
    )
    _check_user(grant.user, app)
    answer = _delegated(tenant, request, grant, _wanted_scopes(request, grant))
    if "openid" in grant.scopes:
        answer["id_token"] = _id_token(tenant, request, grant, None)
    return answer


def _client_credentials(tenant: Tenant, request: Request, app: App) -> dict[str, object]:
    scope = request.form.get("scope", "")
    if parse_scopes(scope, origin_of(request)) != [".default"]:
        raise SignInError(70011, scope=scope)
    # without consent a token is issued all the same; Graph refuses it
    seconds = tenant.access_token_seconds
    issued = tenant.grants.issue_access_token(app, None, app.application_permissions, seconds)
    return {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": issued.value,
    }


_GRANT_TYPES: dict[str, Callable[[Tenant, Request, App], dict[str, object]]] = {
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    "client_credentials": _client_credentials,
}


def _delegated(
    tenant: Tenant, request: Request, grant: Grant, scopes: list[str], *, is_capable: bool = False
) -> dict[str, object]:
    seconds = tenant.access_token_seconds
    capable = is_capable or _is_capable(request)
    issued = tenant.grants.issue_access_token(grant.app, grant.user, scopes, seconds, is_capable=capable)
    answer: dict[str, object] = {
        "token_type": "Bearer",
        "scope": granted_scope(scopes),
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": issued.value,
    }
    if "offline_access" in grant.scopes:
        answer["refresh_token"] = tenant.grants.issue_refresh_token(grant)
    if request.form.get("client_info") == "1":
        answer["client_info"] = _client_info(grant.user, tenant)
    return answer


def _wanted_scopes(request: Request, grant: Grant) -> list[str]:
    """The scopes of this token: those asked for now, else those of the sign-in; consented, and not withheld."""
    asked = parse_scopes(request.form.get("scope", ""), origin_of(request)) or list(grant.scopes)
    consented = grant.app.consented(grant.user)
    if ".default" in asked:
        asked = [*OPENID, *sorted(consented)]
    if any(scope not in consented and scope not in OPENID for scope in asked) or not consented:
        raise SignInError(65001, client_id=grant.app.client_id, name=grant.app.name)
    return [scope for scope in asked if scope not in grant.app.withheld_scopes]


def _check_user(user: User, app: App) -> None:
    if not user.is_enabled:
        raise SignInError(50057)
    if user.error:
        raise SignInError(user.error, name=app.name, client_id=app.client_id)


def _authenticated_app(tenant: Tenant, request: Request) -> App:
    client_id, secret = _basic(request)
    app = tenant.app_of(request.form.get("client_id") or client_id)
    if request.form.get("client_assertion_type") == _ASSERTION_TYPE:
        _check_assertion(tenant, app, _required(request, "client_assertion"))
        return app
    secret = request.form.get("client_secret") or secret
    if not secret:
        raise SignInError(7000218)
    _check_secret(app, secret)
    return app


def _basic(request: Request) -> tuple[str | None, str | None]:
    """Client id and secret of HTTP Basic, which form-urlencodes both (RFC 6749 2.3.1)."""
    basic = request.authorization
    if basic is None or basic.type != "basic":
        return None, None
    return unquote_plus(basic.username or ""), unquote_plus(basic.password or "")


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


def _id_token(tenant: Tenant, request: Request, grant: Grant, nonce: str | None) -> str:
    now = int(tenant.clock().timestamp())
    user, app = grant.user, grant.app
    claims: dict[str, object] = {
        "aud": app.client_id,
        "iss": issuer_of(origin_of(request), tenant.tenant_id),
        "iat": now,
        "nbf": now,
        "exp": now + 3900,
        "sub": _pairwise(user, app),
        "tid": tenant.tenant_id,
        "uti": _pairwise(user, app)[:22],
        "ver": "2.0",
    }
    if "profile" in grant.scopes:
        claims |= {"name": user.name, "oid": user.oid, "preferred_username": user.upn}
    if "email" in grant.scopes:
        claims["email"] = user.upn
    return tenant.signing_keys[0].sign(claims | ({"nonce": nonce} if nonce else {}))


def _pairwise(user: User, app: App) -> str:
    digest = hashlib.sha256(f"{user.oid} {app.client_id}".encode()).digest()
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _client_info(user: User, tenant: Tenant) -> str:
    info = json.dumps({"uid": user.oid, "utid": tenant.tenant_id})
    return urlsafe_b64encode(info.encode()).decode().rstrip("=")


def _is_capable(request: Request) -> bool:
    return is_capable(request.form.get("claims"))


def _required(request: Request, parameter: str) -> str:
    value = request.form.get(parameter)
    if not value:
        raise SignInError(900144, parameter=parameter)
    return value


def _unpadded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
