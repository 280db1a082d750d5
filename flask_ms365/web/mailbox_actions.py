"""The buttons of a mailbox: sync now, pause, resume, start over."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.pausing import pause, resume, sync_now
from flask_ms365.mailboxes.restart import restart
from flask_ms365.models import Mailbox
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.found import page_of, seen, theirs
from flask_ms365.web.mailbox_state import pressed
from flask_ms365.web.problem import not_found


def mailbox_sync(mailbox_id: int) -> ResponseReturnValue:
    """Read a mailbox now, unless it waits for a person or after a failure."""

    def answer(state: State, mailbox: Mailbox) -> bool:
        return sync_now(state.session, mailbox.id, now=state.clock(), actor=state.current_user_id())

    return pressed(mailbox_id, answer, done="hurried", otherwise="waits", find=seen)


def mailbox_pause(mailbox_id: int) -> ResponseReturnValue:
    """Pause a mailbox; a sync under way stores nothing more."""

    def answer(state: State, mailbox: Mailbox) -> bool:
        return pause(state.session, mailbox.id, now=state.clock(), actor=state.current_user_id())

    return pressed(mailbox_id, answer, done="paused", find=seen)


def mailbox_resume(mailbox_id: int) -> ResponseReturnValue:
    """Let a paused mailbox go on."""

    def answer(state: State, mailbox: Mailbox) -> bool:
        return resume(state.session, mailbox.id, now=state.clock(), actor=state.current_user_id())

    return pressed(mailbox_id, answer, done="resumed", find=seen)


def mailbox_restart(mailbox_id: int) -> ResponseReturnValue:
    """Read a mailbox again from the start, once it was said what that means."""

    def answer(state: State, mailbox: Mailbox) -> bool:
        return restart(state.session, mailbox.id, now=state.clock(), actor=state.current_user_id())

    if request.method == "POST":
        return pressed(mailbox_id, answer, done="restarted")
    mailbox = theirs(mailbox_id)
    if mailbox is None or mailbox.state in DISCONNECTED:
        return not_found()
    count = current_state().choices.stored(mailbox.id)
    form, back = CsrfForm(), page_of(mailbox)
    return render_template("ms365/restart.html", form=form, mailbox=mailbox, message_count=count, back=back)
