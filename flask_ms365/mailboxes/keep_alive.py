"""Keep idle connections alive. A refresh token lives for 90 days and begins anew with each use: a mailbox that is
paused, or an app whose sync is off, would lose its sign-in without anybody having ended it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask import Flask
from sqlalchemy import select, update

from flask_ms365 import signals
from flask_ms365.errors import EncryptionError, NotConfigured, SignInNeeded, TokenError
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.tokens import Tokens
from flask_ms365.models import Connection, Mailbox, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.sync.lease import DISCONNECTED

_log = logging.getLogger(__name__)

_IDLE = timedelta(days=7)
_AT_A_TICK = 20
_LATER = timedelta(hours=1)


@dataclass(kw_only=True)
class KeepAlive:
    """Renews the connections of one app that nobody has used for a week."""

    app: Flask
    session: AnySession
    tokens: Tokens
    registration: Callable[[], AppRegistration]
    clock: Callable[[], datetime]
    _rests_until: datetime | None = field(default=None, init=False)
    # the last that was tried: one that cannot be renewed stands in nobody's way
    _after: int = field(default=0, init=False)

    def chore(self) -> None:
        """Renew some of those that are due; one small statement where none is."""
        now = self.clock()
        if self._rests_until is not None and now < self._rests_until:
            return
        idle = select(Connection.id).where(Connection.is_dead.is_(False), Connection.renewed_at < now - _IDLE)
        next_ones = idle.where(Connection.id > self._after).order_by(Connection.id).limit(_AT_A_TICK)
        ids = self.session.scalars(next_ones).all()
        self.session.commit()
        if not ids:
            self._after = 0
        for connection_id in ids:
            self._after = connection_id
            try:
                self.tokens.renew(connection_id, self.registration, before=now - _IDLE)
            except SignInNeeded as exc:
                self._tell_ended(connection_id, exc)
            except (TokenError, EncryptionError, NotConfigured) as exc:
                _log.info("keep_alive.failed", extra={"event": "keep_alive.failed", "error": type(exc).__name__})
                self._rests_until = now + _LATER  # there are weeks left
                return

    def _tell_ended(self, connection_id: int, refusal: SignInNeeded) -> None:
        """Say on the mailboxes of a connection that its grant has ended; also on those that nobody syncs now."""
        concerned = select(Mailbox.id).where(
            Mailbox.connection_id == connection_id, Mailbox.state.not_in((*DISCONNECTED, "sign_in_needed"))
        )
        with write_transaction(self.session):
            ids = self.session.scalars(concerned).all()
            ended = (
                update(Mailbox)
                .where(Mailbox.id.in_(ids))
                .values(state="sign_in_needed", last_error=str(refusal), last_error_code=refusal.code or None)
            )
            rows_changed(self.session, ended)
        for mailbox_id in ids:
            signals.reconnect_needed.send(self.app, mailbox_id=mailbox_id, code=refusal.code)
