"""What the host does with the mail of a mailbox: choose a process, fill in its options, try it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.models import Mailbox
from flask_ms365.permissions import Permission
from flask_ms365.processes.dry_run import Trial
from flask_ms365.processes.process import Process, Texts
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.problem import not_found
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

# of the options among what is posted
_PREFIX = "options-"
_SAVED = Notice(kind="ok", title=Words("Saved"))
_CONNECTED = Notice(
    kind="ok", title=Words("Connected"), text=Words("The mail of this mailbox is being read. This may take a while.")
)
_TOO_LATE = Notice(
    kind="warn",
    title=Words("Nothing happened"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)
_GONE = Notice(
    kind="warn",
    title=Words("This app has no such process any more"),
    text=Words(
        "Mail is read and stored as before, and nothing is done with it. What comes meanwhile is not taken up later."
    ),
    next_step=Words("Choose another process, or none."),
)


def mailbox_process(mailbox_id: int) -> ResponseReturnValue:
    """Show, save or try what is done with the mail of a mailbox of the team."""
    state = current_state()
    found = state.mailboxes.find(mailbox_id)
    if found is None or found.state == "deleting":
        return not_found()
    if request.method == "POST":
        return _posted(found)
    name = request.args.get("process", found.process or "")
    process = state.processes.known.get(name)
    is_chosen = process is not None and process.name == found.process
    form = process.options_form(found.process_options if is_chosen else None, prefix=_PREFIX) if process else None
    done = [notice for name, notice in (("saved", _SAVED), ("connected", _CONNECTED)) if name in request.args]
    return _page(found, process, form, notices=done)


def begin_process(mailbox_id: int, name: str) -> bool:
    """Choose a process for a mailbox that was just added, with the defaults of its options; return whether it is on.

    Where these will not do, somebody has to fill them in first. One that was taken up again goes on with its own.
    """
    state = current_state()
    found, form = state.mailboxes.find(mailbox_id), state.processes.known[name].options_form()
    if found is not None and found.process == name:
        return True
    is_on = form is None or bool(form.validate())
    if is_on:
        state.processes.choose(mailbox_id, name, None, actor=state.current_user_id())
    return is_on


def _posted(found: Mailbox) -> ResponseReturnValue:
    state, name = current_state(), request.form.get("process", "")
    process = state.processes.known.get(name)
    texts = _posted_texts() if process is not None and process.form is not None else None
    form = process.options_form(texts, prefix=_PREFIX) if process else None
    if not CsrfForm().validate() or (name and process is None):
        return _page(found, process, form, notices=[_TOO_LATE])
    if form is not None and not form.validate():
        return _page(found, process, form, errors=[(field.id, text) for field in form for text in field.errors])
    if process is not None and request.form.get("do") == "try":
        return _page(found, process, form, trials=state.processes.try_on(found, process, texts))
    state.processes.choose(found.id, name, texts, actor=state.current_user_id())
    return redirect(url_for(".mailbox_process", mailbox_id=found.id, saved=1), 303)


def _posted_texts() -> Texts:
    """Return what the fields of the options were filled in with."""
    sent = request.form.to_dict(flat=False)
    return {name.removeprefix(_PREFIX): texts for name, texts in sent.items() if name.startswith(_PREFIX)}


def _page(
    found: Mailbox,
    process: Process | None,
    form: Any,
    *,
    notices: Sequence[Notice] = (),
    errors: Sequence[tuple[str, str]] = (),
    trials: Sequence[Trial] | None = None,
) -> str:
    processes = current_state().processes
    is_gone = processes.is_gone(found)
    return render_template(
        "ms365/mailbox_process.html",
        form=CsrfForm(),
        mailbox=found,
        processes=list(processes.known),
        process=process,
        options=form,
        errors=errors,
        trials=trials,
        count=processes.count(found) if found.process else 0,
        is_gone=is_gone,
        may_read=is_allowed(Permission.READ_MAIL),
        notices=[*notices, *([_GONE] if is_gone else [])],
    )
