"""The way to Microsoft and back: every answer of Microsoft arrives here and leads to the page where it was begun.

Never an error page of its own: whatever went wrong is told on that page, in plain words with a next step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import current_app, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.wrappers import Response

from flask_ms365.errors import MS365Error, SignInFailed
from flask_ms365.identity.id_token import Identity
from flask_ms365.identity.problems import FLOW_MINUTES, PROBLEMS
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.sign_in import Purpose, Started, Visitor
from flask_ms365.models import OAuthFlow
from flask_ms365.permissions import Permission
from flask_ms365.settings.registration import without_credential
from flask_ms365.state import State, current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.consent import consent_returned
from flask_ms365.web.problem import problem
from flask_ms365.web.snapshot import fresh_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words, from_json

_AGAIN = "ms365_again"
_NOT_CONNECTED = Words("Not connected")
_OTHER_ACCOUNT = Words("Another account signed in")
_UNDER_WAY = Notice(
    kind="info",
    title=Words("The sign-in is being finished"),
    next_step=Words("Look at this page again in a moment. If nothing has changed then, begin again."),
)
_LONGEST_QUERY = 65_536  # bytes, looked at before any of it is read
_DETAILS = (
    (Words("Failed check"), "check"),
    (Words("AADSTS code"), "code"),
    (Words("Correlation or trace ID"), "trace"),
)

Args = Mapping[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a flow of one purpose ends: who may finish it, what is done then, and the page that tells how it went."""

    permission: Permission | None
    # it returns who signed in, where the host is to take them in
    finish: Callable[[State, OAuthFlow, Args, Visitor], Response | Identity | None]
    page: Callable[[OAuthFlow], str]


def _connect(state: State, flow: OAuthFlow, args: Args, visitor: Visitor) -> None:
    state.connect.finish(flow, args, visitor)


def _connect_system(state: State, flow: OAuthFlow, args: Args, visitor: Visitor) -> None:
    state.mailboxes.finish(flow, args, visitor)


def _consent(state: State, flow: OAuthFlow, args: Args, visitor: Visitor) -> None:
    def registration() -> AppRegistration:
        return without_credential(fresh_snapshot(), current_app.config)

    state.sign_in.accept(flow, args, registration=registration, visitor=visitor)
    state.sign_in.consented(flow, args)


def _sign_in(state: State, flow: OAuthFlow, args: Args, visitor: Visitor) -> Identity:
    return state.host_sign_in.finish(flow, args, visitor)


ENDINGS: dict[str, Ending] = {
    Purpose.OWN: Ending(permission=Permission.OWN_MAILBOX, finish=_connect, page=lambda flow: url_for(".my_email")),
    Purpose.SYSTEM: Ending(
        permission=Permission.MANAGE_MAILBOXES,
        finish=_connect_system,
        page=lambda flow: url_for(".mailbox", mailbox_id=flow.mailbox_id),
    ),
    Purpose.CONSENT: Ending(
        permission=Permission.MANAGE_SETTINGS, finish=_consent, page=lambda flow: url_for(".setup")
    ),
    Purpose.SIGN_IN: Ending(permission=None, finish=_sign_in, page=lambda flow: url_for(".sign_in")),
}


def to_microsoft(started: Started, redirect_uri: str) -> Response:
    """Send the browser to Microsoft, bound to this sign-in by a cookie."""
    response: Response = make_response(redirect(started.url, 303))
    response.set_cookie(
        _cookie_name(redirect_uri),
        started.binding,
        max_age=FLOW_MINUTES * 60,
        secure=redirect_uri.startswith("https:"),
        httponly=True,
        samesite="Lax",
    )
    return response


def oauth_callback() -> ResponseReturnValue:
    """Take Microsoft's answer and lead back to the page where the sign-in began."""
    if request.method != "GET":  # who only looks uses nothing up, and Microsoft is never asked to post
        return _plain(PROBLEMS["malformed"][0], 200 if request.method == "HEAD" else 405)
    if len(request.query_string) > _LONGEST_QUERY:
        return _nobodys("malformed")
    if "admin_consent" in request.args and "state" not in request.args:
        return consent_returned()
    state, args = current_state(), request.args.to_dict(flat=False)
    user_id = state.current_user_id()
    may_come_again = user_id is None and "state" in args and _AGAIN not in args
    try:
        flow = state.sign_in.find(args)
    except SignInFailed as exc:
        return _come_again() if may_come_again else _nobodys(exc.check)
    if may_come_again and (flow.user_id or _is_session_strict()):
        return _come_again()
    ending = ENDINGS[flow.purpose]
    may = ending.permission is None or is_allowed(ending.permission)
    visitor = Visitor(binding=request.cookies.get(_cookie_name(flow.redirect_uri)), user_id=user_id, is_allowed=may)
    try:
        answer = ending.finish(state, flow, args, visitor)
    except SignInFailed as exc:
        return _failed(ending, flow, exc, visitor)
    except MS365Error as exc:
        error = SignInFailed("setup", exc.words, next_step=Words("Ask an admin of this app."))
        return _failed(ending, flow, error, visitor)
    if isinstance(answer, Identity):  # outside the try: an error of the host's is the host's
        return _taken_in(state, flow, answer)
    return answer or _unbound(_leave(ending.page(flow), flow.outcome_id), flow)


def present_outcome(user_id: str) -> OAuthFlow | None:
    """Return the sign-in of this user that led back to this page."""
    return current_state().sign_in.outcome(request.args.get("outcome", ""), user_id=user_id)


def outcome_notices(user_id: str, *, done: Notice, failed: str = _NOT_CONNECTED) -> list[Notice]:
    """Tell how the sign-in ended that led back to this page: ``done``, or why not, under the title ``failed``."""
    outcome = request.args.get("outcome", "")
    if outcome in PROBLEMS:
        message, next_step = PROBLEMS[outcome]
        return [Notice(kind="bad", title=failed, text=message, next_step=next_step)]
    flow = present_outcome(user_id)
    if flow is None:
        return []
    if flow.problem is None:
        return [_UNDER_WAY]
    if not flow.problem:
        return [done]
    return [
        Notice(
            kind="bad",
            title=_OTHER_ACCOUNT if flow.problem["check"] == "account" else failed,
            text=from_json(flow.problem["message"]),
            next_step=from_json(flow.problem["next_step"]),
            details=[(label, flow.problem[key]) for label, key in _DETAILS if flow.problem[key]],
        )
    ]


def _taken_in(state: State, flow: OAuthFlow, identity: Identity) -> Response:
    """Let the host take in who signed in; where it has no answer, lead on to where the visitor wanted to go."""
    handler = state.host_sign_in.handler
    answer = handler(identity) if handler else None
    if answer is None:
        answer = redirect(flow.next_path or f"{request.script_root}/", 303)
    return _unbound(make_response(answer), flow)


def _failed(ending: Ending, flow: OAuthFlow, error: SignInFailed, visitor: Visitor) -> ResponseReturnValue:
    """Keep why a sign-in ended; tell it where it began, to a visitor who may not be the one who began."""
    is_theirs = not flow.user_id or visitor.user_id == flow.user_id
    was_first = error.check != "state"
    if was_first:
        current_state().sign_in.failed(flow, error)
    if ending.permission is not None and (visitor.user_id is None or not visitor.is_allowed):
        return _plain(error.words)
    if not was_first:  # what came of the other answer is theirs to see; the cookie may be that of a newer sign-in
        return _leave(ending.page(flow), flow.outcome_id if flow.user_id and is_theirs else error.check)
    if not is_theirs or error.check == "gone":
        return _leave(ending.page(flow), error.check)
    return _unbound(_leave(ending.page(flow), flow.outcome_id), flow)


def _nobodys(check: str) -> ResponseReturnValue:
    """Tell of an answer that belongs to no sign-in: nobody knows who began it, or what for."""
    state = current_state()
    if state.current_user_id() is None:
        return _plain(PROBLEMS[check][0]) if state.host_sign_in.handler is None else _leave(url_for(".sign_in"), check)
    return _leave(url_for(".my_email"), check) if is_allowed(Permission.OWN_MAILBOX) else _plain(PROBLEMS[check][0])


def _plain(text: str, status: int = 400) -> ResponseReturnValue:
    """Tell it on a page of its own to a visitor whom no other is open to."""
    next_step = Words("Go back to where you began in this app, and begin again.")
    return problem(Words("The sign-in did not work"), text, status, next_step=next_step)


def _leave(page: str, outcome: str) -> Response:
    """Lead to ``page``, where ``outcome`` is told."""
    response: Response = make_response(redirect(f"{page}?{urlencode({'outcome': outcome})}", 303))
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _unbound(response: Response, flow: OAuthFlow) -> Response:
    """Take back the cookie that bound the browser to a sign-in that has ended."""
    is_secure = flow.redirect_uri.startswith("https:")
    response.delete_cookie(_cookie_name(flow.redirect_uri), secure=is_secure, httponly=True, samesite="Lax")
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def _is_session_strict() -> bool:
    """Tell whether browsers keep the host's session back on the way from Microsoft, and wherever that leads on to."""
    return str(current_app.config["SESSION_COOKIE_SAMESITE"]).lower() == "strict"


def _come_again() -> Response:
    """Open this address once more from a page of ours: under SameSite=Strict the host's session was not sent."""
    query = urlencode([*request.args.items(multi=True), (_AGAIN, "1")])
    page: Response = make_response(
        render_template("ms365/oauth_return.html", continue_url=f"{url_for('.oauth_callback')}?{query}")
    )
    page.headers["Referrer-Policy"] = "no-referrer"  # the address holds a code
    return page


def _cookie_name(url: str) -> str:
    # the __Host- prefix keeps other subdomains from planting it, and exists on https only
    return "__Host-ms365-flow" if url.startswith("https:") else "ms365-flow"
