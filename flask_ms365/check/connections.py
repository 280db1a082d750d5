"""The steps that need a grant: the redirect URI, the permissions, and mailboxes read through Graph."""

from __future__ import annotations

from dataclasses import replace
from functools import partial, reduce
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import exists, select

from flask_ms365.check.microsoft import refused
from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.subject import Subject
from flask_ms365.errors import GraphError, SignInNeeded, TokenError
from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.mailboxes.access import WAYS, checked_address, refusal
from flask_ms365.models import Connection, Mailbox
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.words import Words, counted

_SIGN_IN_AGAIN = Words("Let its owner sign in again.")
_SIGN_IN_FOR_IT = Words("Sign in for it again on the page Mailboxes.")


def redirect_uri(subject: Subject) -> Outcome:
    """See whether a sign-in with this very URI has worked: Entra tells nobody what is registered."""
    address = subject.address
    unproved = not_checked(Words("Entra does not tell apps this. A sign-in proves it."), endpoint="my_email")
    if address is None or address.is_guess:
        return unproved
    with_it = exists().where(Connection.client_id == subject.client_id, Connection.redirect_uri == address.redirect_uri)
    worked = subject.session.scalar(select(with_it))
    subject.session.commit()
    return passed(Words("A sign-in has worked with it.")) if worked else unproved


def permissions(subject: Subject) -> Outcome:
    """Compare what sign-ins were granted with what they asked for."""
    of_this_app = Connection.client_id == subject.client_id, Connection.is_dead.is_(False)
    grants = subject.session.execute(select(Connection.granted_scopes, Connection.scopes).where(*of_this_app)).all()
    subject.session.commit()
    if not grants:
        return not_checked(Words("Nobody has signed in yet."), endpoint="my_email")
    short = [missing for granted, asked in grants if (missing := missing_scopes(tuple(granted), asked))]
    if not short:
        return passed(counted("Granted in %(count)s sign-in.", "Granted in each of %(count)s sign-ins.", len(grants)))
    lacking = counted(
        "%(count)s sign-in lacks %(scope)s.", "%(count)s sign-ins lack %(scope)s.", len(short), scope=short[0][0]
    )
    next_step = Words("Grant admin consent, then let those people sign in again.")
    outcome = failed if len(short) == len(grants) else warning
    return outcome(lacking, next_step, page="permissions", endpoint="setup_consent")


def mailbox(subject: Subject) -> Outcome:
    """Read one property of the mailbox that was added last in each way, and of one that must not be readable."""
    newest = [mailbox for access in WAYS if (mailbox := _newest(subject, access))]
    looks = [partial(read_inbox, subject, mailbox) for mailbox in newest]
    if subject.forbidden:
        looks.append(partial(try_forbidden, subject, subject.forbidden))
    if not looks:
        return not_checked(Words("No mailbox is connected."), endpoint="my_email")
    outcomes = [look() for look in looks]
    bad = sorted((each for each in outcomes if each.state != "passed"), key=lambda each: each.state != "failed")
    return bad[0] if bad else reduce(_both, outcomes)


def read_inbox(subject: Subject, mailbox: Any) -> Outcome:
    """Read one property of a mailbox; ``mailbox`` has its id, address, access and kind."""
    try:
        subject.clients.of(mailbox.id, is_probe=True).probe()
    except SignInNeeded as exc:
        return _ended(exc, mailbox)
    except TokenError as exc:
        return refused(exc)
    except GraphError as exc:
        return _of_graph(exc, mailbox, subject.app.graph)
    return passed(Words("The inbox of %(address)s can be read.", address=mailbox.address))


def try_forbidden(subject: Subject, text: str) -> Outcome:
    """Try to read a mailbox that the app must not read: only a refusal is good."""
    try:
        address = checked_address(text)
        subject.clients.application(address, is_probe=True).probe()
    except ValueError as exc:
        return warning(exc.args[0])
    except TokenError as exc:
        return refused(exc)
    except GraphError as exc:
        if exc.status == 403:
            return passed(Words("The app cannot read %(address)s by itself.", address=address))
        if exc.status == 404:
            unproved = Words("Microsoft knows no mailbox %(address)s, so this proves nothing.", address=address)
            return warning(unproved, Words("Enter the address of a mailbox that exists."))
        return _passing(exc, subject.app.graph)
    return failed(
        Words("The app can read %(address)s, and probably every mailbox of the tenant.", address=address),
        Words(
            "Take the application permission Mail.Read away from the app in Entra, and limit the app to its mailboxes "
            "in Exchange. The page Mailboxes has the commands."
        ),
        page="permissions",
        endpoint="mailboxes",
    )


def _both(one: Outcome, other: Outcome) -> Outcome:
    return passed(Words("%(one)s %(other)s", one=one.message, other=other.message))


def _newest(subject: Subject, access: str) -> Any:
    """Return the mailbox of a way that was added last and should be readable."""
    columns = (Mailbox.id, Mailbox.address, Mailbox.access, Mailbox.kind)
    read = select(*columns).outerjoin(Connection, Mailbox.connection_id == Connection.id)
    has_grant = Connection.is_dead.is_(False) if access != "application" else Connection.id.is_(None)
    read = read.where(Mailbox.access == access, has_grant, Mailbox.state.not_in(DISCONNECTED))
    found = subject.session.execute(read.order_by(Mailbox.id.desc()).limit(1)).one_or_none()
    subject.session.commit()
    return found


def _ended(error: SignInNeeded, mailbox: Any) -> Outcome:
    outcome = refused(error)
    is_own = mailbox.kind == "user"
    return replace(
        outcome,
        state="failed",
        message=Words("%(address)s: %(reason)s", address=mailbox.address, reason=outcome.message),
        next_step=outcome.next_step if error.advice else _SIGN_IN_AGAIN if is_own else _SIGN_IN_FOR_IT,
        endpoint="my_email" if is_own else "mailboxes",
    )


def _of_graph(error: GraphError, mailbox: Any, origin: str) -> Outcome:
    """Tell what Graph has against it: nobody answers, it is busy, there is no mailbox, or it may not be read."""
    if error.status not in (403, 404):
        return _passing(error, origin) if _may_pass(error) else failed(error.words, **_said(error))
    if mailbox.kind == "system":
        message, next_step = refusal(error, mailbox.access, mailbox.address)
        return failed(message, next_step, page="permissions", endpoint="mailboxes", **_said(error))
    if error.status == 404:
        no_mailbox = Words("This account has no mailbox in Exchange Online.")
        next_step = Words("Give it a licence with Exchange Online, or connect another account.")
        return failed(no_mailbox, next_step, **_said(error))
    return failed(
        Words("Microsoft Graph does not let us read this mailbox."),
        Words("Grant admin consent for Mail.Read, then let its owner sign in again."),
        page="permissions",
        endpoint="setup_consent",
        **_said(error),
    )


def _may_pass(error: GraphError) -> bool:
    return error.status in (0, 429) or error.status >= 500


def _passing(error: GraphError, origin: str) -> Outcome:
    """Tell that Graph does not answer, or not now."""
    if error.status == 0:
        return failed(
            error.words,
            Words("Let this server reach %(host)s over https.", host=urlsplit(origin).netloc),
            **_said(error),
        )
    return warning(error.words, Words("Try again in a few minutes."), **_said(error))


def _said(error: GraphError) -> dict[str, Any]:
    details = tuple((label, value) for label, value in _graph_details(error) if value)
    return {"code": error.code, "trace": error.request_id, "details": details}


def _graph_details(error: GraphError) -> tuple[tuple[str, str], ...]:
    return (
        (Words("Status"), str(error.status or "")),
        (Words("Error"), error.code),
        (Words("Request ID"), error.request_id),
    )
