"""One button for several mailboxes of the list."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from flask import redirect, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.mailboxes.listing import PAGE
from flask_ms365.mailboxes.pausing import pause, resume, sync_now
from flask_ms365.state import current_state
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import problem
from flask_ms365.web.row_id import row_id
from flask_ms365.web.words import Notice
from flask_ms365.words import Words, counted

# where the list was, so that it is there again afterwards
_PLACE = ("state", "q", "before", "after")


@dataclass(frozen=True, kw_only=True)
class Action:
    """What a button does to a mailbox, True where it did it, and how that is told of ``count`` mailboxes."""

    act: Callable[..., bool]
    done: Callable[[int], Words]
    left: Callable[[int], Words]
    wakes: bool


_ACTIONS = {
    "pause": Action(
        act=pause,
        done=lambda count: counted("%(count)s mailbox paused.", "%(count)s mailboxes paused.", count),
        left=lambda count: counted(
            "%(count)s was paused already, or is not connected.",
            "%(count)s were paused already, or are not connected.",
            count,
        ),
        wakes=False,
    ),
    "resume": Action(
        act=resume,
        done=lambda count: counted("%(count)s mailbox resumed.", "%(count)s mailboxes resumed.", count),
        left=lambda count: counted("%(count)s was not paused.", "%(count)s were not paused.", count),
        wakes=True,
    ),
    "sync": Action(
        act=sync_now,
        done=lambda count: counted("%(count)s mailbox is read now.", "%(count)s mailboxes are read now.", count),
        left=lambda count: counted(
            "%(count)s waits: for a person, or after a failure.",
            "%(count)s wait: for a person, or after a failure.",
            count,
        ),
        wakes=True,
    ),
}


def mailboxes_selected() -> ResponseReturnValue:
    """Do to each mailbox that was ticked what the button says, and lead back to the list."""
    state, name = current_state(), request.form.get("action", "")
    if name not in _ACTIONS or not CsrfForm().validate():
        text = Words("Nothing happened. Go back and press the button again.")
        return problem(Words("This page was open too long"), text, 400)
    ids, action = sorted(set(request.form.getlist("ids", type=row_id)))[:PAGE], _ACTIONS[name]
    user_id = state.current_user_id()
    done = sum(action.act(state.session, each, now=state.clock(), actor=user_id) for each in ids)
    if done and action.wakes:
        state.wake()
    place: dict[str, Any] = {key: request.form[key] for key in _PLACE if request.form.get(key)}
    return redirect(url_for(".mailboxes", did=name, done=done, left=len(ids) - done, **place), 303)


def selected_notices() -> Iterator[Notice]:
    """Tell on the list what came of it."""
    name = request.args.get("did", "")
    if name not in _ACTIONS:
        return
    done, left = (max(0, min(request.args.get(key, 0, type=int), PAGE)) for key in ("done", "left"))
    if not done and not left:
        yield Notice(kind="info", title=Words("No mailbox was ticked"), text=Words("Tick some, and press the button."))
        return
    told = [words for words in (done and _ACTIONS[name].done(done), left and _ACTIONS[name].left(left)) if words]
    yield Notice(kind="ok" if done else "info", title=told[0], text=told[1] if len(told) > 1 else "")
