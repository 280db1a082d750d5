"""/token: codes, refresh tokens and app-only tokens, and everything it can refuse."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable

from werkzeug import Request, Response

from .audience import app_at
from .authorize import is_capable
from .browser import check_user
from .credentials import Credential, check_credential
from .directory import App, User
from .discovery import issuer_of, origin_of
from .errors import SignInError
from .grants import Grant
from .responses import token_response
from .scopes import OPENID, granted_scope, parse_scopes
from .tenant import Tenant


def token(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Answer a token request, complaining in the order in which the service does."""
    credential = Credential.of(request)
    grant_type = request.form.get("grant_type", "")
    _check_endpoint(tenant, tenant_name, grant_type, credential)
    answer = _GRANT_TYPES[grant_type]
    app = app_at(tenant, tenant_name, credential.client_id)
    if app.error:
        raise SignInError(app.error, client_id=app.client_id, name=app.name, tenant="Contoso")
    _check_origin(request, app, grant_type)
    check_credential(tenant, app, credential, grant_type)
    return token_response(answer(tenant, request, app, tenant.tenant_of(tenant_name)))


def _check_endpoint(tenant: Tenant, tenant_name: str, grant_type: str, credential: Credential) -> None:
    if tenant.is_federated(tenant_name) and credential.is_presented:
        raise SignInError(900382 if grant_type == "client_credentials" else 900432)
    tenant.check_cloud(tenant_name)
    tenant.tenant_of(tenant_name)
    if not grant_type:
        raise SignInError(900144, parameter="grant_type")
    if grant_type not in _GRANT_TYPES:
        raise SignInError(70003, grant_type=grant_type)
    if grant_type == "client_credentials" and tenant_name.lower() in ("common", "consumers"):
        raise SignInError(9001023)


def _check_origin(request: Request, app: App, grant_type: str) -> None:
    """What a browser was given for a single-page app, only a browser may redeem; for others no browser may."""
    origin = request.headers.get("Origin")
    if grant_type == "client_credentials":
        return
    if app.platform == "spa" and not origin:
        raise SignInError(9002327)
    if app.platform != "spa" and origin:
        raise SignInError(9002326, origin=origin)
    if app.platform == "spa" and grant_type == "authorization_code" and not request.form.get("code_verifier"):
        raise SignInError(9002325)


def _authorization_code(tenant: Tenant, request: Request, app: App, tenant_id: str) -> dict[str, object]:
    fields = request.form
    code = tenant.grants.redeem_code(
        _required(request, "code"), app, tenant_id, fields.get("redirect_uri", ""), fields.get("code_verifier")
    )
    scopes = _wanted_scopes(request, code.grant)
    answer = _delegated(tenant, request, code.grant, scopes, is_capable=code.request.is_capable)
    if "openid" in code.grant.scopes:
        answer["id_token"] = _id_token(tenant, request, code.grant, code.request.nonce)
    return answer


def _refresh_token(tenant: Tenant, request: Request, app: App, tenant_id: str) -> dict[str, object]:
    grant = tenant.grants.redeem_refresh_token(
        _required(request, "refresh_token"), app, strict=tenant.strict_refresh_rotation
    )
    check_user(grant.user, app)
    if tenant_id in tenant.neighbours:
        raise SignInError(50020, username=grant.user.upn, tenant=tenant_id, client_id=app.client_id, name=app.name)
    if not app.admits(grant.user):
        raise SignInError(50105, error="invalid_grant", name=app.name, client_id=app.client_id)
    answer = _delegated(tenant, request, grant, _wanted_scopes(request, grant))
    if "openid" in grant.scopes:
        answer["id_token"] = _id_token(tenant, request, grant, None)
    return answer


def _client_credentials(tenant: Tenant, request: Request, app: App, tenant_id: str) -> dict[str, object]:
    scope = request.form.get("scope", "")
    if parse_scopes(scope, origin_of(request)) != [".default"]:
        raise SignInError(70011, scope=scope)
    # without consent, as in a tenant that gave none, a token is issued all the same; Graph refuses it
    permissions = set() if tenant_id in tenant.neighbours else app.application_permissions
    seconds = tenant.access_token_seconds
    issued = tenant.grants.issue_access_token(app, None, permissions, seconds)
    return {
        "token_type": "Bearer",
        "expires_in": seconds,
        "ext_expires_in": seconds,
        "access_token": issued.value,
    }


_GRANT_TYPES: dict[str, Callable[[Tenant, Request, App, str], dict[str, object]]] = {
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
