"""Connect a person's own mailbox: begin a sign-in, finish it, and keep what came of it.

Nothing is stored unless the sign-in passed every check and Graph let us read the inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from flask_ms365.errors import GraphError, SignInFailed
from flask_ms365.identity.problems import problem
from flask_ms365.identity.scopes import missing_scopes
from flask_ms365.identity.sign_in import Purpose, SignedIn, Started, Visitor
from flask_ms365.mailboxes.access import profile
from flask_ms365.mailboxes.connecting import Connecting
from flask_ms365.mailboxes.grants import let_run, store_grant
from flask_ms365.models import Connection, Mailbox, OAuthFlow, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.words import Words

if TYPE_CHECKING:
    from flask_ms365.graph.types import User


@dataclass(kw_only=True)
class Connect(Connecting):
    """Connects the mailboxes of one app's users."""

    # within a transaction: disconnects a mailbox of a user whose place another account's takes, and keeps its mail
    let_go: Callable[[int, str], None]

    def begin(self, *, user_id: str, redirect_uri: str, instead: OAuthFlow | None = None) -> Started:
        """Begin the sign-in of ``user_id`` for their own mailbox; raise NotConfigured or NoEncryptionKey.

        ``instead`` is a sign-in that ended with another account than the mailbox's: that one is to take its place. One
        that ended in another way says nothing.
        """
        mailbox = own_mailbox(self.session, user_id)
        connection = self.session.get(Connection, mailbox.connection_id) if mailbox and mailbox.connection_id else None
        return self.sign_in.begin(
            self.registration(),
            purpose=Purpose.OWN,
            user_id=user_id,
            redirect_uri=redirect_uri,
            mailbox_id=mailbox.id if mailbox else None,
            **_asked_of(connection, instead),
        )

    def finish(self, flow: OAuthFlow, args: Mapping[str, list[str]], visitor: Visitor) -> None:
        """Finish a sign-in and connect the mailbox; raise :exc:`SignInFailed`."""
        signed_in = self._signed_in(flow, args, visitor)
        former = self._check_account(signed_in)
        self._tell(self._store(signed_in, self._probe(signed_in), former))

    def _check_account(self, signed_in: SignedIn) -> int | None:
        """Notice another account than the mailbox's; return the mailbox whose place a chosen one takes."""
        flow, identity = signed_in.flow, signed_in.identity
        seen = (*identity.account, identity.upn or identity.name or "")
        if flow.expected and tuple(flow.expected) != identity.account:
            message = Words("You signed in as %(account)s, and that is not whom you chose.", account=seen[2])
            raise SignInFailed("account", message, next_step=Words("Nothing was changed. Try again."))
        mailbox = own_mailbox(self.session, flow.user_id)
        connection = self.session.get(Connection, mailbox.connection_id) if mailbox else None
        self.session.commit()
        if mailbox is None or connection is None or (connection.tid, connection.oid) == identity.account:
            return None
        if flow.expected:
            return mailbox.id
        owner = mailbox.address
        message = Words("You signed in as %(account)s, but your mailbox is %(owner)s.", account=seen[2], owner=owner)
        next_step = Words("Nothing was changed. Which one is it to be?")
        raise SignInFailed("account", message, next_step=next_step, seen=seen)

    def _probe(self, signed_in: SignedIn) -> User | None:
        """Read the inbox once, before anything is stored; return whose it is, where we may know."""
        graph = self.clients.with_token(signed_in.tokens.access_token)
        self.session.commit()  # no transaction is open while Graph is asked
        try:
            user = profile(graph)
            graph.probe()
        except GraphError as exc:
            raise SignInFailed(
                "mailbox",
                Words("The sign-in worked, but this account's mail cannot be read."),
                next_step=Words("Is there an Exchange Online mailbox? Ask the Microsoft 365 admin."),
                code=exc.code,
                trace=exc.request_id,
            ) from None
        if user is not None and user.id != signed_in.identity.oid:
            message = Words("Microsoft Graph answered for another account.")
            raise SignInFailed("account", message, next_step=Words("Try again."))
        return user

    def _store(self, signed_in: SignedIn, owner: User | None, former: int | None) -> int:
        """Store grant, mailbox and outcome in one transaction; return the mailbox's id."""
        with write_transaction(self.session):
            flow = self.session.get(OAuthFlow, signed_in.flow.id)
            if flow is None:  # somebody has disconnected the mailbox meanwhile
                raise problem("gone")
            connection = store_grant(self.session, self.keyring, signed_in, now=self.clock())
            mailbox = self._store_mailbox(connection, owner)
            flow.problem, flow.code_verifier, flow.mailbox_id = {}, None, mailbox.id
            self._record("mailbox.connected", mailbox, flow.user_id)
            if former is not None:
                # this sign-in has ended, as is written by now, and is not given up with those under way
                self.let_go(former, flow.user_id)
            return mailbox.id

    def _store_mailbox(self, connection: Connection, owner: User | None) -> Mailbox:
        """Return the user's mailbox of this account, connected and due now."""
        mailbox = own_mailbox(self.session, connection.user_id, connection_id=connection.id)
        account = connection.upn or ""
        if mailbox is None:
            mailbox = Mailbox(kind="user", owner_id=connection.user_id, address=account, created_at=self.clock())
            mailbox.connection_id = connection.id
            self.session.add(mailbox)
        if owner is not None:
            mailbox.address, mailbox.upn = owner.mail or owner.user_principal_name or account, owner.user_principal_name
        let_run(mailbox, self.clock())
        self.session.flush()
        return mailbox


def _asked_of(connection: Connection | None, instead: OAuthFlow | None) -> dict[str, Any]:
    """Return whom Microsoft is to sign in, as far as that is known, and what it wants to see of them."""
    seen = instead.problem.get("seen") if instead and instead.problem else None
    if seen:
        tid, oid, upn = seen
        return {"expected": (tid, oid), "login_hint": upn}
    if connection is None:
        return {}
    return {"login_hint": connection.upn or "", "claims": connection.claims or ""}


def left_out(session: AnySession, mailbox: Mailbox) -> list[str]:
    """Return the permissions that were asked for, and not granted, when the account of ``mailbox`` signed in."""
    connection = session.get(Connection, mailbox.connection_id) if mailbox.connection_id else None
    return missing_scopes(tuple(connection.granted_scopes), connection.scopes) if connection else []


def own_mailbox(session: AnySession, user_id: str, *, connection_id: int | None = None) -> Mailbox | None:
    """Return a person's own mailbox: the one that is connected, or that of one account, also if only its mail is kept.

    One whose mail is being deleted is none any more.
    """
    mine = select(Mailbox).where(Mailbox.kind == "user", Mailbox.owner_id == user_id)
    if connection_id is None:
        mine = mine.where(Mailbox.state.not_in(DISCONNECTED))
    else:
        mine = mine.where(Mailbox.state != "deleting", Mailbox.connection_id == connection_id)
    return session.scalars(mine.order_by(Mailbox.id.desc()).limit(1)).one_or_none()
