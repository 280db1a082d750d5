"""Add a mailbox of the team, and go on to Microsoft where somebody must sign in for it."""

from __future__ import annotations

from collections.abc import Sequence

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.errors import MailboxRefused, MS365Error
from flask_ms365.mailboxes.access import WAYS
from flask_ms365.models import Mailbox
from flask_ms365.state import current_state
from flask_ms365.web.callback import to_microsoft
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.mailbox_process import begin_process
from flask_ms365.web.mailbox_scope import mailbox_scope
from flask_ms365.web.obstacle import settings_link, sign_in_obstacle
from flask_ms365.web.problem import problem
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.since import ShownSince, posted_since
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_FIELDS = ("label", "address", "access")
TOO_LATE = Notice(
    kind="warn",
    title=Words("Nothing happened"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)


def mailbox_new() -> ResponseReturnValue:
    """Add a mailbox, and go on to Microsoft where somebody must sign in for it."""
    values = {name: request.form.get(name, "") for name in _FIELDS} | {"access": request.form.get("access", "sign_in")}
    if request.method != "POST":
        return _form(values)
    if not CsrfForm().validate():
        return _form(values, notices=[TOO_LATE])
    state, needs_sign_in = current_state(), values["access"] != "application"
    user_id = state.current_user_id()
    if needs_sign_in and (user_id is None or sign_in_obstacle(state)):
        return _form(values)
    process = request.form.get("process", "")
    if process and process not in state.processes.known:
        return _form(values, refusal=MailboxRefused("process", Words("Choose one of the processes, or none.")))
    since = posted_since(ShownSince())
    if since.error:
        return _form(values)
    try:
        mailbox_id = state.mailboxes.add(**values, sync_from=since.moment, actor=user_id)
    except MailboxRefused as exc:
        return _form(values, refusal=exc)
    except MS365Error as exc:
        return _form(values, refusal=MailboxRefused("access", exc.words))
    is_on = not process or begin_process(mailbox_id, process)
    if needs_sign_in and is_on:
        return sign_in_for(state.mailboxes.find(mailbox_id), values["access"], user_id)
    return redirect(_next_page(mailbox_id, process, connected=None if needs_sign_in else 1), 303)


def _next_page(mailbox_id: int, process: str, *, connected: int | None) -> str:
    """Return where to go on: to the options of the process, if it has any, or to the mailbox."""
    if process and current_state().processes.known[process].form is not None:
        return url_for(".mailbox_process", mailbox_id=mailbox_id, process=process, connected=connected)
    return url_for(".mailbox", mailbox_id=mailbox_id, connected=connected)


def sign_in_for(found: Mailbox | None, access: str, user_id: str | None) -> ResponseReturnValue:
    """Send the browser to Microsoft, where ``user_id`` signs in for a mailbox."""
    if found is None or user_id is None:
        return problem(Words("Not signed in"), Words("Sign in to this app first."), 403)
    uri = redirect_uri(current_snapshot()).value
    begun = current_state().mailboxes.begin(found, access=access, user_id=user_id, redirect_uri=uri)
    return to_microsoft(begun, uri)


def _form(
    values: dict[str, str], *, refusal: MailboxRefused | None = None, notices: Sequence[Notice] = ()
) -> ResponseReturnValue:
    state, since = current_state(), posted_since(ShownSince())
    fields = {name: f"ms365-{name}" for name in ("address", "label", "process")}
    fields["access"] = f"ms365-access-{values['access']}"
    summary = [(fields[refusal.field], refusal.words)] if refusal else []
    summary += [("ms365-since-day", since.error)] if since.error else []
    obstacle = sign_in_obstacle(state)
    # the commands are of use to whoever was refused: with them the app gets this mailbox and no other
    is_out_of_reach = refusal is not None and refusal.field == "address" and bool(refusal.code)
    addresses = [*state.mailboxes.application_addresses(), values["address"].strip()] if is_out_of_reach else []
    return render_template(
        "ms365/mailbox_new.html",
        form=CsrfForm(),
        values=values,
        errors={refusal.field: refusal} if refusal else {},
        summary=summary,
        since=since,
        days=current_snapshot().number("sync_since"),
        ways=tuple(WAYS.values()),
        processes=list(state.processes.known),
        process=request.form.get("process", ""),
        obstacle=obstacle,
        obstacle_link=settings_link() if obstacle else None,
        scope=mailbox_scope(addresses),
        notices=notices,
    )
