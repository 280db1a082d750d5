"""Access tokens that are good now. Any number of processes may ask at once; one of them refreshes.

The request to Microsoft happens outside any transaction, under a short lease in the connection's row. The rotated
refresh token is stored by the statement that ends the lease, so that it cannot be lost between two writes.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, or_, select, update
from sqlalchemy.sql import Update

from flask_ms365.crypto import Keyring
from flask_ms365.errors import AppRefused, SignInNeeded, TokenError, TokenUnavailable
from flask_ms365.identity import token_endpoint
from flask_ms365.identity.circuit import Circuits
from flask_ms365.identity.claims import checked_claims
from flask_ms365.identity.clouds import is_same_service
from flask_ms365.identity.id_token import is_for_account
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.identity.token_endpoint import TokenPair
from flask_ms365.models import Connection, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.words import Words

_log = logging.getLogger(__name__)

_EARLY = timedelta(minutes=5)
_LEASE = timedelta(seconds=90)  # longer than the token endpoint may take, asked with one secret and then the other
_POLL, _POLLS = 0.1, 50

# neither an account's tokens nor today's credential may go to the other place
FOREIGN_CLOUD = Words("This mailbox was connected in another Microsoft cloud than the settings name now.")

# user_id, tid, oid: what a stored token belongs to
Grant = tuple[str, str, str]


class Tokens:
    """The token pairs of one app's connections."""

    def __init__(
        self,
        *,
        session: AnySession,
        keyring: Keyring,
        note_key: Callable[[], None],
        circuits: Circuits,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._keyring = keyring
        self._note_key = note_key
        self._circuits = circuits
        self._clock = clock
        self._pause = threading.Event().wait

    def access_token(
        self,
        connection_id: int,
        registration: Callable[[], AppRegistration],
        *,
        rejected: str | None = None,
        claims: str = "",
    ) -> str:
        """Return a good access token, refreshed if need be.

        ``rejected`` is one that Graph refused although it looked good, ``claims`` what it must carry instead. Raise
        :exc:`SignInNeeded`, :exc:`AppRefused`, :exc:`TokenUnavailable` or an :exc:`EncryptionError`.
        """
        for _ in range(_POLLS):
            connection = self._read(connection_id)
            token = self._open(connection, "access_token")
            if token != rejected and self.is_held(connection):
                return token
            serves = token != rejected and connection.expires_at > self._clock()
            try:
                renewed = self._renewed(connection, registration, claims)
            except (AppRefused, TokenUnavailable):
                if not serves:
                    raise
                return token  # renewed early; nothing is lost yet
            if renewed is not None:
                return renewed
            if serves:
                return token  # somebody else is refreshing; this one still serves
            self._pause(_POLL)
        raise TokenUnavailable(Words("Another worker is renewing this sign-in. Trying again soon."))

    def is_held(self, connection: Any) -> bool:
        """Tell whether a row holds a token that is good for a while."""
        return not connection.is_dead and connection.expires_at - self._clock() > _early(connection)

    def held(self, connection: Any) -> str:
        """Return the token that a row holds; raise an :exc:`EncryptionError`."""
        return self._open(connection, "access_token")

    def renew(self, connection_id: int, registration: Callable[[], AppRegistration], *, before: datetime) -> None:
        """Renew a pair that is as old as ``before``, unless somebody else does or did; raise as ``access_token`` does.

        A refresh token lives for 90 days and begins anew with each use, so an idle one must be used now and then.
        """
        connection = self._read(connection_id)
        if connection.renewed_at <= before:
            self._renewed(connection, registration, "")

    def _renewed(self, connection: Row[Any], registration: Callable[[], AppRegistration], claims: str) -> str | None:
        """Return a new access token; None where somebody else has the lease."""
        # all that may fail or read comes first: under the lease there is only the request, in no transaction
        app, refresh_token = registration(), self._open(connection, "refresh_token")
        if not is_same_service(connection.authority, app.authority):
            raise AppRefused(FOREIGN_CLOUD)
        owner = secrets.token_hex(16)
        self._note_key()
        if not self._take_lease(connection, owner):
            return None
        # the tenant where the grant was given, not the one that the settings name today
        there = replace(app, tenant=connection.tid)
        return self._refresh(
            connection,
            owner,
            lambda: self._circuits.ask(there, lambda: _refreshed(connection, there, refresh_token, claims)),
        )

    def _read(self, connection_id: int) -> Row[Any]:
        row = self._session.execute(select(Connection.__table__).where(Connection.id == connection_id)).one_or_none()
        self._session.commit()  # no transaction is open while Microsoft is asked
        if row is None or row.is_dead:
            raise SignInNeeded(code=(row.error_code or "") if row else "")
        return row

    def _take_lease(self, connection: Row[Any], owner: str) -> bool:
        now = self._clock()
        is_free = or_(Connection.refresh_until.is_(None), Connection.refresh_until < now)
        return self._write(
            _update(connection, connection.version)
            .where(is_free)
            .values(refresh_owner=owner, refresh_until=now + _LEASE)
        )

    def _refresh(self, connection: Row[Any], owner: str, request: Callable[[], TokenPair]) -> str:
        seen = connection.version
        try:
            pair = request()
        except SignInNeeded as exc:
            return self._after_refusal(connection, owner, exc)
        except TokenError:
            self._write(_update(connection, seen, owner).values(refresh_owner=None, refresh_until=None))
            raise
        ended = _update(connection, seen, owner).values(
            **seal_pair(self._keyring, pair, grant=_grant(connection), now=self._clock()),
            version=seen + 1,
            refresh_owner=None,
            refresh_until=None,
        )
        if not self._write(ended):
            _log.info("token.late", extra={"event": "token.late", "connection_id": connection.id})
        return pair.access_token

    def _after_refusal(self, connection: Row[Any], owner: str, refusal: SignInNeeded) -> str:
        """Let the grant count as dead, unless somebody has stored a newer pair meanwhile: then that one serves."""
        dead = _update(connection, connection.version, owner).values(
            is_dead=True,
            error_code=refusal.code or refusal.error,
            error_text=str(refusal),
            claims=refusal.claims or None,
            refresh_owner=None,
            refresh_until=None,
        )
        if self._write(dead):
            raise refusal
        return self._open(self._read(connection.id), "access_token")

    def _open(self, connection: Any, name: str) -> str:
        return self._keyring.open(getattr(connection, name) or "", _context(_grant(connection), name))

    def _write(self, statement: Update) -> bool:
        with write_transaction(self._session):
            return rows_changed(self._session, statement) == 1


def _early(connection: Any) -> timedelta:
    """Return how long before its end a token is renewed: not all that were given together at the same moment."""
    later: int = connection.id % 16
    return _EARLY * (1 + later / 16)


def _refreshed(connection: Row[Any], registration: AppRegistration, refresh_token: str, claims: str) -> TokenPair:
    """Return a new pair for the same account; one for another is worth nothing, and the old one is kept."""
    pair = token_endpoint.refresh(
        registration, refresh_token=refresh_token, scopes=connection.scopes, claims=checked_claims(claims)
    )
    if pair.id_token and not is_for_account(pair.id_token, (connection.tid, connection.oid), registration):
        _log.error("token.other_account", extra={"event": "token.other_account", "connection_id": connection.id})
        raise TokenUnavailable(Words("Microsoft's sign-in service answered for another account."))
    return pair


def seal_pair(keyring: Keyring, pair: TokenPair, *, grant: Grant, now: datetime) -> dict[str, Any]:
    """Return the columns of :class:`Connection` that a new token pair of ``grant`` fills."""
    return {
        "access_token": keyring.seal(pair.access_token, _context(grant, "access_token")),
        "refresh_token": keyring.seal(pair.refresh_token, _context(grant, "refresh_token")),
        "expires_at": now + timedelta(seconds=pair.expires_in),
        "renewed_at": now,
        "granted_scopes": list(pair.scopes),
    }


def _update(connection: Row[Any], version: int, owner: str | None = None) -> Update:
    statement = update(Connection).where(Connection.id == connection.id, Connection.version == version)
    return statement if owner is None else statement.where(Connection.refresh_owner == owner)


def _grant(connection: Any) -> Grant:
    return connection.user_id, connection.tid, connection.oid


def _context(grant: Grant, name: str) -> str:
    return f"ms365_connection:{'/'.join(grant)}:{name}"
