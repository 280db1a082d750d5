"""Tell the host in time that its credential expires: by a signal, once for each threshold, from any process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from flask import Flask

from flask_ms365 import signals
from flask_ms365.errors import EncryptionError
from flask_ms365.identity.certificate import read_certificate
from flask_ms365.identity.credentials import FederatedToken
from flask_ms365.models.base import AnySession
from flask_ms365.settings.expiry import Expiry, expiry
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.told import tell


def credential_expiry(snapshot: Snapshot, now: datetime) -> Expiry | None:
    """Return how long the credential in use has; None where there is none, or nobody said when it ends."""
    kind = snapshot.credential_kind
    if not snapshot.has_credential:
        return None
    if kind == "federated":
        return _stale(FederatedToken(snapshot.deployment.token_file), now)
    ends = (
        _certificate_ends(snapshot) if kind == "certificate" else snapshot.effective("client_secret_expires_on").value
    )
    return expiry(ends, now.date(), kind=kind) if isinstance(ends, date) else None


def _certificate_ends(snapshot: Snapshot) -> date | None:
    """Return its last day, which nobody has to type."""
    try:
        return read_certificate(snapshot.text("client_certificate")).expires_on
    except EncryptionError:  # told elsewhere
        return None


def _stale(token: FederatedToken, now: datetime) -> Expiry | None:
    ended = token.valid_until
    return expiry(ended.date(), now.date(), kind="federated") if ended and ended <= now else None


@dataclass(kw_only=True)
class Reminder:
    """Reminds one app. Asked at each tick, it costs nothing while nothing is due."""

    app: Flask
    session: AnySession
    clock: Callable[[], datetime]
    # the last subject that this process knows to be told
    _told: str = field(default="", init=False)

    def remind(self, snapshot: Snapshot) -> None:
        """Send the signal if a threshold was passed that nobody was told of."""
        now = self.clock()
        due = credential_expiry(snapshot, now)
        if due is None or due.threshold is None or due.subject == self._told:
            return
        is_first, self._told = tell(self.session, due.subject, at=now), due.subject
        if is_first:
            signals.secret_expiring.send(self.app, days_left=due.days_left, expires_on=due.expires_on)
