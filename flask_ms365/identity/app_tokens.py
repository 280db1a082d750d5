"""Tokens of the app itself, for mailboxes that nobody signs in for. They live in this process's memory alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from flask_ms365.identity import token_endpoint
from flask_ms365.identity.circuit import Circuits
from flask_ms365.identity.claims import checked_claims
from flask_ms365.identity.registration import AppRegistration

_EARLY = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class _Token:
    value: str = field(repr=False)
    renew_at: datetime


class AppTokens:
    """The app-only tokens of one process, one for each generation of the settings."""

    def __init__(self, *, circuits: Circuits, clock: Callable[[], datetime]) -> None:
        self._circuits = circuits
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str], _Token] = {}

    def token(self, registration: AppRegistration, rejected: str | None = None, claims: str = "") -> str:
        """Return a good token; ``rejected`` is one that Graph refused, ``claims`` what a new one must carry.

        Raise a :exc:`TokenError`.
        """
        key = registration.fingerprint, registration.credential_fingerprint
        with self._lock:  # one request at a time: who waits finds what the first one got
            token = self._tokens.get(key)
            if token is None or token.value == rejected or token.renew_at <= self._clock():
                token = self._tokens[key] = self._ask(registration, claims)
            return token.value

    def begin_anew(self) -> None:
        """In a process that was forked: the lock may have been held by a thread that was not."""
        self._lock = threading.Lock()

    def _ask(self, registration: AppRegistration, claims: str) -> _Token:
        pair = self._circuits.ask(
            registration, lambda: token_endpoint.app_only(registration, claims=checked_claims(claims))
        )
        seconds = timedelta(seconds=pair.expires_in)
        early = min(_EARLY * random.uniform(1, 1.5), seconds / 2)  # not all processes at once
        return _Token(value=pair.access_token, renew_at=self._clock() + seconds - early)
