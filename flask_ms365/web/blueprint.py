"""Every route once: path, endpoint, who may use it. The guard reads this table, so no route can be forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, Response, request
from flask.typing import ResponseReturnValue

from flask_ms365.assets import fingerprint, folder
from flask_ms365.audit import came_in_by
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web import (
    attachments,
    audit,
    callback,
    certificate,
    check,
    disconnect,
    expiry,
    folders,
    gallery,
    health,
    host_macros,
    language,
    mailbox_actions,
    mailbox_edit,
    mailbox_live,
    mailbox_new,
    mailbox_page,
    mailbox_process,
    mailbox_state,
    mailboxes,
    mailboxes_selected,
    message,
    message_body,
    messages,
    metrics,
    my_email,
    overview,
    settings,
    setup,
    sign_in,
)
from flask_ms365.web.access import guard, has_token
from flask_ms365.web.csp import page_policy
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import LARGEST_ID
from flask_ms365.web.settings_confirm import settings_remove_certificate, settings_remove_secret, settings_reset
from flask_ms365.web.words import template_context

_ONE_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class Route:
    """A route; without permissions it makes its own checks."""

    path: str
    endpoint: str
    view: Callable[..., ResponseReturnValue]
    permissions: tuple[Permission, ...]
    methods: tuple[str, ...] = ("GET",)
    # the deployment's own monitoring may come in too
    is_monitored: bool = False


_ADMIN = (Permission.MANAGE_SETTINGS,)
_TEAM = (Permission.MANAGE_MAILBOXES,)
_OWN = (Permission.OWN_MAILBOX,)
_MINE_OR_TEAM = (*_OWN, *_TEAM)
_READ = (Permission.OWN_MAILBOX, Permission.READ_MAIL)
_ID = f"int(max={LARGEST_ID})"
_MAILBOX = f"/mailboxes/<{_ID}:mailbox_id>"

ROUTES = (
    Route("/", "overview", overview.overview, _ADMIN),
    Route("/dismiss", "dismiss", expiry.dismiss, _ADMIN, ("POST",)),
    Route("/settings", "settings", settings.settings, _ADMIN, ("GET", "POST")),
    Route("/settings/remove-secret", "settings_remove_secret", settings_remove_secret, _ADMIN, ("GET", "POST")),
    Route(
        "/settings/remove-certificate",
        "settings_remove_certificate",
        settings_remove_certificate,
        _ADMIN,
        ("GET", "POST"),
    ),
    Route("/settings/certificate", "settings_certificate", certificate.settings_certificate, _ADMIN, ("GET", "POST")),
    Route("/settings/certificate.pem", "settings_certificate_pem", certificate.settings_certificate_pem, _ADMIN),
    Route("/settings/reset", "settings_reset", settings_reset, _ADMIN, ("GET", "POST")),
    Route("/setup", "setup", setup.setup, _ADMIN),
    Route("/setup/consent", "setup_consent", setup.setup_consent, _ADMIN, ("POST",)),
    Route("/check", "check", check.check, _ADMIN, ("GET", "POST")),
    Route("/my-email", "my_email", my_email.my_email, _OWN),
    Route("/my-email/connect", "my_email_connect", my_email.my_email_connect, _OWN, ("POST",)),
    Route("/my-email/disconnect", "my_email_disconnect", disconnect.my_email_disconnect, _OWN, ("GET", "POST")),
    Route("/mailboxes", "mailboxes", mailboxes.mailboxes, _TEAM),
    Route("/mailboxes/new", "mailbox_new", mailbox_new.mailbox_new, _TEAM, ("GET", "POST")),
    Route("/mailboxes/selected", "mailboxes_selected", mailboxes_selected.mailboxes_selected, _TEAM, ("POST",)),
    Route("/mailboxes/live", "mailboxes_live", mailbox_live.mailboxes_live, _TEAM),
    Route(_MAILBOX, "mailbox", mailbox_page.mailbox, _MINE_OR_TEAM),
    Route(f"{_MAILBOX}/edit", "mailbox_edit", mailbox_edit.mailbox_edit, _TEAM, ("GET", "POST")),
    Route(f"{_MAILBOX}/process", "mailbox_process", mailbox_process.mailbox_process, _TEAM, ("GET", "POST")),
    Route(f"{_MAILBOX}/connect", "mailbox_connect", mailbox_page.mailbox_connect, _TEAM, ("POST",)),
    Route(f"{_MAILBOX}/check", "mailbox_check", mailbox_page.mailbox_check, _TEAM, ("POST",)),
    Route(f"{_MAILBOX}/disconnect", "mailbox_disconnect", disconnect.mailbox_disconnect, _TEAM, ("GET", "POST")),
    # one's own or the team's: the view looks whose it is
    Route(f"{_MAILBOX}/live", "mailbox_live", mailbox_live.mailbox_live, _MINE_OR_TEAM),
    Route(f"{_MAILBOX}/sync", "mailbox_sync", mailbox_actions.mailbox_sync, _MINE_OR_TEAM, ("POST",)),
    Route(f"{_MAILBOX}/pause", "mailbox_pause", mailbox_actions.mailbox_pause, _MINE_OR_TEAM, ("POST",)),
    Route(f"{_MAILBOX}/resume", "mailbox_resume", mailbox_actions.mailbox_resume, _MINE_OR_TEAM, ("POST",)),
    Route(f"{_MAILBOX}/restart", "mailbox_restart", mailbox_actions.mailbox_restart, _MINE_OR_TEAM, ("GET", "POST")),
    Route(f"{_MAILBOX}/folders", "mailbox_folders", folders.mailbox_folders, _MINE_OR_TEAM, ("GET", "POST")),
    Route(
        f"{_MAILBOX}/folders/<{_ID}:folder_id>/delete",
        "folder_delete",
        folders.folder_delete,
        _MINE_OR_TEAM,
        ("GET", "POST"),
    ),
    Route(
        f"{_MAILBOX}/folders/<{_ID}:folder_id>/believe",
        "folder_believe",
        mailbox_state.folder_believe,
        _MINE_OR_TEAM,
        ("POST",),
    ),
    Route(f"{_MAILBOX}/retry", "mailbox_retry", mailbox_state.mailbox_retry, _MINE_OR_TEAM, ("POST",)),
    Route(f"{_MAILBOX}/skip", "mailbox_skip", mailbox_state.mailbox_skip, _MINE_OR_TEAM, ("POST",)),
    # the answer belongs to a flow, whose user is checked by the flow itself, in its order
    Route("/oauth/callback", "oauth_callback", callback.oauth_callback, (), ("GET", "POST")),
    # for visitors whom nobody knows yet
    Route("/sign-in", "sign_in", sign_in.sign_in, (), ("GET", "POST")),
    Route("/messages", "messages", messages.messages, _READ),
    Route(f"/messages/<{_ID}:message_id>", "message", message.message, _READ),
    Route(f"/messages/<{_ID}:message_id>/body", "message_body", message_body.message_body, _READ),
    # a sandboxed frame asks for it without cookies: the view looks for a key, and asks the guard where there is none
    Route(f"/messages/<{_ID}:message_id>/inline/<path:content_id>", "message_inline", attachments.message_inline, ()),
    Route(f"/messages/<{_ID}:message_id>.eml", "message_eml", attachments.message_eml, _READ),
    Route(f"/attachments/<{_ID}:attachment_id>", "attachment", attachments.attachment, _READ),
    Route("/audit", "audit", audit.audit, _ADMIN),
    Route("/audit.csv", "audit_csv", audit.audit_csv, _ADMIN),
    Route("/health/live", "health_live", health.health_live, _ADMIN, is_monitored=True),
    Route("/health/ready", "health_ready", health.health_ready, _ADMIN, is_monitored=True),
    Route("/metrics", "metrics", metrics.metrics, _ADMIN, is_monitored=True),
    Route("/_gallery", "gallery", gallery.gallery, _ADMIN),
)

# for every template, also those that are imported without context. Ours call the first ``_``: not here, since a host's
# layout, which our pages extend, may have a ``_`` of its own
_GLOBALS: dict[str, Callable[..., object]] = {
    "ms365_text": language.translated,
    "ms365_number": language.number,
    "ms365_time": language.time_of,
    "ms365_date": language.date_of,
    "ms365_sign_in": sign_in.sign_in_button,
    "ms365_style_url": host_macros.style_url,
    "ms365_host_status": host_macros.status_lines,
    "ms365_host_thread": host_macros.thread,
}

_BY_ENDPOINT = {route.endpoint: route for route in ROUTES}


def create_blueprint() -> Blueprint:
    """Return a new blueprint; each app gets its own."""
    blueprint = Blueprint(
        "ms365",
        "flask_ms365",
        template_folder=folder("templates"),
        static_folder=folder("static"),
        static_url_path="/static/ms365",
    )
    for route in ROUTES:
        blueprint.add_url_rule(route.path, route.endpoint, route.view, methods=list(route.methods))
    blueprint.before_request(_guard)
    blueprint.after_request(_harden)
    blueprint.context_processor(template_context)
    for name, function in _GLOBALS.items():
        blueprint.add_app_template_global(function, name)
    return blueprint


def _guard() -> ResponseReturnValue | None:
    endpoint = (request.endpoint or "").rpartition(".")[2]
    if endpoint == "static":
        return None
    route = _BY_ENDPOINT.get(endpoint)
    if route is None:
        return not_found()
    came_in_by("page", ip=request.remote_addr)
    if current_state().authorize is not None and route.is_monitored and has_token():
        return None
    return guard(route.permissions)


def _harden(response: Response) -> Response:
    if (request.endpoint or "").endswith(".static"):
        # only of what was found: a name that was refused must not be read after all
        name = str((request.view_args or {}).get("filename"))
        if response.status_code == 200 and request.args.get("v") == fingerprint(name):
            response.headers["Cache-Control"] = f"public, max-age={_ONE_YEAR}, immutable"
        return response
    headers = response.headers
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Content-Security-Policy", page_policy(has_forms=response.status_code < 400))
    return response
