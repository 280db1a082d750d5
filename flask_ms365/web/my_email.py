"""*My email*: connect one's own mailbox, and see how it is. The way to Microsoft and back begins and ends here."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.identity.scopes import PERMISSIONS, SCOPES
from flask_ms365.mailboxes.connect import left_out, own_mailbox
from flask_ms365.mailboxes.pausing import is_paused
from flask_ms365.mailboxes.progress import chosen_readings
from flask_ms365.mailboxes.readers import readers_in_words
from flask_ms365.mailboxes.status import kept_mail, status_of
from flask_ms365.models import Mailbox, OAuthFlow
from flask_ms365.state import current_state
from flask_ms365.sync.since import ALL_MAIL
from flask_ms365.web.callback import outcome_notices, present_outcome, to_microsoft
from flask_ms365.web.consent import consent_url
from flask_ms365.web.disconnect import disconnected_notices
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.mailbox_figures import figures_view
from flask_ms365.web.mailbox_state import answered_notices, set_aside_view
from flask_ms365.web.obstacle import settings_link, sign_in_obstacle
from flask_ms365.web.problem import problem
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

# an admin must allow the app first, was asked already, or may not
_NEEDS_APPROVAL = {"90093", "90094", "90095"}
_CONNECTED = Notice(kind="ok", title=Words("Connected"), text=Words("Your mail is being read. This may take a while."))
_STILL_PAUSED = Notice(
    kind="ok",
    title=Words("Connected"),
    text=Words("The mailbox is paused as before. Resume it to have your mail read."),
)
_NAMED = 5  # folders, and of more only the number


def my_email() -> ResponseReturnValue:
    """Show one's own mailbox, with what came of a sign-in that has just ended."""
    state = current_state()
    user_id = state.current_user_id()
    if user_id is None:
        return problem(Words("Not signed in"), Words("Sign in to this app first."), 403)
    obstacle = sign_in_obstacle(state)
    mailbox = own_mailbox(state.session, user_id)
    done = _STILL_PAUSED if mailbox is not None and is_paused(mailbox) else _CONNECTED
    notices = [*outcome_notices(user_id, done=done), *disconnected_notices(), *answered_notices()]
    flow = present_outcome(user_id)
    if mailbox is not None:
        notices.extend(_left_out(left_out(state.session, mailbox)))
    return render_template(
        "ms365/my_email.html",
        form=CsrfForm(),
        choice=_choice(flow),
        approval=_approval_message(flow),
        **(_view(mailbox) if mailbox is not None else {"mailbox": None}),
        kept=kept_mail(state.session, user_id, settings=current_snapshot(), now=state.clock()),
        obstacle=obstacle,
        obstacle_link=settings_link() if obstacle else None,
        permissions=PERMISSIONS,
        notices=notices,
    )


def my_email_connect() -> ResponseReturnValue:
    """Send the browser to Microsoft, bound to this sign-in by a cookie."""
    state = current_state()
    user_id = state.current_user_id()
    if user_id is None or not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    if sign_in_obstacle(state):
        return redirect(url_for(".my_email"), 303)
    uri = redirect_uri(current_snapshot()).value
    instead = state.sign_in.outcome(request.form.get("instead", ""), user_id=user_id)
    return to_microsoft(state.connect.begin(user_id=user_id, redirect_uri=uri, instead=instead), uri)


def _choice(flow: OAuthFlow | None) -> dict[str, str] | None:
    """Return which account signed in instead of the mailbox's, for the question which one it is to be."""
    seen = flow.problem.get("seen") if flow and flow.problem else None
    return {"outcome": flow.outcome_id, "account": seen[2]} if flow and seen else None


def _left_out(missing: list[str]) -> list[Notice]:
    """Tell what Microsoft left out of a grant that is good enough to read mail."""
    if not missing:
        return []
    text = Words("Your mail is read all the same. Microsoft did not grant: %(missing)s.", missing=", ".join(missing))
    next_step = Words("Sign in again and accept all permissions, or ask your Microsoft admin to allow them.")
    return [Notice(kind="warn", title=Words("A permission is missing"), text=text, next_step=next_step)]


def _approval_message(flow: OAuthFlow | None) -> list[str]:
    """Return, line by line, what to forward where Microsoft wants an admin's approval first; nothing elsewhere."""
    if flow is None or not flow.problem or flow.problem["code"] not in _NEEDS_APPROVAL:
        return []
    host = urlsplit(redirect_uri(current_snapshot()).value).hostname or ""
    return [
        Words("I would like to connect my Microsoft 365 mailbox with %(host)s.", host=host),
        Words("Microsoft asks for an admin's approval first. Please grant it once for everybody with this link:"),
        consent_url(),
        Words("What the app needs to read my mail: %(permissions)s", permissions=" ".join(SCOPES)),
    ]


def _view(mailbox: Mailbox) -> dict[str, Any]:
    """Return how the mailbox is, what is read of it, and who can see that."""
    state, user_id = current_state(), current_state().current_user_id()
    status = status_of(state.session, mailbox, settings=current_snapshot(), now=state.clock())
    read = [reading.folder.name for reading in chosen_readings(list(status.folders))]
    return {
        **figures_view(mailbox, status, is_private=False),
        "set_aside": set_aside_view(status),
        "read": read[:_NAMED],
        "read_count": len(read),
        "sync_from": None if mailbox.sync_from is None or mailbox.sync_from <= ALL_MAIL else mailbox.sync_from,
        "readers": readers_in_words(state.session, state.directory, mailbox, user_id=user_id),
        "is_paused": is_paused(mailbox),
    }
