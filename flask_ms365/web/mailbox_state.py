"""What a mailbox waits for people with, on its own page or on *My email*: folders in doubt, messages set aside."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.doubts import believe
from flask_ms365.mailboxes.set_aside import list_set_aside, reason, try_again
from flask_ms365.mailboxes.status import MailboxStatus
from flask_ms365.models import Mailbox, SetAside
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.found import page_of, theirs
from flask_ms365.web.problem import not_found, problem
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

# what a page is told by its address once a button was pressed
_ANSWERED = {
    "believed": Notice(
        kind="ok",
        title=Words("Understood"),
        text=Words(
            "The next sync asks Microsoft for each of these messages, and marks those as removed that are gone."
        ),
    ),
    "retried": Notice(
        kind="ok", title=Words("They are tried again"), text=Words("What came of it is told here after the next sync.")
    ),
    "unchanged": Notice(
        kind="info",
        title=Words("There was nothing to do any more"),
        text=Words("It has changed since this page was opened, or somebody else was faster."),
    ),
}


def folder_believe(mailbox_id: int, folder_id: int) -> ResponseReturnValue:
    """Take Microsoft at its word: the mail of this folder is gone."""

    def answer(state: State, mailbox: Mailbox) -> int:
        return believe(state.session, mailbox, folder_id=folder_id, now=state.clock(), actor=state.current_user_id())

    return _pressed(mailbox_id, answer, done="believed")


def mailbox_retry(mailbox_id: int) -> ResponseReturnValue:
    """Try the messages that were set aside again, with the next sync."""

    def answer(state: State, mailbox: Mailbox) -> int:
        return try_again(state.session, mailbox.id, now=state.clock())

    return _pressed(mailbox_id, answer, done="retried")


def answered_notices() -> list[Notice]:
    """Tell on the page that a button led back to what came of it."""
    return [notice for name, notice in _ANSWERED.items() if name in request.args]


def waiting_view(status: MailboxStatus) -> dict[str, Any]:
    """Return what both pages show beside the figures; one statement more where messages are set aside."""
    state = current_state()
    messages = list_set_aside(state.session, status.id) if status.set_aside_count else []
    return {"status": status, "set_aside": [_set_aside(message, state.clock()) for message in messages]}


def _set_aside(message: SetAside, now: datetime) -> dict[str, Any]:
    return {
        "subject": message.subject,
        "received_at": message.received_at,
        "reason": reason(message.code),
        "code": message.code,
        "attempts": message.attempts,
        "next_try_at": message.next_try_at if message.next_try_at > now else None,
    }


def _pressed(mailbox_id: int, answer: Callable[[State, Mailbox], int], *, done: str) -> ResponseReturnValue:
    """Do what a button says, and lead back to the page that has it."""
    state, mailbox = current_state(), theirs(mailbox_id)
    if mailbox is None or mailbox.state in DISCONNECTED:
        return not_found()
    if not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    page = page_of(mailbox)
    told = done if answer(state, mailbox) else "unchanged"
    state.wake(mailbox_id)
    return redirect(f"{page}?{told}=1", 303)
