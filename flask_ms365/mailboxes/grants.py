"""Keep and destroy what sign-ins gave. One account's grant may serve several mailboxes of the user who signed in."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from flask_ms365.crypto import Keyring
from flask_ms365.identity.scopes import SCOPES, SHARED_SCOPES
from flask_ms365.identity.sign_in import SignedIn
from flask_ms365.identity.tokens import seal_pair
from flask_ms365.keys.canary import keep_canary
from flask_ms365.models import Connection, Mailbox
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import DISCONNECTED

# what a mailbox needs to be asked for, by the way it is read; an application mailbox needs no sign-in
SCOPES_OF = {"sign_in": SCOPES, "shared": SHARED_SCOPES}


def consent_scopes(ways: Collection[str], graph: str) -> tuple[str, ...]:
    """Return what an admin is asked to allow for mailboxes that are read in these ways; ``graph`` is Graph's origin.

    App permissions are consented to by ``.default`` alone, which is all that the registration lists: nothing stands
    beside it. Elsewhere it is the least that sign-ins ask for, and what these ways need more.
    """
    if "application" in ways:
        return (f"{graph}/.default",)
    more = [scope for way in sorted(ways) for scope in SCOPES_OF[way]]
    return tuple(dict.fromkeys([*SCOPES, *more]))


def store_grant(session: AnySession, keyring: Keyring, signed_in: SignedIn, *, now: datetime) -> Connection:
    """Within a transaction: store the grant of an account that signed in; what waited for this account goes on."""
    keep_canary(session, keyring)
    identity, user_id = signed_in.identity, signed_in.flow.user_id
    grant = (user_id, identity.tid, identity.oid)
    same = select(Connection).where(
        Connection.user_id == user_id, Connection.tid == identity.tid, Connection.oid == identity.oid
    )
    connection = session.scalar(same.with_for_update())
    if connection is None:
        connection = Connection(user_id=user_id, tid=identity.tid, oid=identity.oid, created_at=now, version=0)
        session.add(connection)
    granted_before = connection.granted_scopes or []
    for name, value in seal_pair(keyring, signed_in.tokens, grant=grant, now=now).items():
        setattr(connection, name, value)
    connection.upn, connection.name = identity.upn, identity.name
    connection.authority, connection.client_id = signed_in.registration.authority, signed_in.registration.client_id
    connection.redirect_uri = signed_in.flow.redirect_uri
    if _widen(session, connection, signed_in.flow.scopes):
        connection.granted_scopes = list(dict.fromkeys([*connection.granted_scopes, *granted_before]))
        connection.expires_at = now  # the new access token does not cover the rest: the next reader asks for another
    connection.version += 1
    connection.refresh_owner = connection.refresh_until = connection.claims = None
    connection.is_dead, connection.error_code, connection.error_text = False, None, None
    session.flush()
    waiting = select(Mailbox).where(Mailbox.connection_id == connection.id, Mailbox.state == "sign_in_needed")
    for mailbox in session.scalars(waiting.with_for_update()):
        let_run(mailbox, now)
    return connection


def let_run(mailbox: Mailbox, now: datetime) -> None:
    """Let a mailbox be read again: due at once, and nothing held against it. What was paused stays so."""
    mailbox.state = "connected" if mailbox.paused_at is None else "paused"
    mailbox.next_due_at, mailbox.fail_count = now, 0
    mailbox.last_error = mailbox.last_error_code = None


def end_grant(session: AnySession, connection_id: int, *, of: int) -> None:
    """Within a transaction: destroy the token pair that mailbox ``of`` was read with, unless another one still is."""
    if is_shared(session, connection_id, of=of):
        return
    connection = session.get_one(Connection, connection_id, populate_existing=True)
    connection.access_token = connection.refresh_token = connection.claims = None
    connection.is_dead, connection.error_code, connection.error_text = True, None, None
    # a refresh that is under way at Microsoft finds another version, and stores nothing
    connection.version += 1
    connection.refresh_owner = connection.refresh_until = None


def is_shared(session: AnySession, connection_id: int | None, *, of: int) -> bool:
    """Tell whether another mailbox than ``of`` is read with a grant."""
    others = select(Mailbox.id).where(Mailbox.connection_id == connection_id, Mailbox.id != of)
    return session.scalar(others.where(Mailbox.state.not_in(DISCONNECTED)).limit(1)) is not None


def _widen(session: AnySession, connection: Connection, asked: list[str]) -> bool:
    """Let the grant cover what this sign-in asked for, and what the other mailboxes need that it serves; tell if so."""
    served = select(Mailbox.access).where(Mailbox.connection_id == connection.id, Mailbox.state.not_in(DISCONNECTED))
    kinds = session.scalars(served.distinct()).all() if connection.id else []
    needed = [scope for kind in kinds for scope in SCOPES_OF.get(kind, ())]
    connection.scopes = list(dict.fromkeys([*asked, *needed]))
    return not set(connection.scopes) <= set(asked)
