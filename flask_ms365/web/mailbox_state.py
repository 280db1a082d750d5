"""How a mailbox is, and what it waits for people with: folders in doubt, messages set aside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import redirect, request
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.doubts import believe
from flask_ms365.mailboxes.set_aside import list_set_aside, reason, skip, try_again
from flask_ms365.mailboxes.status import WORDS, MailboxStatus
from flask_ms365.models import Mailbox, SetAside
from flask_ms365.state import State, current_state
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.found import page_of, theirs
from flask_ms365.web.problem import not_found, problem
from flask_ms365.web.row_id import row_id
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

NO_SUCCESS = Words("No success for long")

_FAILING = ("sign_in_needed", "failed", "waiting")
# of these the next try is told; the others wait for people, or simply go on
_TRIED_AGAIN = ("failed", "delete_failed", "waiting")
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
    """Try the message that the form names again with the next sync, or all that were set aside."""

    def answer(state: State, mailbox: Mailbox) -> int:
        return try_again(state.session, mailbox.id, now=state.clock(), row_id=request.form.get("message", type=row_id))

    return pressed(mailbox_id, answer, done="retried")


def mailbox_skip(mailbox_id: int) -> ResponseReturnValue:
    """Give up a message that was set aside."""

    def answer(state: State, mailbox: Mailbox) -> int:
        chosen = request.form.get("message", 0, type=row_id)
        return skip(state.session, mailbox, chosen, now=state.clock(), actor=state.current_user_id())

    return pressed(mailbox_id, answer, done="skipped")


def answered_notices() -> list[Notice]:
    """Tell on the page that a button led back to what came of it."""
    return [notice for name, notice in _ANSWERED.items() if name in request.args]


def state_view(
    mailbox: Any, state: str, *, is_overdue: bool, now: datetime, names: Mapping[str, str]
) -> dict[str, Any]:
    """Return how a mailbox is in words, since when, and until when; ``mailbox`` is its row, or the columns of one."""
    words, kind = WORDS[state]
    return {
        "state": state,
        "words": words,
        "kind": kind,
        "is_overdue": is_overdue,
        "since": mailbox.failing_since if state in _FAILING else None,
        "next_try_at": mailbox.next_due_at if state in _TRIED_AGAIN and mailbox.next_due_at > now else None,
        "paused_at": mailbox.paused_at,
        "paused_by": names.get(mailbox.paused_by, mailbox.paused_by),
    }


def set_aside_view(status: MailboxStatus, *, may_read: bool = True) -> list[dict[str, Any]]:
    """Return the messages set aside; one statement where there are any.

    Who may not read the mailbox learns when they were received, and not what they are about.
    """
    state, has_any = current_state(), status.set_aside_count or status.skipped_count
    messages = list_set_aside(state.session, status.id) if has_any else []
    return [_set_aside(message, state.clock(), may_read=may_read) for message in messages]


def _set_aside(message: SetAside, now: datetime, *, may_read: bool) -> dict[str, Any]:
    return {
        "id": message.id,
        "is_hidden": not may_read,
        "subject": message.subject if may_read else None,
        "received_at": message.received_at,
        "reason": reason(message.code),
        "code": message.code,
        "attempts": message.attempts,
        "next_try_at": message.next_try_at if message.next_try_at > now else None,
        "skipped_at": message.skipped_at,
    }


def pressed(
    mailbox_id: int,
    answer: Callable[[State, Mailbox], int],
    *,
    done: str,
    otherwise: str = "unchanged",
    find: Callable[[int], Mailbox | None] = theirs,
) -> ResponseReturnValue:
    """Do what a button says, and lead back to the page that has it; ``find`` knows who may press it."""
    state, mailbox = current_state(), find(mailbox_id)
    if mailbox is None or mailbox.state in DISCONNECTED:
        return not_found()
    if not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    page = page_of(mailbox)
    told = done if answer(state, mailbox) else otherwise
    state.wake(mailbox_id)
    return redirect(f"{page}?{told}=1", 303)
