"""What /authorize and /adminconsent share: a known app, the sign-in form, and the way back to the app."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from werkzeug import Request, Response
from werkzeug.utils import redirect

from . import pages
from .audience import app_at
from .directory import App, User
from .errors import SignInError
from .responses import page
from .scopes import MEANINGS
from .tenant import Tenant

_FORM_FIELDS = ("username", "password", "action")


class Declined(Exception):
    """An error that goes back to the app by redirect."""

    def __init__(self, error: SignInError, name: str | None = None) -> None:
        self.error = error
        self.name = name or error.error


def known_app(tenant: Tenant, request: Request, tenant_name: str) -> App:
    """The app, with the redirect URI checked: whatever is wrong with these stays on Microsoft's page."""
    app = app_at(tenant, tenant_name, request.values.get("client_id"))
    redirect_uri = request.values.get("redirect_uri", "")
    if not app.redirect_uris:
        raise SignInError(500113)
    if not redirect_uri:
        raise SignInError(900971)
    if not app.accepts(redirect_uri):
        raise SignInError(50011, redirect_uri=redirect_uri, client_id=app.client_id)
    return app


def signed_in_user(tenant: Tenant, request: Request, app: App) -> User:
    """The user whose name and password the form holds."""
    username = request.form.get("username", "").strip()
    user = tenant.user(username)
    if user is None:
        raise SignInError(50034, username=username, tenant="Contoso")
    if request.form.get("password") != user.password:
        raise SignInError(50126)
    check_user(user, app)
    return user


def check_user(user: User, app: App) -> None:
    """Refuse a user who is disabled, or whom a test lets fail."""
    if not user.is_enabled:
        raise SignInError(50057)
    if user.error:
        raise SignInError(user.error, name=app.name, client_id=app.client_id, username=user.upn)


def form(request: Request, app: App, scopes: Iterable[str], problem: str = "", note: str = "") -> Response:
    """The sign-in form, filled with what is known."""
    html = pages.sign_in(
        action=request.path,
        app=app.name,
        permissions=[MEANINGS.get(scope, scope) for scope in scopes],
        parameters=parameters_of(request),
        username=request.values.get("username") or request.values.get("login_hint", ""),
        problem=problem,
        note=note,
    )
    return page(html)


def parameters_of(request: Request) -> dict[str, str]:
    """What the app sent along; it travels through every form."""
    return {name: value for name, value in request.values.items() if name not in _FORM_FIELDS}


def trouble(tenant: Tenant, error: SignInError) -> Response:
    """Microsoft's own page about an error: there is no way back to the app."""
    return page(pages.trouble(error.description(tenant.clock())), 400)


def failure(tenant: Tenant, declined: Declined) -> dict[str, str]:
    """The parameters that tell the app what went wrong."""
    return {
        "error": declined.name,
        "error_description": declined.error.description(tenant.clock()),
        "error_uri": f"https://login.microsoftonline.com/error?code={declined.error.code}",
    }


def back(values: Mapping[str, str], parameters: dict[str, str], **more: str) -> Response:
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
