"""/adminconsent: an admin consents for the whole organization."""

from __future__ import annotations

from werkzeug import Request, Response

from .browser import Declined, back, failure, form, known_app, signed_in_user, trouble
from .directory import App
from .discovery import origin_of
from .errors import SignInError
from .scopes import consented_to, parse_scopes
from .tenant import Tenant


def admin_consent(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Ask an admin; the answer says admin_consent=True even when it failed."""
    return _answer(tenant, request, tenant_name, failure(tenant, Declined(SignInError(65004), "consent_required")))


def admin_consent_v1(tenant: Tenant, request: Request, *, tenant_name: str) -> Response:
    """Ask an admin at the older address, which says otherwise that the admin declined."""
    canceled = {"error": "permission_denied", "error_description": "The admin canceled the request"}
    return _answer(tenant, request, tenant_name, canceled)


def _answer(tenant: Tenant, request: Request, tenant_name: str, canceled: dict[str, str]) -> Response:
    try:
        app = known_app(tenant, request, tenant_name)
        scopes = parse_scopes(request.values.get("scope", ".default"), origin_of(request))
    except SignInError as error:
        return trouble(tenant, error)
    if request.method == "GET":
        return form(request, app, scopes, note="You consent on behalf of your organization.")
    consent = {"admin_consent": "True", "tenant": tenant.tenant_id, "scope": request.values.get("scope", "")}
    if request.form.get("action") == "cancel":
        return back(request.values, consent | canceled)
    try:
        admin = signed_in_user(tenant, request, app)
    except SignInError as error:
        return form(request, app, scopes, problem=str(error))
    if not admin.is_admin:
        return trouble(tenant, SignInError(90093))
    _grant(app, scopes)
    return back(request.values, consent)


def _grant(app: App, scopes: list[str]) -> None:
    app.consents.setdefault("*", set()).update(consented_to(scopes))
    if ".default" in scopes:
        app.application_permissions.update(app.listed_permissions)
