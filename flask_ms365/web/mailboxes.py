"""The mailboxes of the team: the list, a new one, and each one's page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from flask_ms365.check.outcome import StepResult
from flask_ms365.errors import MailboxRefused, MS365Error
from flask_ms365.identity.clouds import CLOUDS
from flask_ms365.identity.exchange_rbac import MailboxScope
from flask_ms365.identity.portal import portal_url
from flask_ms365.mailboxes.access import WAYS, next_step
from flask_ms365.mailboxes.status import WORDS, MailboxStatus, state_of, status_of
from flask_ms365.models import Mailbox
from flask_ms365.permissions import Permission
from flask_ms365.settings.checks import ANY_TENANT
from flask_ms365.state import current_state
from flask_ms365.web.access import is_allowed
from flask_ms365.web.callback import outcome_notices, present_outcome, to_microsoft
from flask_ms365.web.check import links
from flask_ms365.web.disconnect import disconnected_notices
from flask_ms365.web.forms import CsrfForm
from flask_ms365.web.mailbox_state import answered_notices, waiting_view
from flask_ms365.web.obstacle import settings_link, sign_in_obstacle
from flask_ms365.web.problem import not_found, problem
from flask_ms365.web.redirect_uri import redirect_uri
from flask_ms365.web.row_id import row_id
from flask_ms365.web.snapshot import current_snapshot
from flask_ms365.web.words import Notice
from flask_ms365.words import Words

_PAGE = 100
_FIELDS = ("label", "address", "access")
_CONNECTED = Notice(
    kind="ok", title=Words("Connected"), text=Words("The mail of this mailbox is being read. This may take a while.")
)
_TOO_LATE = Notice(
    kind="warn",
    title=Words("Nothing happened"),
    text=Words("This page was open too long. Look at it again, and press the button."),
)


def mailboxes() -> str:
    """List the team's mailboxes in the order in which they were added."""
    state, after = current_state(), request.args.get("after", 0, type=row_id)
    found = state.mailboxes.page(after=after, limit=_PAGE + 1)
    more = url_for(".mailboxes", after=found[_PAGE - 1].id) if len(found) > _PAGE else None
    return render_template(
        "ms365/mailboxes.html",
        mailboxes=[_row(mailbox) for mailbox in found[:_PAGE]],
        more_url=more,
        scope=_scope(state.mailboxes.application_addresses()),
        notices=disconnected_notices(),
    )


def mailbox_new() -> ResponseReturnValue:
    """Add a mailbox, and go on to Microsoft where somebody must sign in for it."""
    values = {name: request.form.get(name, "") for name in _FIELDS} | {"access": request.form.get("access", "sign_in")}
    if request.method != "POST":
        return _form(values)
    if not CsrfForm().validate():
        return _form(values, notices=[_TOO_LATE])
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
    return _to_microsoft(state.mailboxes.find(mailbox_id), values["access"], user_id)


def mailbox(mailbox_id: int) -> ResponseReturnValue:
    """Show how a mailbox is, with what came of a sign-in that has just ended."""
    found = current_state().mailboxes.find(mailbox_id)
    return not_found() if found is None else _page(found)


def mailbox_connect(mailbox_id: int) -> ResponseReturnValue:
    """Sign in for a mailbox (again), or read it (again) with the app's own permission."""
    state = current_state()
    found, user_id = state.mailboxes.find(mailbox_id), state.current_user_id()
    if found is None or found.state == "deleting":
        return not_found()
    if not CsrfForm().validate():
        return _page(found, [_TOO_LATE])
    if found.access == "application":
        return _connect_application(found, user_id)
    if user_id is None or sign_in_obstacle(state):
        return redirect(url_for(".mailbox", mailbox_id=mailbox_id), 303)
    # an account that is not the mailbox's own may still have full access to it
    wanted = "shared" if request.form.get("access") == "shared" else found.access
    return _to_microsoft(found, wanted, user_id)


def mailbox_check(mailbox_id: int) -> ResponseReturnValue:
    """Read one property of a mailbox now; for one without sign-in, try another one that must not be readable."""
    found = current_state().mailboxes.find(mailbox_id)
    if found is None:
        return not_found()
    if not CsrfForm().validate():
        return _page(found, [_TOO_LATE])
    forbidden = request.form.get("forbidden", "").strip() if found.access == "application" else ""
    return _page(found, checked=current_state().check.one_mailbox(found, forbidden=forbidden))


def _connect_application(found: Mailbox, user_id: str | None) -> ResponseReturnValue:
    mailbox_id = found.id
    try:
        current_state().mailboxes.connect_application(found, actor=user_id)
    except MailboxRefused as exc:
        return _page(found, [_refused(exc)])
    except MS365Error as exc:
        return _page(found, [Notice(kind="bad", title=Words("Not connected"), text=exc.words)])
    return redirect(url_for(".mailbox", mailbox_id=mailbox_id, connected=1), 303)


def _to_microsoft(found: Mailbox | None, access: str, user_id: str | None) -> ResponseReturnValue:
    if found is None or user_id is None:
        return problem(Words("Not signed in"), Words("Sign in to this app first."), 403)
    uri = redirect_uri(current_snapshot()).value
    begun = current_state().mailboxes.begin(found, access=access, user_id=user_id, redirect_uri=uri)
    return to_microsoft(begun, uri)


def _form(
    values: dict[str, str], *, refusal: MailboxRefused | None = None, notices: Sequence[Notice] = ()
) -> ResponseReturnValue:
    state = current_state()
    fields = {"address": "ms365-address", "access": f"ms365-access-{values['access']}"}
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
        scope=_scope(addresses),
        notices=notices,
    )


def _page(found: Mailbox, notices: Sequence[Notice] = (), checked: Sequence[StepResult] = ()) -> str:
    state, snapshot = current_state(), current_snapshot()
    user_id, obstacle = state.current_user_id() or "", sign_in_obstacle(state)
    status = status_of(state.session, found, settings=snapshot, now=state.clock())
    flow = present_outcome(user_id)
    has_connected = [_CONNECTED] if "connected" in request.args else []
    scope = state.mailboxes.application_addresses() if found.access == "application" else []
    return render_template(
        "ms365/mailbox.html",
        form=CsrfForm(),
        mailbox=found,
        **waiting_view(status),
        way=WAYS[found.access],
        account=state.mailboxes.account_of(found),
        beside=state.mailboxes.readers_beside(found),
        problem=_problem(status, found.access),
        is_other_account=bool(flow and flow.problem and flow.problem["check"] == "account"),
        obstacle=obstacle if found.access != "application" else None,
        obstacle_link=settings_link() if obstacle else None,
        may_read=is_allowed(Permission.READ_MAIL),
        checked=checked,
        scope=_scope(scope),
        notices=[*notices, *has_connected, *answered_notices(), *outcome_notices(user_id, done=_CONNECTED)],
        **links(),
    )


def _row(found: Mailbox) -> dict[str, Any]:
    words, kind = WORDS[state_of(found, is_on=current_snapshot().is_sync_on, now=current_state().clock())]
    return {
        "id": found.id,
        "name": found.label or found.address,
        "address": found.address,
        "access": WAYS[found.access].label,
        "state": words,
        "kind": kind,
        "last_success_at": found.last_success_at,
    }


def _problem(status: MailboxStatus, access: str) -> Notice | None:
    """Tell what stopped the last run, and what to do about it."""
    if not status.error:
        return None
    details = [(Words("Code"), status.error_code)] if status.error_code else []
    step = next_step(status.error_code, access)
    return Notice(kind=status.kind, title=status.words, text=status.error, next_step=step, details=details)


def _refused(refusal: MailboxRefused) -> Notice:
    details = [(Words("Code"), refusal.code), (Words("Correlation or trace ID"), refusal.trace)]
    return Notice(
        kind="bad",
        title=Words("Not connected"),
        text=refusal.words,
        next_step=refusal.next_step,
        details=[(label, value) for label, value in details if value],
    )


def _scope(addresses: Sequence[str]) -> dict[str, str] | None:
    """Return the commands that limit the app to ``addresses``, and where its tenant-wide permission is taken away."""
    if not addresses:
        return None
    client_id, tenant, cloud = (current_snapshot().text(key) for key in ("client_id", "tenant_id", "cloud"))
    limits = MailboxScope(
        client_id=client_id,
        addresses=addresses,
        cloud=CLOUDS[cloud],
        tenant="" if tenant in ANY_TENANT else tenant,
    )
    return {
        "first_time": limits.first_time,
        "once_more": limits.once_more,
        "permissions_url": portal_url("permissions", CLOUDS[cloud], client_id),
    }
