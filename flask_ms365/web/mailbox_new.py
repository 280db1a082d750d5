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
from flask_ms365.web.mailbox_scope import mailbox_scope
from flask_ms365.web.obstacle import settings_link, sign_in_obstacle
from flask_ms365.web.problem import problem
from flask_ms365.web.redirect_uri import redirect_uri
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
    try:
        mailbox_id = state.mailboxes.add(**values, actor=user_id)
    except MailboxRefused as exc:
        return _form(values, refusal=exc)
    except MS365Error as exc:
        return _form(values, refusal=MailboxRefused("access", exc.words))
    if not needs_sign_in:
        return redirect(url_for(".mailbox", mailbox_id=mailbox_id, connected=1), 303)
    return sign_in_for(state.mailboxes.find(mailbox_id), values["access"], user_id)


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
    state = current_state()
    fields = {"address": "ms365-address", "label": "ms365-label", "access": f"ms365-access-{values['access']}"}
    obstacle = sign_in_obstacle(state)
    # the commands are of use to whoever was refused: with them the app gets this mailbox and no other
    is_out_of_reach = refusal is not None and refusal.field == "address" and bool(refusal.code)
    addresses = [*state.mailboxes.application_addresses(), values["address"].strip()] if is_out_of_reach else []
    return render_template(
        "ms365/mailbox_new.html",
        form=CsrfForm(),
        values=values,
        errors={refusal.field: refusal} if refusal else {},
        summary=[(fields[refusal.field], refusal.words)] if refusal else [],
        ways=tuple(WAYS.values()),
        obstacle=obstacle,
        obstacle_link=settings_link() if obstacle else None,
        scope=mailbox_scope(addresses),
        notices=notices,
    )
