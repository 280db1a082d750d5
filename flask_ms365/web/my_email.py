"""*My email*: connect one's own mailbox, and see how it is. The way to Microsoft and back begins and ends here."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from flask_ms365.errors import MS365Error, NoEncryptionKey
from flask_ms365.identity.scopes import PERMISSIONS
from flask_ms365.identity.sign_in import FLOW_MINUTES, PROBLEMS
from flask_ms365.mailboxes.connect import own_mailbox
from flask_ms365.mailboxes.status import MailboxStatus, status_of
from flask_ms365.permissions import Permission
from flask_ms365.state import State, current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import problem
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.setup import consent_returned
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words, from_json

_AGAIN = "ms365_again"


def my_email() -> ResponseReturnValue:
    """Show one's own mailbox, with what came of a sign-in that has just ended."""
    state = current_state()
    user_id = state.current_user_id()
    if user_id is None:
        return problem(Words("Not signed in"), Words("Sign in to this app first."), 403)
    obstacle = _obstacle(state)
    mailbox = own_mailbox(state.session, user_id)
    status = None
    if mailbox is not None:
        is_on = current_snapshot().is_sync_on
        status = status_of(state.session, mailbox, is_on=is_on, now=state.clock())
    return render_template(
        "ms365/my_email.html",
        form=CsrfForm(),
        mailbox=_view(status) if status else None,
        obstacle=obstacle,
        obstacle_link=_settings_link() if obstacle else None,
        permissions=PERMISSIONS,
        notices=_outcome_notices(state, user_id),
    )


def my_email_connect() -> ResponseReturnValue:
    """Send the browser to Microsoft, bound to this sign-in by a cookie."""
    state = current_state()
    user_id = state.current_user_id()
    if user_id is None or not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    if _obstacle(state):
        return redirect(url_for(".my_email"), 303)
    uri = redirect_uri(current_snapshot()).value
    started = state.connect.begin(user_id=user_id, redirect_uri=uri)
    response = redirect(started.url, 303)
    is_secure = uri.startswith("https:")
    response.set_cookie(
        _cookie_name(uri), started.binding, max_age=FLOW_MINUTES * 60, secure=is_secure, httponly=True, samesite="Lax"
    )
    return response


def oauth_callback() -> ResponseReturnValue:
    """Take Microsoft's answer and lead back to the page where the sign-in began. Never an error page of its own."""
    if "admin_consent" in request.args and "state" not in request.args:
        return consent_returned()
    state = current_state()
    user_id = state.current_user_id()
    if user_id is None and _AGAIN not in request.args and "state" in request.args:
        # under SameSite=Strict the host's session is missing on the way back; from our own page it is sent
        query = urlencode([*request.args.items(multi=True), (_AGAIN, "1")])
        again = f"{url_for('.oauth_callback')}?{query}"
        page = make_response(render_template("ms365/oauth_return.html", continue_url=again))
        page.headers["Referrer-Policy"] = "no-referrer"  # the address holds a code
        return page
    # named after the address that people use, which a proxy may hide from this request
    uri = redirect_uri(current_snapshot()).value
    name = _cookie_name(uri)
    outcome = state.connect.finish(
        request.args.to_dict(flat=False),
        binding=request.cookies.get(name),
        user_id=user_id,
        is_allowed=is_allowed(Permission.OWN_MAILBOX),
    )
    response: Response = make_response(redirect(url_for(".my_email", outcome=outcome), 303))
    if outcome not in PROBLEMS:  # a stray answer must not end a sign-in that is under way
        response.delete_cookie(name, secure=uri.startswith("https:"), httponly=True, samesite="Lax")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _cookie_name(url: str) -> str:
    # the __Host- prefix keeps other subdomains from planting it, and exists on https only
    return "__Host-ms365-flow" if url.startswith("https:") else "ms365-flow"


def _obstacle(state: State) -> str | None:
    """Return why connecting is not possible yet, in words for the person who waits for it."""
    if not state.keyring:
        return NoEncryptionKey().words
    try:
        state.registration()
    except MS365Error as exc:
        return exc.words
    if redirect_uri(current_snapshot()).needs_confirmation:
        return Words("An admin must confirm the redirect URI on the settings page first.")
    return None


def _settings_link() -> tuple[str, str] | None:
    return (Words("Settings"), url_for(".settings")) if is_allowed(Permission.MANAGE_SETTINGS) else None


def _view(status: MailboxStatus) -> dict[str, object]:
    problem_notice = None
    if status.error:
        details = [(Words("Code"), status.error_code)] if status.error_code else []
        problem_notice = Notice(kind=status.kind, title=status.words, text=status.error, details=details)
    return {
        "address": status.address,
        "state": status.words,
        "state_kind": status.kind,
        "connected_at": status.connected_at,
        "last_success_at": status.last_success_at,
        "message_count": status.message_count,
        "total_count": status.total_count or None,
        "problem": problem_notice,
    }


def _outcome_notices(state: State, user_id: str) -> list[Notice]:
    """Tell how the sign-in ended that led back here."""
    outcome = request.args.get("outcome", "")
    if outcome in PROBLEMS:
        message, next_step = PROBLEMS[outcome]
        return [Notice(kind="bad", title=_NOT_CONNECTED, text=message, next_step=next_step)]
    flow = state.connect.outcome(outcome, user_id=user_id) if outcome else None
    if flow is None:
        return []
    if not flow.problem:
        text = Words("Your mail is being read. This may take a while.")
        return [Notice(kind="ok", title=Words("Connected"), text=text)]
    return [
        Notice(
            kind="bad",
            title=_NOT_CONNECTED,
            text=from_json(flow.problem["message"]),
            next_step=from_json(flow.problem["next_step"]),
            details=[(label, flow.problem[key]) for label, key in _DETAILS if flow.problem[key]],
        )
    ]


_NOT_CONNECTED = Words("Not connected")
_DETAILS = (
    (Words("Failed check"), "check"),
    (Words("AADSTS code"), "code"),
    (Words("Correlation or trace ID"), "trace"),
)
