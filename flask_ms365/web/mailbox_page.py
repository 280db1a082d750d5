"""The page of one mailbox: how it is and why, its folders, days and runs, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.check.outcome import StepResult
from flask_ms365.errors import MailboxRefused, MS365Error
from flask_ms365.mailboxes.charts import messages_a_day
from flask_ms365.mailboxes.figures import list_runs
from flask_ms365.mailboxes.readers import readers_in_words
from flask_ms365.mailboxes.status import status_of
from flask_ms365.models import Mailbox
from flask_ms365.permissions import Permission
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.callback import outcome_notices, present_outcome
from flask_ms365.web.check import links
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.found import is_seen, is_theirs
from flask_ms365.web.mailbox_figures import figures_view
from flask_ms365.web.mailbox_new import TOO_LATE, sign_in_for
from flask_ms365.web.mailbox_scope import mailbox_scope
from flask_ms365.web.mailbox_state import answered_notices, set_aside_view
from flask_ms365.web.obstacle import settings_link, sign_in_obstacle
from flask_ms365.web.problem import not_found
from flask_ms365.web.redirect_uri import path_of, public_base_url
from flask_ms365.web.row_id import row_id
from flask_ms365.web.run_words import run_view
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_DAYS = 30
_CONNECTED = Notice(
    kind="ok", title=Words("Connected"), text=Words("The mail of this mailbox is being read. This may take a while.")
)


def mailbox(mailbox_id: int) -> ResponseReturnValue:
    """Show how a mailbox is, with what came of a sign-in that has just ended."""
    return _page(mailbox_id)


def mailbox_connect(mailbox_id: int) -> ResponseReturnValue:
    """Sign in for a mailbox (again), or read it (again) with the app's own permission."""
    state = current_state()
    found, user_id = state.mailboxes.find(mailbox_id), state.current_user_id()
    if found is None or found.state == "deleting":
        return not_found()
    if not CsrfForm().validate():
        return _page(mailbox_id, [TOO_LATE])
    if found.access == "application":
        return _connect_application(found, user_id)
    if user_id is None or sign_in_obstacle(state):
        return redirect(url_for(".mailbox", mailbox_id=mailbox_id), 303)
    # an account that is not the mailbox's own may still have full access to it
    wanted = "shared" if request.form.get("access") == "shared" else found.access
    return sign_in_for(found, wanted, user_id)


def mailbox_check(mailbox_id: int) -> ResponseReturnValue:
    """Read one property of a mailbox now; for one without sign-in, try another one that must not be readable."""
    found = current_state().mailboxes.find(mailbox_id)
    if found is None:
        return not_found()
    if not CsrfForm().validate():
        return _page(mailbox_id, [TOO_LATE])
    forbidden = request.form.get("forbidden", "").strip() if found.access == "application" else ""
    return _page(mailbox_id, checked=current_state().check.one_mailbox(found, forbidden=forbidden))


def _connect_application(found: Mailbox, user_id: str | None) -> ResponseReturnValue:
    mailbox_id = found.id
    try:
        current_state().mailboxes.connect_application(found, actor=user_id)
    except MailboxRefused as exc:
        return _page(mailbox_id, [_refused(exc)])
    except MS365Error as exc:
        return _page(mailbox_id, [Notice(kind="bad", title=Words("Not connected"), text=exc.words)])
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id, connected=1), 303)


def _page(mailbox_id: int, notices: Sequence[Notice] = (), checked: Sequence[StepResult] = ()) -> ResponseReturnValue:
    state, snapshot = current_state(), current_snapshot()
    row = state.mailboxes.with_people(mailbox_id)
    if row is None or not is_seen(row[0]):
        return not_found()
    found, account, is_read_twice, readers = row
    status = status_of(state.session, found, settings=snapshot, now=state.clock())
    is_private = not is_theirs(found)
    # who manages the team's mailboxes need not be one who reads their mail
    may_read = not is_private and (found.kind != "system" or is_allowed(Permission.READ_MAIL))
    has_connected = [_CONNECTED] if "connected" in request.args else []
    outcomes = outcome_notices(state.current_user_id() or "", done=_CONNECTED)
    return render_template(
        "ms365/mailbox.html",
        form=CsrfForm(),
        **figures_view(found, status, is_private=is_private),
        set_aside=[] if is_private else set_aside_view(status, may_read=may_read),
        **_sign_in_view(found, needs_scope=status.kind == "bad" or bool(has_connected)),
        **_runs_view(mailbox_id),
        please=_please_sign_in(found) if is_private else [],
        days=messages_a_day(state.session, [mailbox_id], days=_DAYS, now=state.clock())[mailbox_id],
        account=account,
        beside=is_read_twice,
        readers=readers_in_words(
            state.session, state.directory, found, user_id=state.current_user_id(), readers=readers
        ),
        may_read=may_read,
        may_manage=is_allowed(Permission.MANAGE_MAILBOXES),
        checked=checked,
        is_process_gone=state.processes.is_gone(found),
        notices=[*notices, *has_connected, *answered_notices(), *outcomes],
        **links(),
    )


def _sign_in_view(found: Mailbox, *, needs_scope: bool) -> dict[str, Any]:
    """Return what stands in the way of a sign-in, and what came of the last one; the commands that limit the app to
    its mailboxes are shown where they are new, or may be the cure.
    """
    state, needs_none = current_state(), found.access == "application"
    flow, obstacle = present_outcome(state.current_user_id() or ""), sign_in_obstacle(state)
    return {
        "is_other_account": bool(flow and flow.problem and flow.problem["check"] == "account"),
        "obstacle": None if needs_none else obstacle,
        "obstacle_link": settings_link() if obstacle else None,
        "scope": mailbox_scope(state.mailboxes.application_addresses()) if needs_none and needs_scope else None,
    }


def _please_sign_in(found: Mailbox) -> list[str]:
    """Return, line by line, what to forward to a person whose mailbox waits for their sign-in; nothing elsewhere."""
    if found.kind != "user" or found.state != "sign_in_needed":
        return []
    return [
        Words("Your mailbox %(address)s needs you to sign in again.", address=found.address),
        Words("Please open this page and press Sign in again:"),
        public_base_url(current_snapshot()) + path_of(".my_email"),
    ]


def _runs_view(mailbox_id: int) -> dict[str, Any]:
    before, after = (request.args.get(name, type=row_id) for name in ("before", "after"))
    found = list_runs(current_state().session, mailbox_id, before=before, after=after)
    ids = [run.id for run in found.runs]
    page: dict[str, Any] = {"mailbox_id": mailbox_id, "_anchor": "ms365-runs"}
    return {
        "runs": [run_view(run) for run in found.runs],
        "newer_url": url_for(".mailbox", after=ids[0], **page) if ids and found.has_newer else None,
        "older_url": url_for(".mailbox", before=ids[-1], **page) if ids and found.has_older else None,
    }


def _refused(refusal: MailboxRefused) -> Notice:
    details = [(Words("Code"), refusal.code), (Words("Correlation or trace ID"), refusal.trace)]
    return Notice(
        kind="bad",
        title=Words("Not connected"),
        text=refusal.words,
        next_step=refusal.next_step,
        details=[(label, value) for label, value in details if value],
    )
