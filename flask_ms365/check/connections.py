"""The steps that sign-ins prove: the redirect URI, the permissions, and one mailbox read through Graph."""

from __future__ import annotations

from sqlalchemy import exists, select

from flask_ms365.check.microsoft import refused
from flask_ms365.check.outcome import Outcome, failed, not_checked, passed, warning
from flask_ms365.check.subject import Subject
from flask_ms365.errors import EncryptionError, GraphError, SignInNeeded, TokenError
from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.models import Connection, Mailbox
from flask_ms365.words import Words, counted


def redirect_uri(subject: Subject) -> Outcome:
    """See whether a sign-in with this very URI has worked: Entra tells nobody what is registered."""
    address = subject.address
    unproved = not_checked(Words("Entra does not tell. A sign-in proves it."), endpoint="my_email")
    if address is None or address.is_guess:
        return unproved
    of_this_app = Connection.client_id == str(subject.snapshot.effective("client_id").value)
    worked = subject.session.scalar(
        select(exists().where(of_this_app, Connection.redirect_uri == address.redirect_uri))
    )
    subject.session.commit()
    return passed(Words("A sign-in has worked with it.")) if worked else unproved


def permissions(subject: Subject) -> Outcome:
    """Compare what sign-ins were granted with what is needed."""
    of_this_app = Connection.client_id == str(subject.snapshot.effective("client_id").value)
    granted = subject.session.scalars(
        select(Connection.granted_scopes).where(of_this_app, Connection.is_dead.is_(False))
    ).all()
    subject.session.commit()
    if not granted:
        return not_checked(Words("Nobody has signed in yet."), endpoint="my_email")
    short = [missing for scopes in granted if (missing := missing_scopes(tuple(scopes)))]
    if not short:
        return passed(counted("Granted in %(count)s sign-in.", "Granted in each of %(count)s sign-ins.", len(granted)))
    return failed(
        counted(
            "%(count)s sign-in lacks %(scope)s.", "%(count)s sign-ins lack %(scope)s.", len(short), scope=short[0][0]
        ),
        Words("Grant admin consent, then let those people sign in again."),
        page="permissions",
        endpoint="setup",
    )


def mailbox(subject: Subject) -> Outcome:
    """Read one property of the mailbox that was connected last."""
    newest = select(Mailbox.id, Mailbox.address).where(Mailbox.connection_id.is_not(None), Mailbox.state == "connected")
    found = subject.session.execute(newest.order_by(Mailbox.id.desc()).limit(1)).one_or_none()
    subject.session.commit()
    if found is None:
        return not_checked(Words("No mailbox is connected."), endpoint="my_email")
    try:
        subject.clients.of(found.id).probe()
    except SignInNeeded as exc:
        return failed(exc.words, Words("Let its owner sign in again."), code=exc.code)
    except TokenError as exc:
        return refused(exc)
    except EncryptionError as exc:
        return failed(exc.words)
    except GraphError as exc:
        return _of_graph(exc)
    return passed(Words("The inbox of %(address)s can be read.", address=found.address))


def _of_graph(error: GraphError) -> Outcome:
    details = tuple((label, value) for label, value in _graph_details(error) if value)
    if error.status in (0, 429) or error.status >= 500:
        return warning(error.words, Words("Try again in a few minutes."), details=details)
    next_step = Words("Is there an Exchange Online mailbox, and may this app read it? Ask the Microsoft 365 admin.")
    return failed(
        Words("Microsoft Graph does not let us read this mailbox."), next_step, page="permissions", details=details
    )


def _graph_details(error: GraphError) -> tuple[tuple[str, str], ...]:
    return (
        (Words("Status"), str(error.status or "")),
        (Words("Error"), error.code),
        (Words("Request ID"), error.request_id),
    )
