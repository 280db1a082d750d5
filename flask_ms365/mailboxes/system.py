"""The team's mailboxes: added by an admin, and read by a sign-in or with the app's own permission.

A row is there before anybody signs in, and says so: the sign-in may be somebody else's work, on another day. One that
needs no sign-in is added only once it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import aliased

from flask_ms365.errors import GraphError, MailboxRefused, SignInFailed, TokenError
from flask_ms365.identity.problems import problem
from flask_ms365.identity.sign_in import Purpose, SignedIn, Started, Visitor
from flask_ms365.mailboxes.access import WAYS, checked_address, profile, refusal
from flask_ms365.mailboxes.connecting import Connecting
from flask_ms365.mailboxes.edit import clean_label, refuse_label
from flask_ms365.mailboxes.grants import SCOPES_OF, end_grant, let_run, store_grant
from flask_ms365.mailboxes.readers import Readers, readers_in
from flask_ms365.models import Connection, Mailbox, OAuthFlow, Reader, lock_version, write_transaction
from flask_ms365.settings.checks import ANY_TENANT
from flask_ms365.sync.lease import DISCONNECTED
from flask_ms365.words import Words

if TYPE_CHECKING:
    from flask_ms365.graph.types import User


@dataclass(kw_only=True)
class SystemMailboxes(Connecting):
    """The mailboxes of one app's team."""

    def find(self, mailbox_id: int) -> Mailbox | None:
        """Return a mailbox of the team."""
        found: Mailbox | None = self.session.scalar(_of_team().where(Mailbox.id == mailbox_id))
        return found

    def application_addresses(self) -> list[str]:
        """Return the addresses that are read with the app's own permission."""
        is_read = Mailbox.access == "application", Mailbox.state.not_in(DISCONNECTED)
        addresses = select(Mailbox.address).where(Mailbox.kind == "system", *is_read)
        return list(self.session.scalars(addresses.order_by(Mailbox.address)))

    def ways_in_use(self) -> set[str]:
        """Return each way in which a mailbox is read, of people and of the team."""
        return set(self.session.scalars(select(Mailbox.access).where(Mailbox.state.not_in(DISCONNECTED)).distinct()))

    def with_people(self, mailbox_id: int) -> tuple[Mailbox, str | None, bool, Readers] | None:
        """Return a mailbox of the team or of a person, the account that signed in for it last, whether it is read
        twice, and its readers. One statement.

        Twice: another mailbox here, of a person or the team, has the same address.
        """
        beside = aliased(Mailbox)
        same = func.lower(beside.address) == func.lower(Mailbox.address), beside.id != Mailbox.id
        is_read_twice = select(beside.id).where(*same, beside.state.not_in(DISCONNECTED)).exists()
        found = select(Mailbox, Connection.upn, is_read_twice, Reader.kind, Reader.subject).outerjoin(Connection)
        found = found.outerjoin(Reader, Reader.mailbox_id == Mailbox.id).where(Mailbox.id == mailbox_id)
        rows = self.session.execute(found).all()
        return (rows[0][0], rows[0][1], bool(rows[0][2]), readers_in(rows)) if rows else None

    def add(
        self, *, address: str, label: str, access: str, sync_from: datetime | None = None, actor: str | None
    ) -> int:
        """Add a mailbox and return its id; raise :exc:`MailboxRefused`.

        One whose mail was kept is taken up again. The app's own permission is tried before anything is stored.
        ``sync_from`` is from when on mail is read: None as the settings say, or as it was.
        """
        if access not in WAYS:
            raise MailboxRefused("access", Words("Choose how the mailbox is to be read."))
        try:
            address = checked_address(address)
        except ValueError as exc:
            raise MailboxRefused("address", exc.args[0]) from None
        self._refuse_known(address)
        owner = self._prove(address) if access == "application" else None
        with write_transaction(self.session):
            lock_version(self.session)  # one admin at a time
            mailbox = self._refuse_known(address, *_names(owner)) or self._new(address)
            label = clean_label(label)
            refuse_label(self.session, label, beside=mailbox.id)
            mailbox.label, mailbox.access = label or None, access
            mailbox.sync_from = sync_from or mailbox.sync_from
            mailbox.state = "sign_in_needed"
            if access == "application":
                mailbox.connection_id = None
                self._let_run(mailbox, owner, actor=actor)
            else:
                self._record("mailbox.added", mailbox, actor)
            mailbox_id = mailbox.id
        if access == "application":
            self._tell(mailbox_id)
        return mailbox_id

    def connect_application(self, mailbox: Mailbox, *, actor: str | None) -> None:
        """Read a mailbox with the app's own permission, and let it run again; raise :exc:`MailboxRefused`."""
        mailbox_id, owner = mailbox.id, self._prove(mailbox.address)
        with write_transaction(self.session):
            mailbox = self.session.get_one(Mailbox, mailbox_id, with_for_update=True, populate_existing=True)
            if mailbox.state == "deleting":
                raise MailboxRefused("address", Words("The mail of this mailbox is being deleted."))
            self._let_run(mailbox, owner, actor=actor)
        self._tell(mailbox_id)

    def begin(self, mailbox: Mailbox, *, access: str, user_id: str, redirect_uri: str) -> Started:
        """Begin the sign-in of ``user_id`` for a mailbox; raise NotConfigured or NoEncryptionKey.

        Whoever signs in for a shared mailbox chooses the account: any that has full access will do.
        """
        connection = self.session.get(Connection, mailbox.connection_id) if mailbox.connection_id else None
        return self.sign_in.begin(
            self.registration(),
            purpose=Purpose.SYSTEM,
            user_id=user_id,
            redirect_uri=redirect_uri,
            scopes=SCOPES_OF[access],
            mailbox_id=mailbox.id,
            login_hint=(mailbox.upn or mailbox.address) if access == "sign_in" else "",
            claims=(connection.claims or "") if connection else "",
        )

    def finish(self, flow: OAuthFlow, args: Mapping[str, list[str]], visitor: Visitor) -> None:
        """Finish a sign-in and connect the mailbox that it was for; raise :exc:`SignInFailed`."""
        signed_in = self._signed_in(flow, args, visitor)
        address = self.session.scalar(select(Mailbox.address).where(Mailbox.id == flow.mailbox_id))
        self.session.commit()  # no transaction is open while Graph is asked
        if address is None:
            raise problem("gone")
        access = "shared" if flow.scopes == list(SCOPES_OF["shared"]) else "sign_in"
        look = self._look_as_delegate if access == "shared" else self._look_at_own
        try:
            owner = look(signed_in, address)
        except GraphError as exc:
            message, step = refusal(exc, access, address)
            raise SignInFailed("mailbox", message, next_step=step, code=exc.code, trace=exc.request_id) from None
        self._tell(self._store(signed_in, access, owner))

    def _look_at_own(self, signed_in: SignedIn, address: str) -> User | None:
        """Read the inbox of the account that signed in, if it is the mailbox's."""
        graph, account = self.clients.with_token(signed_in.tokens.access_token), signed_in.identity.upn or ""
        owner = profile(graph)
        if owner is not None and owner.id != signed_in.identity.oid:
            raise SignInFailed("mailbox", Words("Microsoft Graph answered for another account."))
        if address.lower() not in {account.lower(), *_names(owner)}:
            raise SignInFailed(
                "account",
                Words("You signed in as %(account)s, and that is not %(address)s.", account=account, address=address),
                next_step=Words(
                    "Sign in with the account of this mailbox. If yours has full access to it, read it as a shared one."
                ),
            )
        graph.probe()
        return owner

    def _look_as_delegate(self, signed_in: SignedIn, address: str) -> User | None:
        """Read the inbox of ``address`` with the token of whoever signed in."""
        graph = self.clients.with_token(signed_in.tokens.access_token, name=address)
        graph.probe()
        return profile(graph)

    def _prove(self, address: str) -> User | None:
        """Read an inbox with the app's own permission; raise :exc:`MailboxRefused`."""
        tenant = self.registration().tenant
        if tenant in ANY_TENANT:
            raise MailboxRefused(
                "access",
                Words("The app's own permission is for one tenant, and the settings say %(tenant)s.", tenant=tenant),
                next_step=Words("Enter your Directory (Tenant) ID on the settings page."),
            )
        self.session.commit()  # no transaction is open while Microsoft is asked
        graph = self.clients.application(address)
        try:
            graph.probe()
            return profile(graph)
        except GraphError as exc:
            message, step = refusal(exc, "application", address)
            raise MailboxRefused("address", message, next_step=step, code=exc.code, trace=exc.request_id) from None
        except TokenError as exc:
            raise MailboxRefused("access", exc.words, code=exc.code, trace=exc.trace) from None

    def _store(self, signed_in: SignedIn, access: str, owner: User | None) -> int:
        """Store grant, mailbox and outcome in one transaction; return the mailbox's id."""
        with write_transaction(self.session):
            flow = self.session.get(OAuthFlow, signed_in.flow.id)
            if flow is None or flow.mailbox_id is None:  # somebody has disconnected the mailbox meanwhile
                raise problem("gone")
            connection = store_grant(self.session, self.keyring, signed_in, now=self.clock())
            mailbox = self.session.get_one(Mailbox, flow.mailbox_id, with_for_update=True, populate_existing=True)
            if mailbox.state == "deleting":
                raise problem("gone")
            if self._same(*_names(owner), beside=mailbox.id):
                raise SignInFailed("mailbox", Words("This account's mailbox is among the team's already."))
            before, mailbox.connection_id, mailbox.access = mailbox.connection_id, connection.id, access
            self._let_run(mailbox, owner, actor=flow.user_id)
            if before is not None and before != connection.id:
                end_grant(self.session, before, of=mailbox.id)
            flow.problem, flow.code_verifier = {}, None
            return mailbox.id

    def _let_run(self, mailbox: Mailbox, owner: User | None, *, actor: str | None) -> None:
        """Within a transaction: a mailbox was read, as ``owner`` describes it, and goes on."""
        if owner is not None:
            mailbox.address = owner.mail or mailbox.address
            mailbox.upn = owner.user_principal_name
        let_run(mailbox, self.clock())
        self._record("mailbox.connected", mailbox, actor)

    def _refuse_known(self, *names: str) -> Mailbox | None:
        """Return the mailbox whose mail was kept, if it has one of these names; refuse one that is there."""
        known = self._same(*names)
        if known is not None and known.state != "disconnected":
            raise MailboxRefused("address", Words("%(address)s is there already.", address=known.address))
        return known

    def _same(self, *names: str, beside: int = 0) -> Mailbox | None:
        """Return another mailbox of the team that has one of these names."""
        wanted = {name.lower() for name in names}
        has_name = or_(func.lower(Mailbox.address).in_(wanted), func.lower(Mailbox.upn).in_(wanted))
        others = _of_team().where(has_name, Mailbox.id != beside, Mailbox.state != "deleting")
        found: Mailbox | None = self.session.scalars(others.order_by(Mailbox.id)).first()
        return found

    def _new(self, address: str) -> Mailbox:
        now = self.clock()
        mailbox = Mailbox(kind="system", address=address, created_at=now, next_due_at=now)
        self.session.add(mailbox)
        self.session.flush()
        return mailbox


def _of_team() -> Select[Any]:
    return select(Mailbox).where(Mailbox.kind == "system")


def _names(owner: User | None) -> set[str]:
    return owner.addresses if owner else set()
