"""Disconnect a mailbox: its tokens are destroyed here. The grant at Microsoft can only be ended there, by people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from flask import Flask
from sqlalchemy import and_, delete, func, or_, select

from flask_ms365 import audit, signals
from flask_ms365.identity.sign_in import Purpose
from flask_ms365.mailboxes.deletion import Deletion
from flask_ms365.mailboxes.grants import end_grant, is_shared
from flask_ms365.models import Connection, Mailbox, Message, OAuthFlow, write_transaction
from flask_ms365.models.base import AnySession, after_commit, rows_changed
from flask_ms365.sync.lease import DISCONNECTED, take_away

_A_MOMENT = 2.0  # seconds that somebody waits for a page


@dataclass(frozen=True, kw_only=True)
class Prospect:
    """A mailbox that somebody may disconnect, and what there is to lose.

    ``authority`` is where its grant was given, empty where it is read without one; ``is_shared`` tells that other
    mailboxes are read with the same grant. ``error`` says why its mail could not be deleted.
    """

    mailbox_id: int
    address: str
    access: str
    state: str
    message_count: int
    authority: str
    is_shared: bool
    error: str


@dataclass(kw_only=True)
class Disconnect:
    """Disconnects the mailboxes of one app."""

    app: Flask
    session: AnySession
    clock: Callable[[], datetime]
    deletion: Deletion

    def disconnect(self, mailbox_id: int, *, keep_mail: bool, actor: str | None) -> None:
        """Disconnect a mailbox; a sync under way writes nothing more.

        With ``keep_mail`` the mail stays readable, and the same account may go on with it. Without, its mail begins to
        be deleted: as much as takes a moment at once, the rest at each tick. What is deleted already does not come
        back, whatever is asked for then.
        """
        with write_transaction(self.session):
            self.end(mailbox_id, keep_mail=keep_mail, actor=actor)
        if not keep_mail:
            self.deletion.go_on(mailbox_id, seconds=_A_MOMENT)

    def end(self, mailbox_id: int, *, keep_mail: bool, actor: str | None) -> None:
        """Within a transaction: end what lets a mailbox be read, unless that was done before."""
        has_ended = DISCONNECTED if keep_mail else ("deleting",)
        mailbox = self._locked(mailbox_id)
        if mailbox is not None and mailbox.state not in has_ended:
            self._end(mailbox, keep_mail=keep_mail, actor=actor)

    def look_at(self, mailbox_id: int, *, owner_id: str | None) -> Prospect | None:
        """Return what there is to lose, or None where ``owner_id`` has no such mailbox; None is the team."""
        is_theirs = Mailbox.kind == "system"
        if owner_id is not None:
            is_theirs = and_(Mailbox.kind == "user", Mailbox.owner_id == owner_id)
        mailbox = self.session.scalar(select(Mailbox).where(Mailbox.id == mailbox_id, is_theirs))
        if mailbox is None:
            return None
        authority = select(Connection.authority).where(Connection.id == mailbox.connection_id)
        messages = select(func.count()).where(Message.mailbox_id == mailbox_id, Message.removed_at.is_(None))
        return Prospect(
            mailbox_id=mailbox_id,
            address=mailbox.address,
            access=mailbox.access,
            state=mailbox.state,
            message_count=self.session.scalar(messages) or 0,
            authority=self.session.scalar(authority) or "",
            is_shared=is_shared(self.session, mailbox.connection_id, of=mailbox.id),
            error=mailbox.last_error or "",
        )

    def _locked(self, mailbox_id: int) -> Mailbox | None:
        """Lock the connection and then the mailbox: a sign-in that ends does it in the same order."""
        connection_id = select(Mailbox.connection_id).where(Mailbox.id == mailbox_id).scalar_subquery()
        self.session.execute(select(Connection.id).where(Connection.id == connection_id).with_for_update())
        return self.session.get(Mailbox, mailbox_id, with_for_update=True, populate_existing=True)

    def _end(self, mailbox: Mailbox, *, keep_mail: bool, actor: str | None) -> None:
        events = [] if mailbox.state in DISCONNECTED else ["mailbox.disconnected"]
        events += [] if keep_mail else ["mailbox.mail_deleted"]
        self._forget_flows(mailbox)
        if mailbox.connection_id is not None:
            end_grant(self.session, mailbox.connection_id, of=mailbox.id)
        take_away(
            self.session,
            mailbox.id,
            state="disconnected" if keep_mail else "deleting",
            next_due_at=self.clock(),
            paused_at=None,
            paused_by=None,
            fail_count=0,
            last_error=None,
            last_error_code=None,
        )
        for event in events:
            audit.record(
                self.session, event, at=self.clock(), actor=actor, target=mailbox.address, mailbox_id=mailbox.id
            )
        tell = partial(signals.mailbox_disconnected.send, self.app, mailbox_id=mailbox.id, keep_mail=keep_mail)
        after_commit(self.session, tell)

    def _forget_flows(self, mailbox: Mailbox) -> None:
        """A sign-in under way would connect it again."""
        is_for_it = OAuthFlow.mailbox_id == mailbox.id
        if mailbox.kind == "user":  # one that began before there was a mailbox names none
            by_owner = and_(OAuthFlow.purpose == str(Purpose.OWN), OAuthFlow.user_id == mailbox.owner_id)
            is_for_it = or_(is_for_it, by_owner)
        gone = delete(OAuthFlow).where(is_for_it, OAuthFlow.problem.is_(None))
        rows_changed(self.session, gone)
