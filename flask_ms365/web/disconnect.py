"""Disconnect a mailbox, once it was said what ends, what stays, and what only people can end at Microsoft."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.identity.clouds import cloud_of
from flask_ms365.identity.portal import portal_url
from flask_ms365.mailboxes.connect import own_mailbox
from flask_ms365.mailboxes.disconnect import Prospect
from flask_ms365.state import current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import not_found
from flask_ms365.web.row_id import row_id
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_DONE = Notice(
    kind="ok",
    title=Words("Disconnected"),
    text=Words("This app reads the mailbox no more. What you allowed at Microsoft can be taken back in My Apps."),
)
_TOO_LONG = Notice(
    kind="bad",
    title=Words("Nothing happened"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)


def my_email_disconnect() -> ResponseReturnValue:
    """Disconnect one's own mailbox, or delete the mail that was kept of the one that ``mailbox`` names."""
    state = current_state()
    user_id, mailbox_id = state.current_user_id(), request.args.get("mailbox", type=row_id)
    if user_id is None:
        return not_found()
    if mailbox_id is None:
        mailbox = own_mailbox(state.session, user_id)
        if mailbox is None:
            return redirect(url_for(".my_email"), 303)
        mailbox_id = mailbox.id
    return _confirmed(state.disconnect.look_at(mailbox_id, owner_id=user_id), back=url_for(".my_email"))


def mailbox_disconnect(mailbox_id: int) -> ResponseReturnValue:
    """Disconnect a mailbox of the team."""
    return _confirmed(current_state().disconnect.look_at(mailbox_id, owner_id=None), back=url_for(".mailboxes"))


def disconnected_notices() -> list[Notice]:
    """Tell on the page that a confirmation led back to that it is done."""
    return [_DONE] if "disconnected" in request.args else []


def _confirmed(prospect: Prospect | None, *, back: str) -> ResponseReturnValue:
    """Ask; and once the answer is yes, disconnect and go back."""
    if prospect is None:
        return not_found()
    form, notices, mail = CsrfForm(), [], request.form.get("mail")
    if request.method == "POST":
        if form.validate() and mail in ("keep", "delete"):
            state = current_state()
            state.disconnect.disconnect(prospect.mailbox_id, keep_mail=mail == "keep", actor=state.current_user_id())
            return redirect(f"{back}?disconnected=1", 303)
        notices = [_TOO_LONG]
    cloud = cloud_of(prospect.authority, settings=current_snapshot().text("cloud"))
    return render_template(
        "ms365/disconnect.html",
        form=form,
        notices=notices,
        mailbox=prospect,
        back=back,
        my_apps_url=cloud.my_apps,
        enterprise_apps_url=portal_url("enterprise_apps", cloud),
    )
