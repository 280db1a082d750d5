"""The steps that sign-ins prove: the redirect URI, the permissions, and one mailbox read through Graph."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from sqlalchemy import exists, select

from flask_ms365.check.microsoft import refused
from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.subject import Subject
from flask_ms365.errors import GraphError, SignInNeeded, TokenError
from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.models import Connection, Mailbox
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.words import Words, counted

_SIGN_IN_AGAIN = Words("Let its owner sign in again.")


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
    """Compare what sign-ins were granted with what is needed."""
    of_this_app = Connection.client_id == subject.client_id, Connection.is_dead.is_(False)
    granted = subject.session.scalars(select(Connection.granted_scopes).where(*of_this_app)).all()
    subject.session.commit()
    if not granted:
        return not_checked(Words("Nobody has signed in yet."), endpoint="my_email")
    short = [missing for scopes in granted if (missing := missing_scopes(tuple(scopes)))]
    if not short:
        return passed(counted("Granted in %(count)s sign-in.", "Granted in each of %(count)s sign-ins.", len(granted)))
    lacking = counted(
        "%(count)s sign-in lacks %(scope)s.", "%(count)s sign-ins lack %(scope)s.", len(short), scope=short[0][0]
    )
    next_step = Words("Grant admin consent, then let those people sign in again.")
    outcome = failed if len(short) == len(granted) else warning
    return outcome(lacking, next_step, page="permissions", endpoint="setup")


def mailbox(subject: Subject) -> Outcome:
    """Read one property of the mailbox that was connected last."""
    connected = select(Mailbox.id, Mailbox.address).join(Connection, Mailbox.connection_id == Connection.id)
    is_read = Connection.is_dead.is_(False), Mailbox.state.not_in(DISCONNECTED)
    newest = connected.where(*is_read).order_by(Connection.id.desc()).limit(1)
    found = subject.session.execute(newest).one_or_none()
    subject.session.commit()
    if found is None:
        return not_checked(Words("No mailbox is connected."), endpoint="my_email")
    try:
        subject.clients.of(found.id, is_probe=True).probe()
    except SignInNeeded as exc:
        return _ended(exc, found.address)
    except TokenError as exc:
        return refused(exc)
    except GraphError as exc:
        return _of_graph(exc, subject.app.graph)
    return passed(Words("The inbox of %(address)s can be read.", address=found.address))


def _ended(error: SignInNeeded, address: str) -> Outcome:
    outcome = refused(error)
    return replace(
        outcome,
        state="failed",
        message=Words("%(address)s: %(reason)s", address=address, reason=outcome.message),
        next_step=outcome.next_step if error.advice else _SIGN_IN_AGAIN,
        endpoint="my_email",
    )


def _of_graph(error: GraphError, origin: str) -> Outcome:
    """Tell what Graph has against it: nobody answers, it is busy, there is no mailbox, or it may not be read."""
    details = tuple((label, value) for label, value in _graph_details(error) if value)
    said = {"code": error.code, "trace": error.request_id, "details": details}
    if error.status == 0:
        return failed(
            error.words, Words("Let this server reach %(host)s over https.", host=urlsplit(origin).netloc), **said
        )
    if error.status == 429 or error.status >= 500:
        return warning(error.words, Words("Try again in a few minutes."), **said)
    if error.status == 404:
        no_mailbox = Words("This account has no mailbox in Exchange Online.")
        return failed(no_mailbox, Words("Give it a licence with Exchange Online, or connect another account."), **said)
    next_step = Words("Grant admin consent for Mail.Read, then let its owner sign in again.")
    return failed(
        Words("Microsoft Graph does not let us read this mailbox."),
        next_step,
        page="permissions",
        endpoint="setup",
        **said,
    )


def _graph_details(error: GraphError) -> tuple[tuple[str, str], ...]:
    return (
        (Words("Status"), str(error.status or "")),
        (Words("Error"), error.code),
        (Words("Request ID"), error.request_id),
    )
