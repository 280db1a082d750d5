"""/authorize and /logout: what a browser sees of a sign-in."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping

from werkzeug import Request, Response
from werkzeug.utils import redirect

from . import pages
from .aadsts import AADSTS
from .browser import Declined, back, failure, form, known_app, parameters_of, signed_in_user, trouble
from .directory import App, User
from .discovery import origin_of
from .errors import SignInError
from .grants import AuthorizationRequest
from .responses import page
from .scopes import OPENID, consented_to, parse_scopes
from .tenant import Tenant

_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


def authorize(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Show the sign-in form (GET), and send the browser back to the app with a code (POST)."""
    try:
        app = known_app(tenant, request, tenant_name)
        return _step(tenant, request, _checked(app, tenant.tenant_of(tenant_name), request))
    except Declined as declined:
        return back(request.values, failure(tenant, declined))
    except SignInError as error:
        return trouble(tenant, error)


def logout(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Sign out. Refresh tokens live on."""
    after = request.values.get("post_logout_redirect_uri")
    return redirect(after) if after else page(pages.signed_out())


def is_capable(claims: str | None) -> bool:
    """Whether the client said that it can handle claims challenges (cp1)."""
    try:
        return "cp1" in json.loads(claims or "{}")["access_token"]["xms_cc"]["values"]
    except (ValueError, KeyError, TypeError):
        return False


def _checked(app: App, tenant_id: str, request: Request) -> AuthorizationRequest:
    """The request, or the complaint that goes back by redirect."""
    values = request.values
    try:
        _check_options(values)
        scopes = tuple(parse_scopes(values.get("scope", ""), origin_of(request)))
        if not scopes:
            raise SignInError(900144, parameter="scope")
    except SignInError as error:
        raise Declined(error) from error
    return AuthorizationRequest(
        app=app,
        tenant_id=tenant_id,
        redirect_uri=values["redirect_uri"],
        scopes=scopes,
        state=values.get("state"),
        nonce=values.get("nonce"),
        code_challenge=values.get("code_challenge"),
        code_challenge_method=values.get("code_challenge_method", "plain"),
        response_mode=values.get("response_mode", "query"),
        is_capable=is_capable(values.get("claims")),
    )


def _check_options(values: Mapping[str, str]) -> None:
    response_type = values.get("response_type", "")
    if response_type != "code":
        raise (
            SignInError(700054, response_type=response_type)
            if response_type
            else SignInError(900144, parameter="response_type")
        )
    if values.get("code_challenge_method", "plain") not in ("S256", "plain"):
        raise SignInError(50149)
    challenge = values.get("code_challenge")
    if challenge is not None and not _CHALLENGE.fullmatch(challenge):
        raise SignInError(50147)


def _step(tenant: Tenant, request: Request, asked: AuthorizationRequest) -> Response:
    if tenant.next_sign_in_errors and (request.method == "POST" or request.values.get("prompt") == "none"):
        _fail_as_scripted(tenant, asked.app)
    if request.values.get("prompt") == "none":
        raise Declined(SignInError(50058), "login_required")
    if request.method == "GET":
        return form(request, asked.app, asked.scopes)
    if request.form.get("action") == "cancel":
        raise Declined(SignInError(65004))
    if request.form.get("action") == "return":
        raise Declined(_approval_error(tenant, asked.app))
    try:
        user = signed_in_user(tenant, request, asked.app)
    except SignInError as error:
        return form(request, asked.app, asked.scopes, problem=str(error))
    _check_membership(tenant, asked, user)
    return _consent(tenant, request, asked, user)


def _fail_as_scripted(tenant: Tenant, app: App) -> None:
    code = tenant.next_sign_in_errors.pop(0)
    error = SignInError(code, name=app.name, client_id=app.client_id, tenant="Contoso")
    raise error if code in AADSTS and AADSTS[code].on_page else Declined(error)


def _check_membership(tenant: Tenant, asked: AuthorizationRequest, user: User) -> None:
    """The user must be of the tenant that was asked for, and assigned where the app wants that."""
    app = asked.app
    if asked.tenant_id in tenant.neighbours:
        raise SignInError(50020, username=user.upn, tenant=asked.tenant_id, client_id=app.client_id, name=app.name)
    if not app.admits(user):
        raise SignInError(50105, name=app.name, client_id=app.client_id)


def _consent(tenant: Tenant, request: Request, asked: AuthorizationRequest, user: User) -> Response:
    missing = consented_to(asked.scopes) - set(OPENID) - asked.app.consented(user) - {"User.Read", ".default"}
    if missing and (asked.app.needs_admin_consent or not tenant.user_consent_allowed):
        return _need_admin_approval(tenant, request, asked.app)
    asked.app.consent(user, consented_to(asked.scopes))
    code = tenant.grants.issue_code(asked, user)
    return back(request.values, {"code": code}, session_state=str(uuid.uuid4()))


def _need_admin_approval(tenant: Tenant, request: Request, app: App) -> Response:
    error = _approval_error(tenant, app)
    html = pages.need_admin_approval(
        action=request.path,
        description=error.description(tenant.clock()),
        parameters=parameters_of(request),
    )
    return page(html)


def _approval_error(tenant: Tenant, app: App) -> SignInError:
    return SignInError(90095 if tenant.admin_consent_requests else 90094, name=app.name)
