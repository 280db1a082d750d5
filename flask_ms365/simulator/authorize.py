"""/authorize, /adminconsent and /logout: what a browser sees of the sign-in service."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from urllib.parse import urlencode

from werkzeug import Request, Response
from werkzeug.utils import redirect

from . import pages
from .directory import App, User
from .discovery import origin_of
from .errors import SignInError
from .grants import AuthorizationRequest
from .responses import page
from .scopes import MEANINGS, OPENID, parse_scopes
from .tenant import Tenant

_FORM_FIELDS = ("username", "password", "action")
_STAYS_ON_THE_PAGE = frozenset({50011, 50034, 50057, 50105, 50126, 50194, 90002, 90094, 500113, 700016})
_CHALLENGE = re.compile(r"[A-Za-z0-9._~-]{43,128}")


class _Declined(Exception):
    """An error that goes back to the app by redirect."""

    def __init__(self, error: SignInError, name: str | None = None) -> None:
        self.error = error
        self.name = name or error.error


def authorize(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Show the sign-in form (GET), and send the browser back to the app with a code (POST)."""
    try:
        tenant.tenant_of(tenant_name)
        app = _known_app(tenant, request.values)
    except SignInError as error:
        return page(pages.trouble(error.description(tenant.clock())), 400)
    try:
        asked = _checked(app, request.values, origin_of(request))
        return _step(tenant, request, asked)
    except _Declined as declined:
        return _back(request.values, _failure(tenant, declined))
    except SignInError as error:
        return page(pages.trouble(error.description(tenant.clock())), error.status)


def admin_consent(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Let an admin consent for the whole organisation; the answer says admin_consent=True even when it failed."""
    try:
        tenant.tenant_of(tenant_name)
        app = _known_app(tenant, request.values)
        scopes = parse_scopes(request.values.get("scope", ".default"), origin_of(request))
    except SignInError as error:
        return page(pages.trouble(error.description(tenant.clock())), 400)
    if request.method == "GET":
        return _form(request, app, scopes, note="You consent on behalf of your organization.")
    consent = {"admin_consent": "True", "tenant": tenant.tenant_id, "scope": request.values.get("scope", "")}
    if request.form.get("action") == "cancel":
        return _back(request.values, consent | _failure(tenant, _Declined(SignInError(65004), "consent_required")))
    try:
        _sign_in(tenant, request, app)
    except SignInError as error:
        return _form(request, app, scopes, problem=str(error))
    app.consents.setdefault("*", set()).update(scopes)
    app.application_permissions.update(_application_permissions(scopes))
    return _back(request.values, consent)


def logout(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Sign out. Refresh tokens live on."""
    after = request.values.get("post_logout_redirect_uri")
    return redirect(after) if after else page(pages.signed_out())


def _known_app(tenant: Tenant, values: Mapping[str, str]) -> App:
    """The app and its redirect URI: whatever is wrong with these stays on Microsoft's page."""
    app = tenant.app_of(values.get("client_id"))
    redirect_uri = values.get("redirect_uri", "")
    if not app.accepts(redirect_uri):
        raise SignInError(50011, redirect_uri=redirect_uri, client_id=app.client_id)
    return app


def _checked(app: App, values: Mapping[str, str], origin: str) -> AuthorizationRequest:
    """The request, or the complaint that goes back by redirect."""
    try:
        _check_options(values)
        scopes = tuple(parse_scopes(values.get("scope", ""), origin))
        if not scopes:
            raise SignInError(900144, parameter="scope")
    except SignInError as error:
        raise _Declined(error) from error
    return AuthorizationRequest(
        app=app,
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
        raise _Declined(SignInError(50058), "login_required")
    if request.method == "GET":
        return _form(request, asked.app, asked.scopes)
    if request.form.get("action") == "cancel":
        raise _Declined(SignInError(65004))
    try:
        user = _sign_in(tenant, request, asked.app)
    except SignInError as error:
        return _form(request, asked.app, asked.scopes, problem=str(error))
    return _consent(tenant, request, asked, user)


def _fail_as_scripted(tenant: Tenant, app: App) -> None:
    code = tenant.next_sign_in_errors.pop(0)
    error = SignInError(code, name=app.name, client_id=app.client_id, tenant="Contoso")
    raise error if code in _STAYS_ON_THE_PAGE else _Declined(error)


def _consent(tenant: Tenant, request: Request, asked: AuthorizationRequest, user: User) -> Response:
    missing = set(asked.scopes) - set(OPENID) - asked.app.consented(user) - {"User.Read", ".default"}
    if missing and (asked.app.needs_admin_consent or not tenant.user_consent_allowed):
        raise SignInError(90094, name=asked.app.name)
    asked.app.consent(user, asked.scopes)
    code = tenant.grants.issue_code(asked, user)
    return _back(request.values, {"code": code}, session_state=str(uuid.uuid4()))


def _sign_in(tenant: Tenant, request: Request, app: App) -> User:
    username = request.form.get("username", "").strip()
    user = tenant.user(username)
    if user is None:
        raise SignInError(50034, username=username, tenant="Contoso")
    if request.form.get("password") != user.password:
        raise SignInError(50126)
    if not user.is_enabled:
        raise SignInError(50057)
    if user.error:
        raise SignInError(user.error, name=app.name, client_id=app.client_id)
    return user


def _form(
    request: Request, app: App, scopes: list[str] | tuple[str, ...], problem: str = "", note: str = ""
) -> Response:
    values = request.values
    html = pages.sign_in(
        action=request.path,
        app=app.name,
        permissions=[MEANINGS.get(scope, scope) for scope in scopes],
        parameters={name: value for name, value in values.items() if name not in _FORM_FIELDS},
        username=values.get("username") or values.get("login_hint", ""),
        problem=problem,
        note=note,
    )
    return page(html)


def _failure(tenant: Tenant, declined: _Declined) -> dict[str, str]:
    return {
        "error": declined.name,
        "error_description": declined.error.description(tenant.clock()),
        "error_uri": f"https://login.microsoftonline.com/error?code={declined.error.code}",
    }


def _back(values: Mapping[str, str], parameters: dict[str, str], **more: str) -> Response:
    """The way back to the app, in the response mode it asked for; the state comes along."""
    answer = parameters | ({"state": values["state"]} if "state" in values else {}) | more
    redirect_uri = values["redirect_uri"]
    mode = values.get("response_mode", "query")
    if mode == "form_post":
        return page(pages.form_post(redirect_uri, answer))
    if redirect_uri.count("/") == 2:
        redirect_uri += "/"
    separator = "#" if mode == "fragment" else "&" if "?" in redirect_uri else "?"
    return redirect(f"{redirect_uri}{separator}{urlencode(answer)}", 302)


def _application_permissions(scopes: list[str]) -> set[str]:
    """What `.default` stands for: the application permissions that the registration lists."""
    return {"Mail.Read", "User.Read.All"} if ".default" in scopes else set()


def is_capable(claims: str | None) -> bool:
    """Whether the client said that it can handle claims challenges (cp1)."""
    try:
        return "cp1" in json.loads(claims or "{}")["access_token"]["xms_cc"]["values"]
    except (ValueError, KeyError, TypeError):
        return False
