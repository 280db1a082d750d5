"""One circuit for a whole app: once Microsoft refuses the app itself, or is too busy, nobody asks for tokens.

Without it every mailbox would find out for itself, again and again. A row keeps it, so that all processes know; its id
holds the credential, so that corrected settings begin with a closed circuit.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, delete, select, update
from sqlalchemy.exc import IntegrityError

from flask_ms365.errors import AppRefused, TokenError, TokenUnavailable
from flask_ms365.identity.registration import AppRegistration
from flask_ms365.models import Circuit, write_transaction
from flask_ms365.models.base import AnySession
from flask_ms365.waiting import backoff
from flask_ms365.words import as_json, from_json

_log = logging.getLogger(__name__)

T = TypeVar("T")

_BASE, _CAP = 60.0, 3600.0  # seconds before the first and at most before a later attempt
_ATTEMPT = timedelta(seconds=90)  # as long as one attempt may take
_FORGOTTEN = timedelta(days=7)


class Circuits:
    """The circuits of one app's token requests. ``opened`` is called once for each that opens."""

    def __init__(
        self, *, session: AnySession, clock: Callable[[], datetime], opened: Callable[[TokenError], None]
    ) -> None:
        self._session = session
        self._clock = clock
        self._opened = opened

    def ask(self, registration: AppRegistration, request: Callable[[], T]) -> T:
        """Return what ``request`` returns; while the circuit is open, raise what opened it and ask nobody.

        After a while one caller may try: its success closes the circuit.
        """
        circuit_id = _id(registration)
        was_open = self._pass(circuit_id)
        try:
            answer = request()
        except TokenError as exc:
            if _concerns_all(exc):
                self._open(circuit_id, exc)
            raise
        if was_open:
            self._execute(delete(Circuit).where(Circuit.id == circuit_id))
        return answer

    def _pass(self, circuit_id: str) -> bool:
        """Return whether the circuit is open and this caller may try; raise where it may not."""
        row = self._session.execute(select(Circuit.__table__).where(Circuit.id == circuit_id)).one_or_none()
        self._session.commit()  # no transaction is open while Microsoft is asked
        if row is None:
            return False
        now = self._clock()
        if row.retry_at > now:
            raise _held(row, (row.retry_at - now).total_seconds())
        mine = update(Circuit).where(Circuit.id == circuit_id, Circuit.retry_at == row.retry_at)
        if not self._execute(mine.values(retry_at=now + _ATTEMPT)):
            raise _held(row, _ATTEMPT.total_seconds())
        return True

    def _open(self, circuit_id: str, error: TokenError) -> None:
        now = self._clock()
        fails = select(Circuit.fail_count).where(Circuit.id == circuit_id)
        with write_transaction(self._session):
            fail_count = self._session.scalar(fails) or 0
            wait = error.retry_after if error.retry_after is not None else backoff(fail_count, base=_BASE, cap=_CAP)
            values = {
                "reason": "refused" if isinstance(error, AppRefused) else "busy",
                "retry_at": now + timedelta(seconds=wait),
                "fail_count": fail_count + 1,
                "error": {"text": as_json(error.words), "error": error.error, "code": error.code, "trace": error.trace},
            }
            is_new = not fail_count and self._insert(Circuit(id=circuit_id, opened_at=now, **values))
            if fail_count:
                self._session.execute(update(Circuit).where(Circuit.id == circuit_id).values(values))
            self._session.execute(delete(Circuit).where(Circuit.retry_at < now - _FORGOTTEN))
        if is_new:
            _log.error("circuit.opened", extra={"event": "circuit.opened", "reason": values["reason"]})
            self._opened(error)

    def _insert(self, circuit: Circuit) -> bool:
        """Add the row; return False where another process was first."""
        try:
            with self._session.begin_nested():
                self._session.add(circuit)
        except IntegrityError:
            return False
        return True

    def _execute(self, statement: Any) -> bool:
        with write_transaction(self._session):
            result: Any = self._session.execute(statement.execution_options(synchronize_session=False))
        return bool(result.rowcount == 1)


def _concerns_all(error: TokenError) -> bool:
    """Tell whether other mailboxes would hear the same: the app was refused, or the service named a time to wait."""
    return not error.is_held and (isinstance(error, AppRefused) or error.retry_after is not None)


def _held(row: Row[Any], seconds: float) -> TokenError:
    kind = AppRefused if row.reason == "refused" else TokenUnavailable
    said = {name: row.error[name] for name in ("error", "code", "trace")}
    return kind(from_json(row.error["text"]), retry_after=seconds, is_held=True, **said)


def _id(registration: AppRegistration) -> str:
    credential = registration.credential.fingerprint if registration.credential else ""
    return hashlib.sha256(f"{registration.fingerprint}|{credential}".encode()).hexdigest()
