"""How a mailbox is, and what it waits for people with: folders in doubt, messages set aside. On each page that tells."""

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

NO_SUCCESS = Words("No success for long")

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
    "hurried": Notice(
        kind="ok",
        title=Words("It is read as soon as a worker is free"),
        text=Words("This page says how far it is."),
    ),
    "waits": Notice(
        kind="info",
        title=Words("It is not read now"),
        text=Words("It waits after a failure, for a sign-in, or since somebody paused it."),
    ),
    "paused": Notice(
        kind="ok",
        title=Words("The mailbox is paused"),
        text=Words("Nothing more of it is read until somebody resumes it. What is stored stays readable."),
    ),
    "resumed": Notice(
        kind="ok",
        title=Words("The mailbox goes on"),
        text=Words("It goes on where it stopped. Mail that came meanwhile is read, too."),
    ),
    "restarted": Notice(
        kind="ok",
        title=Words("The mailbox is read again from the start"),
        text=Words("What is stored stays as it is, and is found again. For a large mailbox this may take hours."),
    ),
    "skipped": Notice(
        kind="ok",
        title=Words("It is skipped"),
        text=Words("The message is not tried again, unless it changes in the mailbox."),
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

    return pressed(mailbox_id, answer, done="believed")


def mailbox_retry(mailbox_id: int) -> ResponseReturnValue:
    """Try the messages that were set aside again, with the next sync."""

    def answer(state: State, mailbox: Mailbox) -> int:
        return try_again(state.session, mailbox.id, now=state.clock())

    return pressed(mailbox_id, answer, done="retried")


def answered_notices() -> list[Notice]:
    """Tell on the page that a button led back to what came of it."""
    return [notice for name, notice in _ANSWERED.items() if name in request.args]


def waiting_view(status: MailboxStatus, *, is_private: bool = False) -> dict[str, Any]:
    """Return what both pages show beside the figures; one statement more where messages are set aside.

    ``is_private``: whose mailbox it is not does not learn what is in it.
    """
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


def pressed(
    mailbox_id: int, answer: Callable[[State, Mailbox], int], *, done: str, otherwise: str = "unchanged"
) -> ResponseReturnValue:
    """Do what a button says, and lead back to the page that has it."""
    state, mailbox = current_state(), theirs(mailbox_id)
    if mailbox is None or mailbox.state in DISCONNECTED:
        return not_found()
    if not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    page = page_of(mailbox)
    told = done if answer(state, mailbox) else otherwise
    state.wake(mailbox_id)
    return redirect(f"{page}?{told}=1", 303)
