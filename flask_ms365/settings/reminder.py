"""Tell the host in time that the client secret expires: by a signal, once for each threshold, from any process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from flask import Flask

from flask_ms365 import signals
from flask_ms365.models.base import AnySession
from flask_ms365.settings.expiry import Expiry, expiry
from flask_ms365.settings.service import Settings
from flask_ms365.settings.snapshot import Snapshot
from flask_ms365.told import tell


def secret_expiry(snapshot: Snapshot, today: date) -> Expiry | None:
    """Return how long the client secret has; None where there is none, or nobody said when it ends."""
    expires_on = snapshot.effective("client_secret_expires_on").value
    if not isinstance(expires_on, date) or not snapshot.is_set("client_secret"):
        return None
    return expiry(expires_on, today)


@dataclass(kw_only=True)
class Reminder:
    """Reminds one app. Asked at each tick, it costs one small statement while nothing is due."""

    app: Flask
    session: AnySession
    settings: Settings
    clock: Callable[[], datetime]
    # the last subject that this process knows to be told
    _told: str = field(default="", init=False)

    def remind(self) -> None:
        """Send the signal if a threshold was passed that nobody was told of."""
        now = self.clock()
        expires_on = self.settings.effective("client_secret_expires_on").value
        if not isinstance(expires_on, date):
            return
        due = expiry(expires_on, now.date())
        if due.threshold is None or due.subject == self._told or not self.settings.read().is_set("client_secret"):
            return
        is_first, self._told = tell(self.session, due.subject, at=now), due.subject
        if is_first:
            signals.secret_expiring.send(self.app, days_left=due.days_left, expires_on=due.expires_on)
