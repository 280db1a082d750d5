"""Who may see what. One guard before every request; closed unless the host's ``authorize`` opens it."""

from __future__ import annotations

import hmac
import logging
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, request
from flask.typing import ResponseReturnValue

from flask_ms365.permissions import Permission
from flask_ms365.state import State, current_state
from flask_ms365.web.problem import problem
from flask_ms365.words import Words

_log = logging.getLogger(__name__)

_READING = {"GET", "HEAD"}
_SAFE = _READING | {"OPTIONS"}


def guard(permissions: tuple[Permission, ...]) -> ResponseReturnValue | None:
    """Return None where the visitor has one of ``permissions``, or needs none; else the answer that refuses."""
    if request.method not in _SAFE and not _is_from_here():
        text = Words("The request came from another site and was not carried out.")
        return problem(Words("Not sent from this page"), text, 403)
    if not permissions and current_state().authorize is not None:
        return None
    if any(is_allowed(permission) for permission in permissions):
        return None
    return _refusal(current_state())


def is_allowed(permission: Permission) -> bool:
    """Ask the host; whatever is not a clear yes is a no."""
    authorize = current_state().authorize
    if authorize is None:
        return False
    try:
        answer: object = authorize(permission)
        if answer and answer is not True:
            _log.warning(
                "access.unclear_answer: authorize(%s) returned %s; only True opens a page.",
                permission,
                type(answer).__name__,
                extra={"event": "access.unclear_answer"},
            )
    except Exception:  # the host's code: a broken authorizer closes the pages, it does not open them
        _log.exception("access.authorizer_failed", extra={"event": "access.authorizer_failed"})
        return False
    return answer is True


def has_token() -> bool:
    """Tell whether the request holds the token that the deployment gave to its monitoring."""
    token = str(current_app.config["MS365_MONITORING_TOKEN"] or "")
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(token) and scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


def flask_login_user_id() -> str | None:
    """Return Flask-Login's user id, where the host uses Flask-Login and somebody is logged in."""
    if not hasattr(current_app, "login_manager"):
        return None
    from flask_login import current_user

    user_id: Any = current_user.get_id() if current_user.is_authenticated else None
    return None if user_id is None else str(user_id)


def _refusal(state: State) -> ResponseReturnValue:
    if state.authorize is None:
        _log.warning(
            "access.no_authorizer: every page answers 403 until you pass "
            "MS365().init_app(app, authorize=lambda permission: ...), which returns True for the people who may.",
            extra={"event": "access.no_authorizer"},
        )
    elif request.method in _READING and _has_login_page() and state.current_user_id() is None:
        answer: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
        return answer
    text = Words("You are not allowed to see this page. Ask an admin of this app.")
    return problem(Words("Not allowed"), text, 403)


def _has_login_page() -> bool:
    """Tell whether the host uses Flask-Login and has told it where people sign in."""
    manager = getattr(current_app, "login_manager", None)
    return manager is not None and bool(manager.login_view or manager.unauthorized_callback)


def _is_from_here() -> bool:
    """Tell whether a form was sent by one of this host's own pages, beside the CSRF token."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    # the public address counts too: a proxy may have put another Host in its place
    public = urlsplit(current_app.config["MS365_PUBLIC_BASE_URL"] or "").netloc
    return origin is None or origin.partition("://")[2] in {request.host, public} - {""}
