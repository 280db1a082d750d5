"""One circuit for a whole app: once Microsoft refuses the app itself, or is too busy, nobody asks for tokens.

Without it every mailbox would find out for itself, again and again. A row keeps it, so that all processes know; its id
is made of the credential and the tenant: corrected settings begin with a closed circuit.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import Delete, Update

from flask_ms365.errors import AppRefused, MS365Error, SignInNeeded, TokenError, TokenUnavailable
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.models import Circuit, write_transaction
from flask_ms365.models.base import AnySession, rows_changed
from flask_ms365.tally import Tally
from flask_ms365.waiting import backoff
from flask_ms365.words import Words, as_json, from_json

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BASE, _CAP = 60.0, 3600.0  # seconds before the first and at most before a later attempt
_ATTEMPT = timedelta(seconds=90)  # as long as one attempt may take
_FORGOTTEN = timedelta(days=7)


class Circuits:
    """The circuits of one app's token requests. ``opened`` is called once for each that opens."""

    def __init__(
        self,
        *,
        session: AnySession,
        clock: Callable[[], datetime],
        opened: Callable[[TokenError], None],
        tally: Tally,
    ) -> None:
        self._session = session
        self._clock = clock
        self._opened = opened
        self._tally = tally

    def ask(self, registration: AppRegistration, request: Callable[[], T]) -> T:
        """Return what ``request`` returns; while the circuit is open, raise what opened it and ask nobody.

        After a while one caller may try: its success closes the circuit.
        """
        circuit_id = _id(registration)
        was_open = self._pass(circuit_id)
        try:
            answer = request()
        except TokenError as exc:
            self._tally.add("token_refresh", _result(exc))
            if _concerns_all(exc):
                self._open(circuit_id, exc, was_open=was_open)
            elif was_open and isinstance(exc, SignInNeeded):  # one grant is dead, but the app was heard
                self._close(circuit_id)
            raise
        self._tally.add("token_refresh", "renewed")
        if was_open:
            self._close(circuit_id)
        return answer

    def what_holds(self, registration: Callable[[], AppRegistration]) -> TokenError | None:
        """Return why no tokens are asked for now, for those who tell people; None where they are.

        In several tenants it is the longest wait. Settings that cannot be read are told elsewhere.
        """
        rows = self._session.execute(select(Circuit.__table__).order_by(Circuit.retry_at.desc())).all()
        try:
            mine = _app_id(registration()) if rows else ""
        except MS365Error:
            return None
        return next((self._held(row) for row in rows if row.id.startswith(mine)), None)

    def _pass(self, circuit_id: str) -> bool:
        """Return whether the circuit is open and this caller may try; raise where it may not."""
        row = self._session.execute(select(Circuit.__table__).where(Circuit.id == circuit_id)).one_or_none()
        self._session.commit()  # no transaction is open while Microsoft is asked
        if row is None:
            return False
        now = self._clock()
        if row.retry_at > now:
            raise self._held(row)
        mine = update(Circuit).where(Circuit.id == circuit_id, Circuit.retry_at == row.retry_at)
        if not self._execute(mine.values(retry_at=now + _ATTEMPT)):
            raise self._held(row)
        return True

    def _held(self, row: Row[Any]) -> TokenError:
        """Return what ``row`` says, and how long to wait: until it is tried again, or has been."""
        seconds = (row.retry_at - self._clock()).total_seconds()
        kind = AppRefused if row.reason == "refused" else TokenUnavailable
        said = {name: row.error[name] for name in ("error", "code", "trace")}
        wait = seconds if seconds > 0 else _ATTEMPT.total_seconds()
        return kind(from_json(row.error["text"]), retry_after=wait, is_held=True, **said)

    def _open(self, circuit_id: str, error: TokenError, *, was_open: bool) -> None:
        """Open the circuit, or hold it open for longer; of many who find out at once only one is counted."""
        now = self._clock()
        with write_transaction(self._session):
            fails = select(Circuit.fail_count).where(Circuit.id == circuit_id)
            fail_count = (self._session.scalar(fails) or 0) if was_open else 0
            wait = max(error.retry_after or 0.0, backoff(fail_count, base=_BASE, cap=_CAP))
            values = {
                "reason": "refused" if isinstance(error, AppRefused) else "busy",
                "retry_at": now + timedelta(seconds=wait),
                "fail_count": fail_count + 1,
                "error": {"text": as_json(error.words), "error": error.error, "code": error.code, "trace": error.trace},
            }
            is_new = not was_open and self._insert(Circuit(id=circuit_id, opened_at=now, **values))
            if was_open:
                self._session.execute(update(Circuit).where(Circuit.id == circuit_id).values(values))
            self._session.execute(delete(Circuit).where(Circuit.retry_at < now - _FORGOTTEN))
        if is_new:
            _log.error("circuit.opened", extra={"event": "circuit.opened", "reason": values["reason"]})
            self._opened(error)

    def _close(self, circuit_id: str) -> None:
        self._execute(delete(Circuit).where(Circuit.id == circuit_id))

    def _insert(self, circuit: Circuit) -> bool:
        """Add the row; return False where another process was first."""
        try:
            with self._session.begin_nested():
                self._session.add(circuit)
        except IntegrityError:
            return False
        return True

    def _execute(self, statement: Update | Delete) -> bool:
        with write_transaction(self._session):
            return rows_changed(self._session, statement) == 1


def in_words(held: TokenError) -> Words:
    """Say what it means for all mailboxes that requests are held back."""
    if isinstance(held, AppRefused):
        return Words("Microsoft refuses this app, so no mailbox gets new tokens. %(why)s", why=held.words)
    return Words("Microsoft is busy and asked this app to wait with new tokens. %(why)s", why=held.words)


def _concerns_all(error: TokenError) -> bool:
    """Tell whether other mailboxes would hear the same: the app was refused, or was asked to wait."""
    return not error.is_held and (isinstance(error, AppRefused) or error.retry_after is not None)


def _result(error: TokenError) -> str:
    """Return how a request for tokens ended, as it is counted."""
    if isinstance(error, SignInNeeded):
        return "sign_in_needed"
    return "app_refused" if isinstance(error, AppRefused) else "unavailable"


def _id(registration: AppRegistration) -> str:
    """Return 64 characters: the app with its credential, then the tenant; one that threw the app out stops no other."""
    return _app_id(registration) + _hash(registration.tenant)


def _app_id(registration: AppRegistration) -> str:
    return _hash(f"{registration.authority}|{registration.client_id}|{registration.credential_fingerprint}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
